"""All studies of a storage, a line each, as many as fit the terminal.

Enters: their statuses. Leaves: lines for rich; where they are too many, those that are over go
first. Refuses to know when it is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from lamsearch.screen.picture import STATE_STYLES, best_of, clock, glyphs_of, speakable
from lamsearch.trials import Status

_NAME_WIDTH = 24


@dataclass(frozen=True, slots=True)
class Overview:
    """Draws itself anew for the size that the terminal has at that moment."""

    statuses: Sequence[Status]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield at most as many lines as the console is high, less the one of its cursor."""
        options = options.update(no_wrap=True, overflow="ellipsis", height=None)
        room = max(1, console.height - 2)
        ranked = sorted(self.statuses, key=lambda one: one.over)  # stable: else in their order
        shown, more = ranked[:room], len(ranked) - room
        for line in console.render_lines(self._table(shown, options), options, pad=False):
            yield from speakable(line, options)
            yield Segment.line()
        if more > 0:
            yield Text(
                f"{glyphs_of(options).more} {more} more {'study' if more == 1 else 'studies'}"
            )

    def _table(self, statuses: Sequence[Status], options: ConsoleOptions) -> Table:
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(max_width=_NAME_WIDTH, no_wrap=True)
        for _ in range(3):
            table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, justify="right")
        table.add_column(no_wrap=True)
        for one in statuses:
            stage = one.stages[-1] if one.stages else None
            share = f"{100 * stage.updates / stage.total:.0f} %" if stage and stage.total else ""
            table.add_row(
                Text(one.name, style="bold"),
                Text(one.state, style=STATE_STYLES.get(one.state, "cyan")),
                clock(one.elapsed),
                f"{stage.name} {stage.finished}/{stage.planned}" if stage else "",
                share,
                best_of(one, glyphs_of(options)),
            )
        return table
