"""A verb under the name that it had before. Enters: a verb. Leaves: the same one, so named."""

from __future__ import annotations

from copy import copy

import click


def older_name(command: click.Command, name: str) -> click.Command:
    """Return a verb under another name, which its help then says."""
    found = copy(command)
    found.name = name
    found.help = (command.help or "").replace(f"lamsearch {command.name}", f"lamsearch {name}")
    return found
