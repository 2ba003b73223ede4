"""Planned trials as records, each from our row of it, Optuna's trial and its packed curve.

Enters: what the tables hold. Leaves: records in the order (candidate, replicate). Refuses a result
that is not as it was completed, and leaves out what nobody planned.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from optuna.trial import FrozenTrial

from lamsearch.metrics import METRICS
from lamsearch.results import TrialRecord, TrialState
from lamsearch.space import Space
from lamsearch.storage.curve_blobs import unpack
from lamsearch.storage.digests import check_record, snapshots_of
from lamsearch.storage.documents import TRAIN_SCORE
from lamsearch.storage.optuna_bridge import trial_id
from lamsearch.storage.planned import PlannedTrial

T = TypeVar("T")
_log = logging.getLogger(__name__)


def trial_records(
    planned: Iterable[PlannedTrial],
    trials: Iterable[FrozenTrial],
    blobs: Mapping[tuple[int, int], bytes],
    examples: int | None = None,
    *,
    space: Space,
) -> tuple[TrialRecord, ...]:
    """Return the records of planned trials, with curves by (candidate, replicate) where given.

    ``space`` is what the study searches; ``examples`` is how many validation examples the stage
    has, if known.
    Trials that nobody planned are left out, and so are planned ones whose results are gone.
    """
    known = {trial_id(trial): trial for trial in trials}
    records = []
    for one in planned:
        trial = known.get(one.trial)
        if not one.done:
            records.append(_unfinished(one))
        elif trial is not None and one.is_that(trial):
            curve = _unpacked(blobs.get((one.candidate, one.replicate)), examples)
            record = _finished(one, trial, curve)
            check_record(record, one.stage, trial, space)
            records.append(record)
    return tuple(sorted(records, key=lambda one: (one.candidate, one.replicate)))


def _unfinished(planned: PlannedTrial) -> TrialRecord:
    """A trial without results: what Optuna's has by now may be another program's."""
    return TrialRecord(
        candidate=planned.candidate,
        replicate=planned.replicate,
        cohort=planned.cohort,
        point=planned.point,
        state=TrialState.RUNNING if planned.begun else TrialState.WAITING,
    )


def _finished(planned: PlannedTrial, trial: FrozenTrial, curve: Mapping[str, Any]) -> TrialRecord:
    attributes, state = trial.user_attrs, TrialState(trial.state.name)
    complete = state is TrialState.COMPLETE
    done = complete or state is TrialState.PRUNED
    return TrialRecord(
        candidate=planned.candidate,
        replicate=planned.replicate,
        cohort=planned.cohort,
        point=planned.point,
        state=state,
        reason=None if complete else typed(str, attributes.get("reason")),
        updates=None if complete else typed(int, attributes.get("updates")),
        score=trial.values[0] if done and trial.values else None,
        score_error=typed(float, attributes.get("score_error")) if done else None,
        validation_loss=typed(float, attributes.get("validation_loss")) if done else None,
        train_score=_train_score(attributes) if done else None,
        environment=typed(int, attributes.get("environment")),
        snapshot_sha256=snapshots_of(trial) if complete else {},
        **curve,
    )


def typed(kind: type[T], value: object) -> T | None:
    """Return an attribute of that type; other programs may have set it to anything."""
    return value if isinstance(value, kind) else None


def _train_score(attributes: Mapping[str, object]) -> float | None:
    """A trial's score on training examples, which is under the name of the study's metric."""
    for names in (METRICS.builtin, METRICS.names):  # other packages' are looked for when wanted
        for name in names:
            if (found := typed(float, attributes.get(TRAIN_SCORE.format(name)))) is not None:
                return found
    return None


def _unpacked(blob: bytes | None, examples: int | None) -> dict[str, Any]:
    """A trial's curve and scores per example, or that they are damaged."""
    if blob is None:
        return {}
    try:
        curve, scores = unpack(blob)
    except ValueError as error:
        _log.debug("a curve in the database is damaged: %s", error)
        return {"damaged": True}
    if scores is not None and examples is not None and len(scores) != examples:
        return {"curve": curve, "damaged": True}  # nothing can be paired with another split's
    return {"curve": curve, "scores": scores}
