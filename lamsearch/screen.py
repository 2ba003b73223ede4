"""What a terminal shows of a study at work. The only door to rich.

Enters: a study's status, lines worth telling. Leaves: text on a console: a live screen on a
terminal, plain lines elsewhere. Reads and decides nothing.
"""

from __future__ import annotations

import os
import time
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from lamsearch.trials import Recovery, StageStatus, Status, WorkerStatus

_PLAIN_SECONDS = 10.0  # between two lines of the same stage where there is no terminal
_STAGES_SHOWN, _RECOVERIES_SHOWN = 5, 3
_HOST_WIDTH = 20
_SILENT_SECONDS = 5.0


class Screen:
    """Shows a study's progress on standard error until the block ends."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, soft_wrap=True, highlight=False)
        self._live: Live | None = None
        self._told: dict[str, tuple[float, int]] = {}
        self._speed = _Speed()

    def __enter__(self) -> Self:
        # TERM=dumb and CI are not to be drawn on, nor is anything but a terminal
        if (
            self._console.is_terminal
            and not self._console.is_dumb_terminal
            and "CI" not in os.environ
        ):
            self._live = Live(console=self._console, refresh_per_second=5, transient=True)
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, line: str) -> None:
        """Print one line above whatever is live."""
        self._console.print(escape(line))

    def show(self, status: Status) -> None:
        """Draw the status, or where there is no terminal, say what has changed."""
        left = self._speed.seconds_left(status)
        if self._live is not None:
            room = max(4, self._console.size.height - 8 - _STAGES_SHOWN - _RECOVERIES_SHOWN)
            self._live.update(picture(status, left=left, workers=room))
            return
        for stage in status.stages:
            self._tell(status, stage, left)

    def _tell(self, status: Status, stage: StageStatus, left: float | None) -> None:
        when, finished = self._told.get(stage.name, (float("-inf"), -1))
        over = stage.updates == stage.total and stage.finished == stage.planned
        due = time.monotonic() - when > _PLAIN_SECONDS
        if finished == stage.finished and (over or not due):
            return
        self._told[stage.name] = (time.monotonic(), stage.finished)
        if stage.total:
            share = 100 * stage.updates / stage.total
            line = f"{stage.name}: {stage.finished}/{stage.planned} trials, {share:.0f} %"
            self.say(f"{line}{_best(status)}{'' if over else _left(left)}")


class _Speed:
    """Updates per second over the last half minute, and what they leave of the present stage."""

    def __init__(self) -> None:
        self._seen: list[tuple[float, int]] = []

    def seconds_left(self, status: Status) -> float | None:
        """Seconds that the planned stages still need; None before there is a rate."""
        done = sum(stage.updates for stage in status.stages)
        self._seen = [(t, n) for t, n in self._seen if time.monotonic() - t < 30]
        self._seen.append((time.monotonic(), done))
        (first, before), (last, now) = self._seen[0], self._seen[-1]
        if now <= before or last - first < 1:
            return None
        todo = sum(stage.total for stage in status.stages) - done
        return todo * (last - first) / (now - before)


def picture(status: Status, *, left: float | None = None, workers: int = 50) -> Group:
    """Return a study's status as a picture of lines: stages, workers, the best so far."""
    title = Text(f"{status.name}  ", style="bold")
    title.append(status.state, style={"done": "green", "failed": "red"}.get(status.state, "cyan"))
    title.append(f"  {_clock(status.elapsed)}{_left(left)}{_best(status)}", style="not bold")
    parts: list[Text | Table] = [title, _stages(status)]
    if status.workers:
        parts.append(_workers(status.workers[:workers]))
    if len(status.workers) > workers:
        parts.append(Text(f"  … {len(status.workers) - workers} more workers"))
    if status.takeovers:
        parts.append(Text(f"takeovers: {status.takeovers}", style="yellow"))
    parts += [Text(_recovered(one)) for one in status.recovered[:_RECOVERIES_SHOWN]]
    if status.failure:
        parts.append(Text(status.failure, style="red"))
    return Group(*parts)


def print_status(status: Status) -> None:
    """Print a study's status on standard output."""
    Console(highlight=False).print(picture(status))


def print_table(header: list[str], rows: list[list[str]], *, title: str | None = None) -> None:
    """Print a plain table on standard output; text columns left, numbers right."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for place, name in enumerate(header):
        numeric = all(_is_number(row[place]) for row in rows) and bool(rows)
        table.add_column(escape(name), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    Console(highlight=False).print(table)


def _stages(status: Status) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for stage in status.stages[-_STAGES_SHOWN:]:
        share = stage.updates / stage.total if stage.total else 0.0
        count = f"{stage.finished}/{stage.planned}" if stage.planned else ""
        bar = ProgressBar(total=1.0, completed=share, width=24) if stage.total else Text("")
        table.add_row(Text(stage.name), bar, f"{100 * share:3.0f} %" if stage.total else "", count)
    return table


def _workers(workers: tuple[WorkerStatus, ...]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("host", max_width=_HOST_WIDTH, no_wrap=True)
    table.add_column("pid", justify="right", no_wrap=True)
    table.add_column("cohort", no_wrap=True)
    for title in ("updates", "per s", "renewed"):
        table.add_column(title, justify="right", no_wrap=True)
    for worker in workers:
        host, pid = _host(worker.owner)
        late = "yellow" if worker.expired or worker.renewed_ago > _SILENT_SECONDS else ""
        renewed = f"{max(0.0, worker.renewed_ago):.0f} s ago"
        table.add_row(
            Text(host),
            pid,
            f"{worker.stage} {worker.cohort}",
            f"{worker.updates}/{worker.total}",
            f"{worker.per_second:.0f}",
            Text(f"{renewed}, expired" if worker.expired else renewed, style=late),
        )
    return table


def _recovered(one: Recovery) -> str:
    host, pid = _host(one.taken_from or "")
    whose = f", taken over from {host[:_HOST_WIDTH]} {pid}" if one.taken_from else ""
    return f"recovered: {one.stage} {one.cohort} at update {one.updates} of {one.total}{whose}"


def _host(owner: str) -> tuple[str, str]:
    """Host and process of a worker's name."""
    host, _, rest = owner.partition(":")
    return host, rest.partition(":")[0]


def _best(status: Status) -> str:
    if status.best is None:
        return ""
    value, accuracy = status.best
    return f"  best {100 * accuracy:.2f} % at log10 λ {value:.3f}"


def _left(seconds: float | None) -> str:
    return "" if seconds is None else f"  {_clock(seconds)} left in stage"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _is_number(text: str) -> bool:
    try:
        float(text.rstrip(" %s").replace("…", "0") or "0")
    except ValueError:
        return False
    return True


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
