"""A result as a notebook shows it. Enters: a result. Leaves: HTML that loads and runs nothing.

Refuses to trust text from outside: every value is escaped.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from lamsearch.figures.undrawn import undrawn
from lamsearch.report.answer import facts
from lamsearch.report.rendering import figures
from lamsearch.report.view import notes, status

if TYPE_CHECKING:
    from lamsearch.api.result import Result

_STYLE = "max-width: 40em; height: auto"


def html(result: Result) -> str:
    """Return the answer, what goes with it, and the figure of the scores over λ."""
    rows = "".join(
        f"<tr><th style='text-align: left'>{escape(label)}</th><td>{escape(value)}</td>"
        f"<td style='text-align: left'>{escape(detail)}</td></tr>"
        for label, value, detail in _facts(result)
    )
    said = "".join(f"<li>{escape(line)}</li>" for line in _notes(result))
    return (
        f"<div><strong>{escape(result.name)}</strong>: {escape(_status(result))}"
        f"<table>{rows}</table>{_figure(result)}<ul>{said}</ul></div>"
    )


def _facts(result: Result) -> Iterator[tuple[str, str, str]]:
    """The answer as a report has it; where only the document is at hand, as that has it."""
    if result.record is not None:
        yield from ((one.label, one.value, one.detail) for one in facts(result.record))
        return
    metric, score, test = result.metric, result.score, result.test
    if result.document["selected"] is not None:
        named = ", ".join(f"{name} = {_shown(one)}" for name, one in result.best_params.items())
        yield "Chosen", named, f"rule: {result.rule}"
    if score is not None:
        yield f"Validation {metric.title}", metric.words(score.mean, score.se), ""
    if test is not None:
        interval = f"95 % interval {metric.interval_words(test.interval95)}"
        yield f"Test {metric.title}", metric.words(test.mean), interval


def _shown(value: object) -> str:
    """A parameter's value as the report has it: a number in four digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _notes(result: Result) -> tuple[str, ...]:
    if result.record is not None:
        return notes(result.record)
    return tuple(f"Warning: {line}" for line in result.warnings)


def _status(result: Result) -> str:
    if result.record is not None:
        return status(result.record)
    return f"the study is {result.state}"


def _figure(result: Result) -> str:
    """The figure of all scores, inline; none where a report has lost its own."""
    if result.record is not None:
        for one in () if undrawn() else figures(result.record, 1):
            return f"<img alt='{escape(one.alt)}' style='{_STYLE}' src='{one.data_uri}'>"
    found = None if result.directory is None else _drawn(result.directory)
    if found is None:
        return ""
    content = base64.b64encode(found.read_bytes()).decode("ascii")
    return f"<img alt='scores' style='{_STYLE}' src='data:image/png;base64,{content}'>"


def _drawn(directory: Path) -> Path | None:
    """The report's figure of all scores."""
    return next(iter(sorted((directory / "figures").glob("*_over_*.png"))), None)
