"""A table as every page has it. Enters: texts. Leaves: a table. Refuses to know markup."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of text; ``lost`` are sentences on what could not be in it."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lost: tuple[str, ...] = ()
