"""report.md. Enters: a study's record. Leaves: Markdown (GitHub's) as text.

Refuses to trust text from outside: it is escaped for Markdown and for HTML.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator

from lamsearch import points
from lamsearch.figures.undrawn import undrawn
from lamsearch.report import answer, dimensions, provenance, snapshots, view
from lamsearch.report.fact import Fact
from lamsearch.report.lines import one_line
from lamsearch.report.settings import settings_toml
from lamsearch.report.tables import Table
from lamsearch.report.titles import confusion_title, titles
from lamsearch.results import STAGES, StudyRecord

_SHOWN = 10  # rows of a stage's table; the rest is in trials.csv
_MARKS = re.compile(r"([\\`*_\[\]|~#$])")


def markdown(record: StudyRecord) -> str:
    """Return report.md: the answer first, then figures, tables, settings, fingerprints."""
    blocks = [
        f"# {_title(record)}",
        escaped(view.status(record)),
        escaped(provenance.made(record)),
        "\n".join(_fact(fact) for fact in answer.facts(record)),
        "\n>\n".join(f"> {escaped(note)}" for note in view.notes(record)),
        *_figures(record),
        *_tables(record),
        *_provenance(record),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def escaped(text: object) -> str:
    """Return text as Markdown that shows exactly it: no markup, no HTML, no link."""
    safe = _MARKS.sub(r"\\\1", html.escape(one_line(text), quote=False))
    # GitHub makes links of these by itself
    return safe.replace("://", "&#58;//").replace("www.", "www&#46;").replace("@", "&#64;")


def _title(record: StudyRecord) -> str:
    first, *others = (one.symbol for one in record.space.dimensions)
    rest = f", with {escaped(points.listed(others))}" if others else ""
    return f"{first} for {escaped(record.name)}{rest}"


def _fact(fact: Fact) -> str:
    detail = f" ({escaped(fact.detail)})" if fact.detail else ""
    return f"- **{escaped(fact.label)}: {escaped(fact.value)}**{detail}"


def _figures(record: StudyRecord) -> Iterator[str]:
    if (why := undrawn()) is not None:
        yield escaped(why)
        return
    title, first = record.metric.title, record.space.dimensions[0]
    if not record.space.several:
        yield f"## {record.metric.heading} over {first.symbol}"
        alt = f"Validation {title} over {first.label}, all stages"
        yield f"![{alt}](figures/{view.scores_name(record)}.png)"
    for one in titles(record):
        yield f"## {escaped(one.title)}"
        yield f"![{escaped(one.alt)}](figures/{one.name}.png)"
    stage = view.curve_stage(record)
    if stage is not None:
        yield "## Learning curves"
        yield f"![Learning curves of stage {stage}](figures/learning_curves.png)"


def _dimensions(record: StudyRecord) -> Iterator[str]:
    searched, matters = dimensions.searched_table(record), dimensions.importance_table(record)
    if searched is not None:
        yield f"## {searched.title}"
        yield _table(searched)
    if matters is not None:
        yield f"### {matters.title}"
        yield _table(matters)
    yield escaped(" ".join(dimensions.importance_sentences(record)))


def _snapshots(record: StudyRecord) -> Iterator[str]:
    averages, members = snapshots.averages_table(record), snapshots.members_table(record)
    if averages is None or members is None:
        return
    yield f"## {averages.title}"
    yield _table(averages)
    yield escaped(" ".join(snapshots.sentences(record)))
    yield f"### {members.title}"
    yield _table(members)


def _tables(record: StudyRecord) -> Iterator[str]:
    yield from _snapshots(record)
    yield from _dimensions(record)
    yield "## Stages"
    yield _table(view.overview(record))
    for name in STAGES:
        if name in record.stages:
            yield from _stage(view.candidates(record, name))
    comparison = view.comparison(record)
    if comparison is not None:
        yield f"## {comparison.title}"
        yield _table(comparison)
    matrix, confusion = confusion_title(record), view.confusion(record)
    if matrix is not None:
        yield f"## {matrix.title}"
        if undrawn() is None:
            yield f"![{matrix.alt}](figures/{matrix.name}.png)"
    if confusion is not None:
        yield _table(confusion)


def _stage(table: Table) -> Iterator[str]:
    yield f"### {table.title}"
    yield _table(table, shown=_SHOWN) if table.rows else "No trial is complete yet."
    if len(table.rows) > _SHOWN:
        yield f"… {len(table.rows) - _SHOWN} more in trials.csv"
    lost = [f"- {escaped(line)}" for line in table.lost[:_SHOWN]]
    if len(table.lost) > _SHOWN:
        lost.append(f"- … {len(table.lost) - _SHOWN} more in trials.csv")
    yield "\n".join(lost)


def _provenance(record: StudyRecord) -> Iterator[str]:
    openings = view.openings(record)
    yield f"## {openings.title}"
    yield _table(openings) if openings.rows else "The test set has been held out so far."
    yield "## Settings"
    yield escaped(view.repeatability(record))
    yield f"```toml\n{settings_toml(record.settings)}\n```"
    yield "## Versions"
    yield "\n".join(
        f"- {escaped(label)}: {escaped(text)}" for label, text in view.computing(record)
    )
    yield "## Fingerprints"
    yield "\n".join(
        [
            f"- study: {escaped(record.study_fingerprint)}",
            f"- data: {escaped(record.data_fingerprint)}",
            f"- seed: {record.seed}",
        ]
    )


def _table(table: Table, shown: int | None = None) -> str:
    lines = [_row(map(escaped, table.head)), _row(["---"] * len(table.head))]
    return "\n".join(lines + [_row(map(escaped, row)) for row in table.rows[:shown]])


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
