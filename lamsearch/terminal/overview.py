"""The queue: all studies of a storage, a line each, as many as fit the terminal.

Enters: the studies as the queue has them. Leaves: lines for rich; where they are too many, those
that are over go first. Refuses to know when it is drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.text import Text

from lamsearch.results import QueuedStudy
from lamsearch.terminal.layout import STATE_STYLES, clock, glyphs_of, percent, speakable, spoken

_NAME_WIDTH, _REASON_WIDTH = 24, 300


@dataclass(frozen=True, slots=True)
class Overview:
    """Draws itself anew for the size that the terminal has at that moment; where it is not
    ``fitted`` to the height, with all studies, and why some are not served."""

    queue: Sequence[QueuedStudy]
    fitted: bool = True

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield at most as many lines as the console is high, less the one of its cursor."""
        options = options.update(no_wrap=True, overflow="ellipsis", height=None)
        room = max(1, console.height - 2) if self.fitted else len(self.queue)
        shown = [spoken(one, options.encoding) for one in self.queue[:room]]
        more = len(self.queue) - room
        reasons = [] if self.fitted else list(_reasons(shown))
        for text in [*_lines(shown, options), *reasons]:
            for line in console.render_lines(text, options, pad=False):
                yield from speakable(line, options)
                yield Segment.line()
        if more > 0:
            yield Text(
                f"{glyphs_of(options).more} {more} more {'study' if more == 1 else 'studies'}"
            )


def _lines(studies: Sequence[QueuedStudy], options: ConsoleOptions) -> Iterator[Text]:
    """A line per study, in columns; the last one gives way where the line is too long."""
    rows = [_row(one) for one in studies]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for one, (name, state, *rest) in zip(studies, rows, strict=True):
        line = Text(name.ljust(widths[0]) + "  ", style="bold")
        line.append(state.ljust(widths[1]), style=STATE_STYLES.get(one.state, "cyan"))
        for cell, width in zip(rest, widths[2:], strict=True):
            if width:
                line.append(f"  {cell.ljust(width)}", style="not bold")
        line.rstrip()
        line.truncate(options.max_width, overflow="ellipsis")
        yield line


def _row(one: QueuedStudy) -> tuple[str, ...]:
    name = Text(one.name)
    name.truncate(_NAME_WIDTH, overflow="ellipsis")
    workers = f"{one.workers} worker{'' if one.workers == 1 else 's'}" if one.workers else ""
    return (
        name.plain,
        one.state,
        percent(int(1e6 * one.progress), 1_000_000),
        clock(one.age),
        f"priority {one.priority}" if one.priority else "",
        workers,
        "" if one.selected is None else one.space.named_values(one.selected.point, ".3g"),
    )


def _reasons(studies: Sequence[QueuedStudy]) -> Iterator[Text]:
    for one in studies:
        for reason in one.unable:
            line = Text(f"{one.name}: {reason}")
            line.truncate(_REASON_WIDTH, overflow="ellipsis")
            yield line
