"""The result document and the table of trials. Enters: a study's record. Leaves: JSON and CSV.

Refuses to round and to print a NaN: what is not known, or not a number, is null or empty.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from typing import Any

from lamsearch.dimensions import weight_decay
from lamsearch.findings import baseline, nearest_trained, uncertainty, versions, warnings
from lamsearch.report import beside, decision, dimensions, snapshots
from lamsearch.report.numbers import finite
from lamsearch.report.updates import stage_updates, updates_document
from lamsearch.results import (
    STAGES,
    FinalScore,
    Score,
    ScoreKind,
    Selected,
    StageName,
    StageRecord,
    StudyRecord,
    TrialRecord,
    TrialState,
    columns_document,
)
from lamsearch.space import LAMBDA, Dimension, Point
from lamsearch.statistics import CandidateScore, Dropped, deciding_curve, differing
from lamsearch.visible import cell

COLUMNS = (
    "stage", "candidate", "replicate", "cohort", LAMBDA.name, "lambda", "state",
    "validation_accuracy", "validation_loss", "train_accuracy", "reason", "score",
)  # fmt: skip


def document(record: StudyRecord) -> dict[str, Any]:
    """Return the result document as plain JSON values.

    ``stages`` lists all four in their order, one that is not planned with no trials;
    ``selected`` and ``final`` are None as long as they are not known.
    """
    whole = {
        "study": record.name,
        "state": record.state.value,
        "seed": record.seed,
        "fingerprint": {"study": record.study_fingerprint, "data": record.data_fingerprint},
        "environment": versions.document(record),
        "metric": record.metric.name,
        "classes": list(record.classes),
        "stages": [_stage(name, record) for name in STAGES],
        "selected": None if record.selected is None else _selected(record, record.selected),
        "final": None if record.final is None else _final(record, record.final),
        "baseline": _baseline(record),
        "uncertainty": _uncertainty(record),
        "warnings": warnings(record),
        "test_openings": [asdict(opening) for opening in record.openings],
        "failure": record.failure,
        "search_ended": record.search_ended,
    }
    if record.data is not None and record.data.columns:
        whole["columns"] = columns_document(record.data.columns)
    if record.space.several:
        whole["importances"] = dimensions.importance_document(record)
    return whole


def to_json(record: StudyRecord) -> str:
    """Return the result document as JSON text with a newline at its end."""
    return json.dumps(document(record), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def trials_csv(record: StudyRecord) -> str:
    """Return a CSV with one row per trial; its floats read back to the same bits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*COLUMNS, *(one.name for one in record.space.dimensions[1:])))
    for name in STAGES:
        for trial in sorted_trials(record.stages.get(name)):
            writer.writerow(["" if value is None else value for value in _row(record, name, trial)])
    return text.getvalue()


def sorted_trials(stage: StageRecord | None) -> list[TrialRecord]:
    """Return the stage's trials in the order (candidate, replicate)."""
    trials = () if stage is None else stage.trials
    return sorted(trials, key=lambda trial: (trial.candidate, trial.replicate))


def _stage(name: StageName, record: StudyRecord) -> dict[str, Any]:
    stage, updates = record.stages.get(name), stage_updates(record, name)
    interval = None if stage is None or stage.bounds is None else stage.bounds[0]
    count = (lambda state: 0) if stage is None else stage.count
    trained = None if updates is None else updates_document(updates)
    found: dict[str, Any] = {
        "name": name,
        "interval": None if interval is None else [float(end) for end in interval],
        "search_space": None
        if stage is None or stage.bounds is None
        else dimensions.ranges_document(record.space, stage.bounds),
        "planned": 0 if stage is None else stage.planned,
        "complete": count(TrialState.COMPLETE),
        "failed": count(TrialState.FAIL),
        "pruned": count(TrialState.PRUNED),
        "updates": trained,  # of models, under the name that it had first
        "model_updates": trained,
        "trials": [_trial(record, trial) for trial in sorted_trials(stage)],
    }
    if record.space.several and stage is not None and stage.bounds is not None:
        found["bounds"] = dimensions.bounds_document(record.space, stage.bounds)
    return found


def _params(record: StudyRecord, point: Point) -> dict[str, Any]:
    """What stands under each parameter's name at a point."""
    named = record.space.named(point)
    return {key: finite(x) if isinstance(x, float) else x for key, x in named.items()}


def _named(record: StudyRecord, point: Point) -> dict[str, Any]:
    """A point in a list of points: its λ, and where dimensions are several all of it."""
    found: dict[str, Any] = {LAMBDA.name: finite(point[0])}
    return found | ({"params": _params(record, point)} if record.space.several else {})


def _trial(record: StudyRecord, trial: TrialRecord) -> dict[str, Any]:
    params = None if trial.point is None else _params(record, trial.point)
    named = record.metric.is_default
    values: dict[str, Any] = {
        "candidate": trial.candidate,
        "replicate": trial.replicate,
        "cohort": trial.cohort,
        LAMBDA.name: None if trial.point is None else finite(trial.point[0]),
        "params": params,
        "state": trial.state.value,
        "score": finite(trial.score),
        "validation_accuracy": finite(trial.score) if named else None,
        "validation_loss": finite(trial.validation_loss),
        "train_accuracy": finite(trial.train_score) if named else None,
    }
    left = trial.state in (TrialState.FAIL, TrialState.PRUNED)
    return {**values, "reason": trial.reason} if left else values


