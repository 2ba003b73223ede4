"""index.html. Enters: a study's record. Leaves: one page that loads nothing and runs nothing.

Refuses to trust text from outside: the template escapes every value.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from lamsearch import points
from lamsearch.figures.undrawn import undrawn
from lamsearch.report import answer, dimensions, provenance, snapshots, view
from lamsearch.report.lines import one_line
from lamsearch.report.rendering import RenderedFigure, figures
from lamsearch.report.settings import settings_toml
from lamsearch.report.titles import CONFUSION
from lamsearch.results import STAGES, StudyRecord

if TYPE_CHECKING:
    from jinja2 import Template

_TEMPLATE = "page.html.jinja"
_SHOWN = 10


def page(
    record: StudyRecord,
    drawn: Sequence[RenderedFigure] | None = None,
    links: Sequence[tuple[str, str]] = (),
) -> str:
    """Return the page.

    Args:
        record: the study.
        drawn: its figures, where they are at hand.
        links: text and address of what a server has beside the page.
    """
    shown = list(figures(record)) if drawn is None else drawn
    return _template().render(
        title=points.title(record.space, one_line(record.name)),
        status=view.status(record),
        made=provenance.made(record),
        failed=record.failure is not None,
        facts=answer.facts(record),
        notes=view.notes(record),
        links=links,
        figures=[one for one in shown if one.name != CONFUSION],
        shades=next((one for one in shown if one.name == CONFUSION), None),
        averages=snapshots.averages_table(record),
        members=snapshots.members_table(record),
        snapshots=list(snapshots.sentences(record)),
        searched=dimensions.searched_table(record),
        matters=dimensions.importance_table(record),
        importances=list(dimensions.importance_sentences(record)),
        overview=view.overview(record),
        stages=[view.candidates(record, name) for name in STAGES if name in record.stages],
        shown=_SHOWN,
        comparison=view.comparison(record),
        confusion=view.confusion(record),
        openings=view.openings(record),
        repeatability=view.repeatability(record),
        settings=settings_toml(record.settings),
        fingerprints=[
            ("Fingerprint of the study", one_line(record.study_fingerprint)),
            ("Fingerprint of the data", one_line(record.data_fingerprint)),
            ("Seed", str(record.seed)),
            *view.computing(record),
        ],
        undrawn=undrawn(),
    )


def load_page() -> None:
    """Load what makes the page."""
    _template()


@cache  # a server renders many pages
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    return environment.get_template(_TEMPLATE)
