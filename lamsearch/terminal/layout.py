"""A study's status as lines that fit a terminal, whatever its size just now.

Enters: a status, its speed. Leaves: lines for rich. Where they are too many the plot goes first,
then what was recovered, then workers, then stages. Refuses to know when it is drawn.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TypeVar, cast

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.progress_bar import ProgressBar
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from lamsearch.letters import plain
from lamsearch.metrics import metric_of
from lamsearch.results import ScoreKind, StudyState
from lamsearch.storage import Recovery, Scored, StageStatus, Status, WorkerStatus
from lamsearch.terminal.glyphs import ASCII, UNICODE, Glyphs
from lamsearch.terminal.plot import plot
from lamsearch.visible import visible

T = TypeVar("T")
_STAGES_SHOWN, _RECOVERIES_SHOWN, _WORKERS_SHOWN = 5, 3, 50
_WORKERS_BESIDE_PLOT = 8
_HOST_WIDTH, _BAR_WIDTH = 20, 24
_SILENT_SECONDS = 5.0
_TOLD_PER_SECOND = 8.0  # less than half of what all workers together write
_ENDLESS = 10_000
_MOST_HOURS = 100
STATE_STYLES = {
    "done": "green", "failed": "red", "cancelled": "red", "paused": "yellow", "queued": "default"
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Draws itself anew for the size that the terminal has at that moment.

    ``rate`` is updates per second in all, ``left`` seconds. Where it is not ``fitted`` to the
    height, all is shown, and the plot where it fits too. ``since`` is when the status was read, by
    the monotonic clock, for a study whose time goes on while it is shown.
    """

    status: Status
    rate: float | None = None
    left: float | None = None
    plotted: bool = True
    fitted: bool = True
    since: float | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield as many lines as the console is high, less the one where its cursor ends."""
        options = options.update(no_wrap=True, overflow="ellipsis", height=None)
        height = max(1, console.height - 1)
        lines: list[list[Segment]] = []
        drawn = replace(self, status=spoken(self.status, options.encoding))
        for part in drawn._parts(console, options, height):
            lines += console.render_lines(part, options, pad=False)
        for line in lines[:height] if self.fitted else lines:
            yield from speakable(line, options)
            yield Segment.line()

    def _parts(
        self, console: Console, options: ConsoleOptions, height: int
    ) -> Iterable[RenderableType]:
        """All that has room, from the top; each part's lines are counted before it is made."""
        status, width, glyphs = self.status, options.max_width, glyphs_of(options)
        head = [*self._head(width, glyphs), *self._failure(console, width)]
        most = height if self.fitted else _ENDLESS
        stages = min(len(status.stages), _STAGES_SHOWN, max(1, most - len(head)))
        room = max(0, most - len(head) - stages)
        table = min(len(status.workers), _WORKERS_SHOWN) + 2 if status.workers else 0
        least = min(table, _WORKERS_BESIDE_PLOT + 2) if self.fitted else table
        notes = self._notes()[: max(0, room - least)]
        room -= len(notes)
        beside = room - least - (most - height)
        drawn: list[Text] = []
        if self.plotted:
            drawn = plot(
                status.points, width=width, height=beside, glyphs=glyphs,
                metric=metric_of(status.metric),
            )  # fmt: skip
        workers = _workers(status.workers, room - len(drawn), glyphs)
        return [*head, _stages(status, stages), *workers, *notes, *drawn]

    def _head(self, width: int, glyphs: Glyphs) -> list[Text]:
        """The study and its timing: the name gives way, then the end of a line."""
        status = self.status
        age = 0.0 if self.since is None else time.monotonic() - self.since
        rest = f"  {clock(status.elapsed + age)}{left_of(self.left)}"
        name = Text(status.name, style="bold")
        name.truncate(max(8, width - len(status.state) - len(rest) - 2), overflow="ellipsis")
        name.append(f"  {status.state}", style=STATE_STYLES.get(status.state, "cyan"))
        speed = timing(self.rate)
        best = chosen_of(status, glyphs) or best_of(status, glyphs)
        second = "  ".join(part for part in (best, speed) if part)
        return [name.append(rest, style="not bold"), *([Text(second)] if second else [])]

    def _failure(self, console: Console, width: int) -> list[Text]:
        failure = Text(self.status.failure or "", style="red")
        return list(failure.wrap(console, width, no_wrap=False)) if failure else []

    def _notes(self) -> list[Text]:
        status = self.status
        taken = f"reclaimed: {status.takeovers}"
        first = [Text(taken, style="yellow")] if status.takeovers else []
        if status.search_ended:
            first.append(Text(f"the search ended early: {status.search_ended}"))
        if status.state is StudyState.QUEUED:  # else somebody serves it, or nobody is to
            first += [Text(reason, style="yellow") for reason in status.unable]
        return first + [Text(_recovered(one)) for one in status.recovered[:_RECOVERIES_SHOWN]]


def glyphs_of(options: ConsoleOptions) -> Glyphs:
    """Return the signs that a console can write."""
    return ASCII if options.ascii_only else UNICODE


def chosen_of(status: Status, glyphs: Glyphs) -> str:
    """Return the chosen or given point as text, empty before there is one."""
    chosen = status.selected
    if chosen is None:
        return ""
    name, score = f"{glyphs.axis} {chosen.point[0]:.3f}", chosen.score
    if len(chosen.point) > 1:
        name = status.space.named_values(chosen.point, ".3g").replace("λ", glyphs.lam)
    if score is None:
        return f"given: {name}"
    kind = "predicted" if score.kind is ScoreKind.PREDICTED else "mean"
    metric = metric_of(status.metric)
    return f"chosen: {name}, {kind} validation {metric.title} {metric.words(score.mean)}"