def _selected(record: StudyRecord, selected: Selected) -> dict[str, Any]:
    score = selected.score
    values: dict[str, Any] = {
        LAMBDA.name: float(selected.point[0]),
        "lambda": record.space.values(selected.point)[0],
        "weight_decay": weight_decay(record.space.values(selected.point)[0]),
        "params": record.space.named(selected.point),
        "rule": selected.rule,
        "score": None if score is None else _score(score),
        "validation_accuracy": _score(score) if score and record.metric.is_default else None,
    }
    if score is not None and score.kind is ScoreKind.PREDICTED:
        values["nearest_trained"] = _nearest(record, nearest_trained(record))
    curve = deciding_curve(record)
    if curve is not None:
        values["model"] = decision.curve_document(record, curve)
    return values


def _score(score: Score) -> dict[str, Any]:
    mean, error = finite(score.mean), finite(score.se)
    return {"mean": mean, "se": error, "n": score.n, "kind": score.kind.value}


def _nearest(record: StudyRecord, near: CandidateScore | None) -> dict[str, Any] | None:
    """What was measured at the point nearest to a predicted one."""
    if near is None:
        return None
    at = {LAMBDA.name: None} if near.point is None else _named(record, near.point)
    return {**at, "mean": finite(near.mean), "se": finite(near.se), "n": near.n}


def _baseline(record: StudyRecord) -> dict[str, Any] | None:
    found = baseline(record)
    if found is None:
        return None
    known: dict[str, Any] = {
        "class": found.answer if found.kind == "majority" else None,
        "validation": finite(found.validation),
        "test": finite(found.test),
    }
    if record.data is None or not record.data.constants:  # as an earlier version planned it
        return known
    gain, ends = found.gain, found.gain_interval95
    return {
        **known,
        "answer": found.kind,
        "value": finite(found.value),
        "test_gain": None
        if gain is None or ends is None
        else {"mean": finite(gain), "interval95": [finite(end) for end in ends]},
        "test_accuracy": finite(found.test_beside),
    }


def _uncertainty(record: StudyRecord) -> dict[str, Any]:
    """What the choice (or the nearest trained one) cannot be distinguished from, in numbers."""
    near, rest = nearest_trained(record), uncertainty.not_carried(record)
    at = {}
    if record.space.several and near is not None and near.point is not None:
        at = {"compared_params": _params(record, near.point)}
    return {
        **at,
        "compared": None if near is None or near.point is None else finite(near.point[0]),
        "differences": [
            {
                **_named(record, one.point),
                "mean": finite(one.mean),
                "interval95": [finite(end) for end in one.interval95],
                "distinguishable": one.distinguishable,
            }
            for one in uncertainty.compared(record)
        ],
        "not_carried_forward": []
        if rest is None
        else [_dropped(record, one) for one in rest.candidates],
        "selection_bias": _bias(record),
    }


def _dropped(record: StudyRecord, one: Dropped) -> dict[str, Any]:
    return {
        "stage": one.stage,
        **_named(record, one.point),
        "difference": finite(one.difference),
        "critical_difference": finite(one.critical_difference),
        "excluded": one.excluded,
    }


def _bias(record: StudyRecord) -> dict[str, Any] | None:
    known = uncertainty.selection_bias(record)
    if known is None:
        return None
    stage, found = known
    ends = found.interval95
    return {
        "stage": stage,
        "candidates": found.count,
        "mean": finite(found.mean),
        "interval95": None if ends is None else [finite(end) for end in ends],
        "settings_that_differ": list(differing(record, stage, "finalists")),
    }


def _final(record: StudyRecord, final: FinalScore) -> dict[str, Any]:
    shares = beside.of(record, final)
    return {
        "test_score": beside.document(final),
        "test_accuracy": None if shares is None else beside.document(shares),
        "ensemble_test_score": finite(final.ensemble),
        "ensemble_test_accuracy": None if shares is None else finite(shares.ensemble),
        "scores": [finite(one) for one in final.scores],
        "accuracies": None if shares is None else [finite(one) for one in shares.scores],
        "test_images": final.test_images,
        "confusion_matrix": decision.confusion_document(record, final),
        "snapshots": snapshots.document(record),
    }


def _row(record: StudyRecord, name: StageName, trial: TrialRecord) -> tuple[object, ...]:
    x = None if trial.point is None else trial.point[0]
    value = None if trial.point is None else record.space.values(trial.point)[0]
    named = record.metric.is_default
    return (
        name, trial.candidate, trial.replicate, trial.cohort,
        finite(x), value, trial.state.value,
        finite(trial.score) if named else None, finite(trial.validation_loss),
        finite(trial.train_score) if named else None,
        None if trial.reason is None else cell(trial.reason), finite(trial.score),
        *_further(record, trial.point),
    )  # fmt: skip


def _further(record: StudyRecord, point: Point | None) -> tuple[object, ...]:
    """The cells of the parameters beside λ."""
    others = record.space.dimensions[1:]
    if point is None:
        return (None,) * len(others)
    return tuple(_cell(one, x) for one, x in zip(others, point[1:], strict=True))


def _cell(dimension: Dimension, coordinate: float) -> object:
    """A value as a cell: numbers as they are, a list as JSON, words as words."""
    value = dimension.named(coordinate)
    if isinstance(value, (list, dict)):
        return json.dumps(value)
    return cell(value) if isinstance(value, str) else value
