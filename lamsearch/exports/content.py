"""A study as runs: what trackers of experiments are told, the same for all of them.

Enters: a study's record. Leaves: the study's own run, and one for each trial that has ended, with
parameters, numbers, tags and curves. Refuses to know any tracker, and to round: what is no finite
number is left out.

A run's key is the same whenever and wherever the same study is exported, so that it is never there
twice: it follows from the study's and the data's fingerprints, the stage, candidate and replicate.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lamsearch.dimensions import weight_decay
from lamsearch.results import STAGES, Curve, StudyRecord, TrialRecord
from lamsearch.space import LAMBDA, Point

Value = str | int | float | bool
_KEY_DIGITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What is told of a study, or of one trial.

    ``params`` are what was chosen before training, ``numbers`` what came of it, ``tags`` what it is
    found by. ``curve`` is None where none was kept. ``state`` is the trial's, or the study's word.
    """

    key: str
    name: str
    group: str
    state: str
    params: Mapping[str, Value]
    numbers: Mapping[str, float]
    tags: Mapping[str, str]
    curve: Curve | None = None

    @property
    def digest(self) -> str:
        """A digest of all that is told: equal where nothing has changed."""
        curve = {} if self.curve is None else self.curve.columns()
        told = [
            self.name, self.group, self.state, dict(self.params), dict(self.numbers),
            dict(self.tags), {name: values.tolist() for name, values in curve.items()},
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def points(self) -> Iterator[tuple[int, dict[str, float]]]:
        """Yield the curve's points: how many updates were done, and the numbers then."""
        if self.curve is None:
            return
        columns = {"learning_rate": self.curve.learning_rate, **self.curve.values}
        for index, updates in enumerate(self.curve.updates.tolist()):
            yield updates, _finite({name: float(one[index]) for name, one in columns.items()})


def study_run(record: StudyRecord) -> Run:
    """Return the run of the study itself: settings, what was chosen, what the test gave."""
    chosen = record.selected
    at = {} if chosen is None else {**_params(record, chosen.point), "rule": chosen.rule}
    return Run(
        key=_key(record, "study"),
        name=record.name,
        group="study",
        state=record.state.value,
        params={**_settings(record.settings), **at},
        numbers=_finite({**_choice(record), **_test(record)}),
        tags={**_tags(record), "lamsearch.state": record.state.value},
    )


def trial_runs(record: StudyRecord) -> list[Run]:
    """Return a run for each trial that has ended, in the order (stage, candidate, replicate)."""
    return [
        _trial_run(record, name, trial)
        for name in STAGES
        if name in record.stages
        for trial in record.stages[name].trials
        if trial.state.finished and trial.point is not None
    ]


def _trial_run(record: StudyRecord, stage: str, trial: TrialRecord) -> Run:
    assert trial.point is not None  # noqa: S101 - such trials alone are told of
    where = {
        "stage": stage, "candidate": trial.candidate, "replicate": trial.replicate,
        "cohort": trial.cohort,
    }  # fmt: skip
    ended = {} if trial.reason is None else {"lamsearch.reason": trial.reason}
    return Run(
        key=_key(record, stage, trial.candidate, trial.replicate),
        name=f"{stage} {trial.candidate}/{trial.replicate}",
        group=stage,
        state=trial.state.value,
        params=_params(record, trial.point),
        numbers=_finite(_scores(record, trial)),
        tags={
            **_tags(record),
            **{f"lamsearch.{key}": str(value) for key, value in where.items()},
            "lamsearch.state": trial.state.value,
            **ended,
        },
        curve=trial.curve,
    )


def _key(record: StudyRecord, *where: object) -> str:
    named = [record.name, record.study_fingerprint, record.data_fingerprint, *where]
    return hashlib.sha256(json.dumps(named).encode()).hexdigest()[:_KEY_DIGITS]


def _tags(record: StudyRecord) -> dict[str, str]:
    return {
        "lamsearch.study": record.name,
        "lamsearch.seed": str(record.seed),
        "lamsearch.fingerprint": record.study_fingerprint,
        "lamsearch.data_fingerprint": record.data_fingerprint,
        "lamsearch.metric": record.metric.name,
    }


def _params(record: StudyRecord, point: Point) -> dict[str, Value]:
    """λ in its forms, then what else was searched."""
    value, log = record.space.values(point)[0], float(point[0])
    others = {k: v for k, v in record.space.named(point).items() if k != LAMBDA.name}
    first: dict[str, Value] = {
        "lambda": value, LAMBDA.name: log, "weight_decay": weight_decay(value)
    }  # fmt: skip
    return {**first, **{name: _value(one) for name, one in others.items()}}


def _settings(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Value]:
    """The study file's keys, those of tables after a dot."""
    found: dict[str, Value] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            found |= _settings(value, f"{prefix}{key}.")
        elif value is not None:
            found[f"{prefix}{key}"] = _value(value)
    return found


def _value(value: object) -> Value:
    """A value as trackers have them: words, numbers; a list as JSON."""
    return value if isinstance(value, (str, int, float, bool)) else json.dumps(value)


def _scores(record: StudyRecord, trial: TrialRecord) -> dict[str, float | None]:
    """What was measured of a trial in the end; what its curve ends with too keeps its name."""
    found = {
        "score": trial.score,
        "train_score": trial.train_score,
        "validation_loss": trial.validation_loss,
        "updates": None if trial.updates is None else float(trial.updates),
    }
    if record.metric.is_default:
        found[f"validation_{record.metric.name}"] = trial.score
    return found


def _choice(record: StudyRecord) -> dict[str, float | None]:
    score = None if record.selected is None else record.selected.score
    if score is None:
        return {}
    return {"selected_score": score.mean, "selected_score_se": score.se}


def _test(record: StudyRecord) -> dict[str, float | None]:
    final = record.final
    if final is None:
        return {}
    low, high = final.interval95
    return {
        "test_score": final.mean,
        "test_score_sd": final.sd,
        "test_score_low95": low,
        "test_score_high95": high,
        "test_score_ensemble": final.ensemble,
    }


def _finite(values: Mapping[str, float | None]) -> dict[str, float]:
    return {
        name: float(one) for name, one in values.items() if one is not None and math.isfinite(one)
    }
