"""What a cohort came to, as it is written: its trials' states and attributes, values, curves.

Enters: a transaction that has found the claim's token unchanged, and results. Leaves: rows. Refuses
to know leases, and to complete a trial whose score is no number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from optuna.trial import TrialState as OptunaState

from lamsearch.results import StageName, Trained, TrialState
from lamsearch.storage.curve_blobs import pack
from lamsearch.storage.documents import TRAIN_SCORE
from lamsearch.storage.engine import Transaction
from lamsearch.storage.optuna_rows import (
    end,
    insert_rows,
    set_attributes,
    set_intermediate_values,
)
from lamsearch.storage.tables import curves


def end_trials(
    transaction: Transaction,
    ended: Sequence[tuple[int, Trained]],
    metric: str,
    facts: Mapping[str, object],
) -> None:
    """End trials, given as Optuna's id and what came of each, with all that is known of them."""
    set_attributes(transaction, [(trial, _attributes(one, metric, facts)) for trial, one in ended])
    set_intermediate_values(transaction, [
        (trial, cycle, score)
        for trial, one in ended for cycle, score in enumerate(one.cycle_scores, start=1)
    ])  # fmt: skip
    end(transaction, [(trial, *_ending(one)) for trial, one in ended])


def write_curves(
    transaction: Transaction,
    cohort: tuple[str, StageName, int],
    entries: Sequence[Sequence[Any]],
    outcomes: Sequence[Trained],
) -> None:
    """Write the curves of a cohort's trials; ``cohort`` is study's id, stage and replicate."""
    study_id, stage, replicate = cohort
    insert_rows(transaction, curves, [
        {"study_id": study_id, "stage": stage, "candidate": entry[1], "replicate": replicate,
         "arrays": blob, "model_sha256": one.model_sha256}
        for entry, one in zip(entries, outcomes, strict=True)
        if (blob := pack(one)) is not None
    ])  # fmt: skip


def finite(trained: Trained, metric: str) -> Trained:
    """Return the same, or a failure where a score is no number, which Optuna would complete."""
    score = f"validation {metric.replace('_', ' ')}"
    named = {score: trained.score, "validation loss": trained.validation_loss}
    for name, value in named.items():
        if value is not None and not np.isfinite(value):
            reason = f"{name} is {value}"
            return Trained(state=TrialState.FAIL, reason=reason, updates=trained.updates)
    return trained


def _attributes(trained: Trained, metric: str, facts: Mapping[str, object]) -> dict[str, object]:
    attributes: dict[str, object] = {
        f"validation_{metric}": trained.score,
        "score_error": trained.score_error,
        "validation_loss": trained.validation_loss,
        TRAIN_SCORE.format(metric): trained.train_score,
        "reason": trained.reason,
        "updates": trained.updates,
        **facts,
    }
    return {key: value for key, value in attributes.items() if value is not None}


def _ending(trained: Trained) -> tuple[OptunaState, float | None]:
    """A trial that was pruned before its first cycle end has no score; one complete must have."""
    if trained.state is TrialState.COMPLETE and trained.score is None:
        return OptunaState.FAIL, None
    if trained.state is TrialState.FAIL:
        return OptunaState.FAIL, None
    return OptunaState[trained.state.name], trained.score
