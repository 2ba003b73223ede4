"""A verb."""

from __future__ import annotations

import click


@click.command()
@click.argument("name")
def greet(name: str) -> None:
    """Greet somebody by name."""
    click.echo(f"hello {name}")
