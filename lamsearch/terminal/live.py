"""The live screen of a study at work, and what is printed where there is none.

Enters: a study's status, again and again. Leaves: figures that replace each other on a terminal,
a line per change in a pipe. Refuses to draw on anything but a terminal.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from lamsearch.results import QueuedStudy, StudyState
from lamsearch.storage import StageStatus, Status
from lamsearch.terminal.layout import (
    Layout,
    best_of,
    chosen_of,
    glyphs_of,
    left_of,
    percent,
    progress,
    trials_of,
)
from lamsearch.terminal.overview import Overview
from lamsearch.visible import visible

_PLAIN_SECONDS = 10.0  # between two lines of the same stage where there is no terminal
_PAPER_WIDTH = 10_000  # of a pipe: nothing is cut


class Screen:
    """Shows a study's progress on standard error until the block ends."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, soft_wrap=True, highlight=False)
        self._live: Live | None = None
        self._told: dict[tuple[str, str], tuple[float, int]] = {}
        self._queued: dict[str, tuple[str, int]] = {}
        self._speed = _Speed()

    def __enter__(self) -> Self:
        if _is_canvas(self._console):
            self._live = Live(console=self._console, refresh_per_second=5, transient=True)
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the terminal back as it was."""
        if self._live is not None:
            self._live.stop()

    def say(self, line: str) -> None:
        """Print one line above whatever is live."""
        self._console.print(Text(visible(line)))

    def show(self, status: Status) -> None:
        """Draw the status, or where there is no terminal, say what has changed."""
        self._speed.look(status)
        rate, left = self._speed.rate(status), self._speed.seconds_left(status)
        if self._live is not None:
            since = time.monotonic() if status.state is StudyState.RUNNING else None
            self._live.update(Layout(status=status, rate=rate, left=left, since=since))
            return
        for stage in status.stages:
            self._tell(status, stage, left)

    def show_queue(self, queue: Sequence[QueuedStudy]) -> None:
        """Draw a line per study, or where there is no terminal, say what has changed."""
        if self._live is not None:
            self._live.update(Overview(queue))
            return
        for study in queue:
            seen = (study.state, study.finished_trials)
            before = self._queued.get(study.name)
            if before == seen or (before is None and study.state.over):
                continue
            self._queued[study.name] = seen
            share = percent(int(1e6 * study.progress), 1_000_000).lstrip()
            self.say(f"{study.name}: {study.state}, {share}")

    def _tell(self, status: Status, stage: StageStatus, left: float | None) -> None:
        when, finished = self._told.get((status.name, stage.name), (float("-inf"), -1))
        over = stage.updates == stage.total and stage.finished == stage.planned
        due = time.monotonic() - when > _PLAIN_SECONDS
        if finished == stage.finished and (over or not due):
            return
        self._told[status.name, stage.name] = (time.monotonic(), stage.finished)
        if stage.total:
            line = f"{stage.name}: {percent(*progress(stage)).lstrip()} {trials_of(stage)}"
            score_of = chosen_of if stage.name == "final" else best_of
            best = score_of(status, glyphs_of(self._console.options))
            self.say(f"{line}{'  ' if best else ''}{best}{'' if over else left_of(left)}")


class _Speed:
    """Updates per second over the last half minute, and how long the study takes at that."""

    def __init__(self) -> None:
        self._seen: list[tuple[float, int]] = []

    def look(self, status: Status) -> None:
        """Take note of how far the study is now."""
        self._seen = [(t, n) for t, n in self._seen if time.monotonic() - t < 30]
        self._seen.append((time.monotonic(), sum(stage.updates for stage in status.stages)))

    def rate(self, status: Status) -> float | None:
        """Updates per second in all; before there is a measure, what the workers say."""
        return self._measured() or rate_of(status)

    def seconds_left(self, status: Status) -> float | None:
        """Seconds that all stages still need, as far as the study file says; None without rate."""
        rate = self._measured()
        done, planned = map(sum, zip((0, 0), *map(progress, status.stages), strict=True))
        todo = max(status.expected_updates, float(planned)) - done
        return None if rate is None else todo / rate

    def _measured(self) -> float | None:
        (first, before), (last, now) = self._seen[0], self._seen[-1]
        return None if now <= before or last - first < 1 else (now - before) / (last - first)


def rate_of(status: Status) -> float | None:
    """Return what the living workers' rates make together; None where nobody works."""
    rates = [worker.per_second for worker in status.workers if not worker.expired]
    return sum(rates) if rates else None


def print_status(status: Status, *, plotted: bool = True) -> None:
    """Print a study's status on standard output; on a terminal that is tall enough with a plot."""
    console = Console(highlight=False)
    if not (drawn := _is_canvas(console)):
        console = Console(highlight=False, force_terminal=False, width=_PAPER_WIDTH)
    rate = rate_of(status)
    figure = Layout(status=status, rate=rate, plotted=plotted and drawn, fitted=False)
    console.print(figure, end="")


def print_queue(queue: Sequence[QueuedStudy]) -> None:
    """Print all studies on standard output, a line each, and why some are not served."""
    console = Console(highlight=False)
    if not _is_canvas(console):
        console = Console(highlight=False, force_terminal=False, width=_PAPER_WIDTH)
    console.print(Overview(queue, fitted=False), end="")


def _is_canvas(console: Console) -> bool:
    """TERM=dumb and CI are not to be drawn on, nor a pipe, whatever FORCE_COLOR makes of it."""
    terminal = console.is_terminal and console.file.isatty() and not console.is_dumb_terminal
    return terminal and "CI" not in os.environ
