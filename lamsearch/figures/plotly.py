"""Figures for a browser, as Plotly's JSON. Enters: a study's record. Leaves: JSON text.

Refuses to import Plotly: the page that shows them brings it, and its JSON is plain data.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from lamsearch.figures.style import BLUE, GREEN, GREY, PURPLE, VERMILION, shortened
from lamsearch.results import STAGES, StageName, StudyRecord, TrialState
from lamsearch.statistics import CandidateScore, candidate_scores

_LOOKS: dict[StageName, tuple[str, str]] = {
    "coarse": ("circle", BLUE),
    "fine": ("square", VERMILION),
    "finalists": ("diamond", GREEN),
    "final": ("star", PURPLE),
}
_BARS_AT_MOST = 400  # bars of more candidates are a carpet, and their texts a long wait
_X, _Y = "log<sub>10</sub> λ", "accuracy (%)"


def stage_figure(record: StudyRecord, stage: StageName) -> str:
    """Accuracy (%) over log10 λ in one stage: validation with ± 1 standard error, and training."""
    scores = _drawable(record, stage)
    traces = [_validation(stage, scores, "validation")]
    training = [_training(score) for score in scores]
    if any(value is not None for value in training):
        traces.append(
            {
                "type": "scatter", "mode": "markers", "name": "training", "x": _places(scores),
                "y": training, "marker": {"symbol": "circle-open", "color": GREY, "size": 7},
            }
        )  # fmt: skip
    traces += _lost(record, stage)
    title = f"{shortened(record.name)}/{stage}: accuracy over λ, bars ± 1 standard error"
    return _figure(title, traces, record)


def stages_figure(record: StudyRecord) -> str:
    """Validation accuracy (%) over log10 λ through all stages, with ± 1 standard error."""
    traces = [
        _validation(stage, scores, f"{stage} ({len(scores)} λ)")
        for stage in STAGES
        if (scores := _drawable(record, stage))
    ]
    title = f"{shortened(record.name)}: validation accuracy through the stages"
    return _figure(title, traces, record)


def _drawable(record: StudyRecord, stage: StageName) -> list[CandidateScore]:
    return [
        score
        for score in candidate_scores(record, stage)
        if score.log10_lambda is not None and score.mean is not None
    ]


def _validation(stage: StageName, scores: Sequence[CandidateScore], name: str) -> dict[str, Any]:
    symbol, colour = _LOOKS[stage]
    trace: dict[str, Any] = {
        "type": "scatter", "mode": "markers", "name": name, "x": _places(scores),
        "y": [_percent(score.mean) for score in scores],
        "marker": {"symbol": symbol, "color": colour, "size": 9},
    }  # fmt: skip
    if len(scores) <= _BARS_AT_MOST:
        bars = [_percent(score.se) for score in scores]
        trace["error_y"] = {"type": "data", "array": bars, "thickness": 1.2, "width": 3}
        trace["text"] = [_words(score) for score in scores]
        trace["hovertemplate"] = "%{text}<br>%{y:.2f} %<extra>%{fullData.name}</extra>"
    return trace


def _lost(record: StudyRecord, stage: StageName) -> list[dict[str, Any]]:
    """Failed and pruned trials at the lower edge: they have a λ and no accuracy that counts."""
    found = record.stages.get(stage)
    traces = []
    for state, symbol in ((TrialState.FAIL, "x"), (TrialState.PRUNED, "triangle-down")):
        trials = [one for one in found.trials if one.state is state] if found else []
        places = [one.log10_lambda for one in trials if one.log10_lambda is not None]
        if places:
            traces.append(
                {
                    "type": "scatter", "mode": "markers", "name": state.value.lower(),
                    "x": places, "y": [0.02] * len(places), "yaxis": "y2",
                    "marker": {"symbol": symbol, "color": GREY, "size": 9}, "hoverinfo": "x+name",
                }
            )  # fmt: skip
    return traces


def _figure(title: str, traces: Sequence[dict[str, Any]], record: StudyRecord) -> str:
    layout: dict[str, Any] = {
        "title": {"text": _escaped(title), "font": {"size": 15}},
        "xaxis": {"title": {"text": _X}, "zeroline": False},
        "yaxis": {"title": {"text": _Y}, "zeroline": False},
        "yaxis2": {"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True},
        "legend": {"orientation": "h", "y": -0.2},
        "margin": {"l": 60, "r": 20, "t": 50, "b": 60},
    }
    if record.selected is not None:
        at = record.selected.log10_lambda
        word = "given" if record.selected.validation_accuracy is None else "chosen"
        line = {"color": GREY, "width": 1.5, "dash": "dash"}
        layout["shapes"] = [
            {"type": "line", "x0": at, "x1": at, "y0": 0, "y1": 1, "yref": "paper", "line": line}
        ]
        layout["annotations"] = [
            {"x": at, "y": 1, "yref": "paper", "yanchor": "bottom", "showarrow": False,
             "text": f"{word}: λ = {record.selected.lam:.3g}"}
        ]  # fmt: skip
    return json.dumps({"data": list(traces), "layout": layout}, allow_nan=False)


def _places(scores: Sequence[CandidateScore]) -> list[float]:
    return [round(score.log10_lambda or 0.0, 4) for score in scores]


def _training(score: CandidateScore) -> float | None:
    known = [one.train_accuracy for one in score.complete if one.train_accuracy is not None]
    return _percent(sum(known) / len(known)) if known else None


def _percent(value: float | None) -> float | None:
    return None if value is None else round(100 * value, 3)


def _words(score: CandidateScore) -> str:
    many = f", mean of {score.n}" if score.n > 1 else ""
    return f"candidate {score.candidate}: λ = {10 ** (score.log10_lambda or 0.0):.3g}{many}"


def _escaped(text: str) -> str:
    """Plotly reads a few HTML tags in its texts; a study's name has none."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
