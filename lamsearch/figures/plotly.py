"""Figures for a browser, as Plotly's JSON. Enters: a study's record. Leaves: JSON text.

Refuses to import Plotly: the page that shows them brings it, and its JSON is plain data.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lamsearch.figures.plotly_slices import SHOWN, escaped, panels
from lamsearch.figures.style import BLUE, GREEN, GREY, PURPLE, VERMILION, shortened
from lamsearch.metrics import Metric
from lamsearch.results import STAGES, StageName, StudyRecord, TrialState
from lamsearch.statistics import CandidateScore, candidate_scores

_LOOKS: dict[StageName, tuple[str, str]] = {
    "coarse": ("circle", BLUE),
    "fine": ("square", VERMILION),
    "finalists": ("diamond", GREEN),
    "final": ("star", PURPLE),
}
_BARS_AT_MOST = 400  # bars of more candidates are a carpet, and their texts a long wait


def stage_figure(record: StudyRecord, stage: StageName) -> str:
    """Scores over the space in one stage: validation with ± 1 standard error, and training."""
    scores = _drawable(record, stage)
    if record.space.several:
        title = f"{shortened(record.name)}/{stage}: {record.metric.title} over each dimension"
        return _sliced(f"{title}, ± 1 standard error", record, {stage: scores})
    traces = [_validation(record, stage, scores, "validation")]
    training = [_training(record.metric, score) for score in scores]
    if any(value is not None for value in training):
        traces.append(
            {
                "type": "scatter", "mode": "markers", "name": "training", "x": _coordinates(scores),
                "y": training, "marker": {"symbol": "circle-open", "color": GREY, "size": 7},
            }
        )  # fmt: skip
    traces += _lost(record, stage)
    what = f"{record.metric.title} over {record.space.symbol}"
    title = f"{shortened(record.name)}/{stage}: {what}, bars ± 1 standard error"
    return _figure(title, traces, record)


def stages_figure(record: StudyRecord) -> str:
    """Validation scores over the space through all stages, with ± 1 standard error."""
    title = f"{shortened(record.name)}: validation {record.metric.title} through the stages"
    if record.space.several:
        return _sliced(title, record, {stage: _drawable(record, stage) for stage in STAGES})
    traces = [
        _validation(record, stage, scores, f"{stage} ({len(scores)} {record.space.symbol})")
        for stage in STAGES
        if (scores := _drawable(record, stage))
    ]
    return _figure(title, traces, record)


def _sliced(
    title: str, record: StudyRecord, scores: Mapping[StageName, Sequence[CandidateScore]]
) -> str:
    """Scores over each of several dimensions, a panel for each."""
    drawn = []
    for stage, found in scores.items():
        if found:
            many = f"{len(found)} point{'' if len(found) == 1 else 's'}"
            trace = _validation(record, stage, found, f"{stage} ({many})")
            drawn.append((trace, [one.point or () for one in found]))
    traces, axes = panels(record, drawn)
    count = len(record.space.dimensions)
    title += f" (the first {SHOWN} of {count})" if count > SHOWN else ""
    layout = {**_layout(title), **axes}
    return json.dumps({"data": traces, "layout": layout}, allow_nan=False)


def _layout(title: str) -> dict[str, Any]:
    return {
        "title": {"text": escaped(title), "font": {"size": 15}},
        "legend": {"orientation": "h", "y": -0.2},
        "margin": {"l": 60, "r": 20, "t": 50, "b": 60},
    }


def _drawable(record: StudyRecord, stage: StageName) -> list[CandidateScore]:
    return [
        score
        for score in candidate_scores(record, stage)
        if score.point is not None and score.mean is not None
    ]


def _validation(
    record: StudyRecord, stage: StageName, scores: Sequence[CandidateScore], name: str
) -> dict[str, Any]:
    metric = record.metric
    symbol, colour = _LOOKS[stage]
    trace: dict[str, Any] = {
        "type": "scatter", "mode": "markers", "name": name, "x": _coordinates(scores),
        "y": [_number(metric, score.mean) for score in scores],
        "marker": {"symbol": symbol, "color": colour, "size": 9},
    }  # fmt: skip
    if len(scores) <= _BARS_AT_MOST:
        bars = [_rounded(metric, None if s.se is None else metric.factor * s.se) for s in scores]
        trace["error_y"] = {"type": "data", "array": bars, "thickness": 1.2, "width": 3}
        trace["text"] = [_words(record, score) for score in scores]
        form = f"%{{y:.{metric.digits}{'g' if metric.significant else 'f'}}}{metric.unit}"
        trace["hovertemplate"] = f"%{{text}}<br>{form}<extra>%{{fullData.name}}</extra>"
    return trace


def _lost(record: StudyRecord, stage: StageName) -> list[dict[str, Any]]:
    """Failed and pruned trials at the lower edge: they have a point and no score that counts."""
    found = record.stages.get(stage)
    traces = []
    for state, symbol in ((TrialState.FAIL, "x"), (TrialState.PRUNED, "triangle-down")):
        trials = [one for one in found.trials if one.state is state] if found else []
        at = [one.point[0] for one in trials if one.point is not None]
        if at:
            traces.append(
                {
                    "type": "scatter", "mode": "markers", "name": state.value.lower(),
                    "x": at, "y": [0.02] * len(at), "yaxis": "y2",
                    "marker": {"symbol": symbol, "color": GREY, "size": 9}, "hoverinfo": "x+name",
                }
            )  # fmt: skip
    return traces


def _figure(title: str, traces: Sequence[dict[str, Any]], record: StudyRecord) -> str:
    layout: dict[str, Any] = {
        **_layout(title),
        "xaxis": {"title": {"text": _x(record)}, "zeroline": False},
        "yaxis": {"title": {"text": _y(record)}, "zeroline": False},
        "yaxis2": {"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True},
    }
    if record.selected is not None:
        at = record.selected.point[0]
        first = record.space.dimensions[0]
        word = "given" if record.selected.score is None else "chosen"
        line = {"color": GREY, "width": 1.5, "dash": "dash"}
        layout["shapes"] = [
            {"type": "line", "x0": at, "x1": at, "y0": 0, "y1": 1, "yref": "paper", "line": line}
        ]
        layout["annotations"] = [
            {"x": at, "y": 1, "yref": "paper", "yanchor": "bottom", "showarrow": False,
             "text": f"{word}: {first.symbol} = {first.value(at):.3g}"}
        ]  # fmt: skip
    return json.dumps({"data": list(traces), "layout": layout}, allow_nan=False)


def _coordinates(scores: Sequence[CandidateScore]) -> list[float]:
    return [round(score.point[0] if score.point else 0.0, 4) for score in scores]


def _x(record: StudyRecord) -> str:
    return record.space.dimensions[0].label.replace("₁₀", "<sub>10</sub>")


def _y(record: StudyRecord) -> str:
    return record.metric.label


def _training(metric: Metric, score: CandidateScore) -> float | None:
    known = [one.train_score for one in score.complete if one.train_score is not None]
    return _number(metric, sum(known) / len(known)) if known else None


def _number(metric: Metric, score: float | None) -> float | None:
    """A score as the number that people quote, rounded to what a figure shows."""
    return _rounded(metric, None if score is None else metric.number(score))


def _rounded(metric: Metric, value: float | None) -> float | None:
    return None if value is None else metric.rounded(value)


def _words(record: StudyRecord, score: CandidateScore) -> str:
    many = f", mean of {score.n}" if score.n > 1 else ""
    at = "?" if score.point is None else record.space.named_values(score.point, ".3g")
    return f"candidate {score.candidate}: {escaped(at)}{many}"
