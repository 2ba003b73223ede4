"""Tables and the bar of a download.

Enters: texts, counts of bytes. Leaves: text on a console. Reads and decides nothing.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table
from rich.text import Text

from lamsearch.letters import plain
from lamsearch.visible import visible


def print_table(header: list[str], rows: list[list[str]], *, title: str | None = None) -> None:
    """Print a plain table on standard output; text columns left, numbers right."""
    console = Console(highlight=False)
    header = [_spoken(cell, console) for cell in header]
    rows = [[_spoken(cell, console) for cell in row] for row in rows]
    table = Table(
        title=title and Text(visible(title)), title_justify="left", box=None, pad_edge=False
    )
    for place, name in enumerate(header):
        numeric = all(_is_number(row[place]) for row in rows) and bool(rows)
        table.add_column(Text(name), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)


def _spoken(cell: str, console: Console) -> str:
    return plain(visible(cell), console.encoding)


class Transfer:
    """A progress bar for a download, on standard error; nothing where there is no terminal."""

    def __init__(self, title: str) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
            TimeRemainingColumn(), console=Console(stderr=True), transient=True,
        )  # fmt: skip
        self._task = self._bar.add_task(escape(title), total=None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def show(self, done: int, total: int) -> None:
        """Show ``done`` of ``total`` bytes."""
        self._bar.update(self._task, completed=done, total=total or None)


def _is_number(text: str) -> bool:
    try:
        float(text.rstrip(" %s").replace("…", "0") or "0")
    except ValueError:
        return False
    return True