def best_of(status: Status, glyphs: Glyphs) -> str:
    """Return the best trial so far as text, empty where there is none."""
    if status.best is None:
        return ""
    at, score = status.best
    return f"best {metric_of(status.metric).words(score)} at {glyphs.axis} {at:.3f}"


def left_of(seconds: float | None) -> str:
    """Return the time left as the end of a line."""
    known = seconds is not None and math.isfinite(seconds)
    return f"  {clock(seconds or 0.0)} left" if known else ""


def timing(rate: float | None) -> str:
    """Return updates per second as text; empty where nothing moves, or nobody knows."""
    return f"{number(rate)} updates/s" if rate and rate > 0 else ""


def number(rate: float) -> str:
    """Return a rate without decimals, or with two digits where it is small."""
    return f"{rate:.0f}" if not 0 < rate < 9.95 else f"{rate:.2g}"


def percent(done: int, total: int) -> str:
    """Return a share that is 100 % only where all is done."""
    return f"{100 * done // total if total else 0:3} %"


def progress(stage: StageStatus) -> tuple[int, int]:
    """Return how much of a stage is done, of how much: updates, all of them where trials ended."""
    over = 0 < stage.planned == stage.finished
    return (stage.total if over else stage.updates), stage.total


def trials_of(stage: StageStatus) -> str:
    """Return what a stage's share is a share of."""
    return f"of {stage.planned} trial{'' if stage.planned == 1 else 's'}"


def clock(seconds: float) -> str:
    """Return a duration as people write it."""
    if not math.isfinite(seconds):
        return "for ever"
    if seconds >= _MOST_HOURS * 3600:
        return f"{seconds / 86_400:,.0f} days"
    minutes, rest = divmod(int(max(0.0, seconds)), 60)  # a clock may be set back
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def speakable(line: Sequence[Segment], options: ConsoleOptions) -> list[Segment]:
    """The line in letters that the console has, as wide as before: where text was cut is "~"."""
    if not options.ascii_only:
        return list(line)
    return [Segment(plain(one.text.replace("…", "~"), options.encoding), one.style) for one in line]


def spoken(status: T, encoding: str) -> T:
    """Return a record with its texts harmless and in letters that the console has."""
    return cast("T", _spoken(status, encoding))


def _spoken(value: object, encoding: str) -> object:
    if type(value) is str:
        return plain(visible(value), encoding)
    if isinstance(value, tuple):
        return tuple(_spoken(one, encoding) for one in value)
    if is_dataclass(value) and not isinstance(value, (type, Scored)):  # of those there are many
        found = {one.name: _spoken(getattr(value, one.name), encoding) for one in fields(value)}
        return replace(value, **found)
    return value


def _stages(status: Status, shown: int) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for stage in status.stages[-shown:]:
        done, total = progress(stage)
        if total:
            bar = ProgressBar(total=1.0, completed=done / total, width=_BAR_WIDTH)
            table.add_row(Text(stage.name), bar, Text(f"{percent(done, total)} {trials_of(stage)}"))
        else:  # the test makes no updates
            table.add_row(Text(stage.name), Text("scored" if status.state == "done" else ""), "")
    return table


def _workers(workers: Sequence[WorkerStatus], room: int, glyphs: Glyphs) -> list[RenderableType]:
    """As many workers as there is room for, and how many more there are."""
    if not workers or room < 2:
        return []
    fit = min(room - 1, _WORKERS_SHOWN)
    fit = len(workers) if len(workers) <= fit else max(1, min(fit, room - 2))
    more = len(workers) - fit
    rest = [Text(f"  {glyphs.more} {more} more workers")] if more and room > fit + 1 else []
    # many workers tell of themselves seldom
    silent = max(_SILENT_SECONDS, len(workers) / _TOLD_PER_SECOND)
    return [_workers_table(workers[:fit], silent), *rest]


def _workers_table(workers: Sequence[WorkerStatus], silent: float) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("host", max_width=_HOST_WIDTH, no_wrap=True)
    table.add_column("pid", justify="right", no_wrap=True)
    table.add_column("cohort", no_wrap=True)
    for title in ("updates", "per s", "renewed"):
        table.add_column(title, justify="right", no_wrap=True)
    for worker in workers:
        host, pid = _host(worker.owner)
        late = "yellow" if worker.expired or worker.renewed_ago > silent else ""
        renewed = f"{max(0.0, worker.renewed_ago):.0f} s ago"
        table.add_row(
            Text(host),
            Text(pid),
            Text(f"{worker.stage} {worker.cohort}"),
            f"{worker.updates}/{worker.total}",
            number(worker.per_second),
            Text(f"{renewed}, expired" if worker.expired else renewed, style=late),
        )
    return table


def _recovered(one: Recovery) -> str:
    host, pid = _host(one.taken_from or "")
    whose = f", reclaimed from {host[:_HOST_WIDTH]} {pid}" if one.taken_from else ""
    return f"recovered: {one.stage} {one.cohort} at update {one.updates} of {one.total}{whose}"


def _host(owner: str) -> tuple[str, str]:
    """Host and process of a worker's name."""
    host, _, rest = owner.partition(":")
    return host, rest.partition(":")[0]
