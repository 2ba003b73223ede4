"""What verbs say of themselves, for the list of all: read from their source, nothing is imported.

Enters: the ``module:attribute`` of a verb of lamsearch's own. Leaves: a command that has its help
and does nothing, or None where the source does not show it. Who imported twenty verbs for a line of
each would load every library that one of them needs.
"""

from __future__ import annotations

import ast
from importlib.util import find_spec
from inspect import cleandoc

import click


def listed(name: str, entry: str) -> click.Command | None:
    """Return a verb as the list of all shows it; None where only loading it would tell."""
    module, _, attribute = entry.partition(":")
    text = _docstring(module, attribute)
    return None if text is None else click.Command(name, help=cleandoc(text))


def _docstring(module: str, attribute: str) -> str | None:
    """The docstring of a module's function, or of the one that it has under an older name."""
    for node in _statements(module):
        match node:
            case ast.FunctionDef(name=name) if name == attribute:
                return ast.get_docstring(node, clean=False)
            case ast.Assign(
                targets=[ast.Name(id=name)],
                value=ast.Call(func=ast.Name(id="older_name"), args=[ast.Name(id=newer), *_]),
            ) if name == attribute:
                return _docstring(module, newer)
            case ast.ImportFrom(module=str(other), names=names) if any(
                (each.asname or each.name) == attribute for each in names
            ):
                return _docstring(other, attribute)
            case _:
                pass
    return None


def _statements(module: str) -> list[ast.stmt]:
    """What a module of this package consists of; nothing where its source is not there."""
    spec = find_spec(module)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return []
    with open(spec.origin, "rb") as file:  # noqa: PTH123 - pathlib would be one more import
        return ast.parse(file.read()).body
