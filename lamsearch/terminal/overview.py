"""All studies of a storage, a line each, as many as fit the terminal.

Enters: their statuses. Leaves: lines for rich; where they are too many, those that are over go
first. Refuses to know when it is drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.text import Text

from lamsearch.storage import Status
from lamsearch.terminal.layout import STATE_STYLES, clock, glyphs_of, percent, speakable, spoken

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
        shown = [spoken(one, options.encoding) for one in ranked[:room]]
        more = len(ranked) - room
        for text in _lines(shown, options):
            for line in console.render_lines(text, options, pad=False):
                yield from speakable(line, options)
                yield Segment.line()
        if more > 0:
            yield Text(
                f"{glyphs_of(options).more} {more} more {'study' if more == 1 else 'studies'}"
            )


def _lines(statuses: Sequence[Status], options: ConsoleOptions) -> Iterator[Text]:
    """A line per study, in columns; the last one gives way where the line is too long."""
    rows = [_row(one) for one in statuses]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for one, (name, state, *rest) in zip(statuses, rows, strict=True):
        line = Text(name.ljust(widths[0]) + "  ", style="bold")
        line.append(state.ljust(widths[1]), style=STATE_STYLES.get(one.state, "cyan"))
        for cell, width in zip(rest, widths[2:], strict=True):
            line.append(f"  {cell.ljust(width)}", style="not bold")
        line.rstrip()
        line.truncate(options.max_width, overflow="ellipsis")
        yield line


def _row(one: Status) -> tuple[str, ...]:
    stage = one.stages[-1] if one.stages else None
    name = Text(one.name)
    name.truncate(_NAME_WIDTH, overflow="ellipsis")
    return (
        name.plain,
        one.state,
        clock(one.elapsed),
        f"{stage.name} {stage.finished}/{stage.planned}" if stage else "",
        percent(stage.updates, stage.total) if stage and stage.total else "",
        "" if one.best is None else f"best {100 * one.best[1]:.2f} % at {one.best[0]:.3f}",
    )
