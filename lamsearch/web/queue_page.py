"""The queue as a page: every study in a line, with its progress, its scores and what was chosen.

Enters: the studies of a storage, and which part of them somebody wants to see. Leaves: HTML that
works on a phone and without a network. Refuses to trust text from outside: the template escapes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from markupsafe import Markup

from lamsearch.metrics import Metric, metric_of
from lamsearch.points import noun
from lamsearch.results import STAGES, QueuedStudy, Score, ScoreKind, StudyState
from lamsearch.space import Point, Space
from lamsearch.storage import Glance
from lamsearch.visible import visible
from lamsearch.web.documents import moment, report_path
from lamsearch.web.small_figure import small_figure
from lamsearch.web.studies import Studies

if TYPE_CHECKING:
    from jinja2 import Template

_PER_PAGE = 25
_TEMPLATE = "queue.html.jinja"
_UNITS = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One study of the page, in words."""

    name: str
    state: str
    priority: int
    percent: int
    trials: str
    workers: int
    chosen: str
    chosen_what: str
    score: str
    score_what: str
    submitted: str
    age: str
    figure: Markup
    report: str
    dashboard: str | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A way to another part of the list; ``here`` is the one that is shown."""

    text: str
    href: str
    here: bool


def queue_page(studies: Studies, *, state: StudyState | None, number: int) -> str:
    """Return the page of that number, from 1, of the studies in a state, or of all."""
    everything = studies.queue()
    found = [one for one in everything if state is None or one.state is state]
    pages = max(1, -(-len(found) // _PER_PAGE))
    number = min(max(number, 1), pages)
    shown = found[(number - 1) * _PER_PAGE : number * _PER_PAGE]
    glances = studies.glances(one.name for one in shown)
    return _template().render(
        lines=[_line(one, glances.get(one.name, Glance())) for one in shown],
        filters=_filters(everything, state),
        total=len(everything),
        pages=[
            Link(text=str(n), href=_href(state, n), here=n == number) for n in _near(number, pages)
        ],
        number=number,
        last=pages,
        start=(number - 1) * _PER_PAGE + 1,
    )


def _line(study: QueuedStudy, glance: Glance) -> Line:
    metric, selected = metric_of(study.metric), study.selected
    score = None if selected is None else selected.score
    notes = (*((study.failure,) if study.failure else ()), *study.unable)
    return Line(
        name=study.name,
        state=study.state.value,
        priority=study.priority,
        percent=int(100 * study.progress),
        trials=f"{study.finished_trials} of {study.planned_trials}",
        workers=study.workers,
        chosen="–" if selected is None else _chosen(study.space, selected.point),
        chosen_what=noun(study.space),
        score="" if score is None else metric.words(score.mean),
        score_what=metric.title if score is None else _score_what(metric, score),
        submitted=moment(study.created),
        age=age_words(study.age),
        figure=small_figure(study, glance.points),
        report=report_path(study.name),
        dashboard=dashboard_path(glance.numbers),
        notes=tuple(visible(note) for note in notes),
    )


def _chosen(space: Space, point: Point) -> str:
    """A chosen point as a line has room for: λ to three digits."""
    return space.value_words(point) if space.several else f"{space.values(point)[0]:.3g}"


def _score_what(metric: Metric, score: Score) -> str:
    return f"{'predicted' if score.kind is ScoreKind.PREDICTED else 'mean'} {metric.title}"


def dashboard_path(numbers: Mapping[str, int]) -> str | None:
    """Return where Optuna's dashboard has the latest stage of a study."""
    latest = next((stage for stage in reversed(STAGES) if stage in numbers), None)
    return None if latest is None else f"/dashboard/studies/{numbers[latest]}"


def age_words(seconds: float) -> str:
    """Return a length of time in one unit, as people say it: ``3 h``."""
    for length, unit in _UNITS:
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{max(seconds, 0.0) // 1:.0f} s"


def _filters(studies: Sequence[QueuedStudy], state: StudyState | None) -> list[Link]:
    counts = Counter(one.state for one in studies)
    links = [Link(text=f"all {len(studies)}", href=_href(None, 1), here=state is None)]
    for one in StudyState:
        if counts[one] or one is state:
            text = f"{one.value} {counts[one]}"
            links.append(Link(text=text, href=_href(one, 1), here=one is state))
    return links


def _href(state: StudyState | None, number: int) -> str:
    asked = {} if state is None else {"state": state.value}
    if number > 1:
        asked["page"] = str(number)
    return f"/?{urlencode(asked)}" if asked else "/"


def _near(number: int, pages: int) -> list[int]:
    """The first page, the last, and those near the one that is shown."""
    if pages == 1:
        return []
    return sorted({1, pages, *range(max(1, number - 2), min(pages, number + 2) + 1)})


@cache
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template(_TEMPLATE)
