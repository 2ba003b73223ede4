"""The one way to print a line: with control characters from outside made visible."""

from __future__ import annotations

import logging

import click

from lamsearch.visible import visible


def echo(text: str = "", *, err: bool = False) -> None:
    """Print text on standard output or standard error."""
    click.echo(visible(text, keep="\n"), err=err)


class Visible(logging.Formatter):
    """Formats what is logged as `echo` prints it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as harmless text."""
        return visible(super().format(record), keep="\n")
