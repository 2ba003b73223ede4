"""Digests of results: what was completed is what is read, or it is said that it is not.

Enters: a trial's result as it is completed, a study's choice and its final score. Leaves: SHA-256
digests to be stored beside them, and a refusal where what is read has another. A changed bit is
noticed, whoever changed it without knowing of digests; who can write to the database can write
those too. Results of earlier versions have none, and are taken as they are.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import sqlalchemy as sa
from optuna.trial import FrozenTrial

from lamsearch.errors import StorageError
from lamsearch.metrics import DEFAULT_METRIC
from lamsearch.results import StageName, StageRecord, Trained, TrialRecord, TrialState
from lamsearch.space import Bounds, Point, Space, space_of
from lamsearch.storage.decisions import decision_json
from lamsearch.storage.distributions import parameters
from lamsearch.storage.documents import bounds_from, chosen_entry, point_from
from lamsearch.storage.engine import Transaction
from lamsearch.storage.optuna_bridge import SYSTEM_ATTRIBUTES
from lamsearch.storage.tables import stages, studies

TRIAL_KEY = "lamsearch:sha256"  # of Optuna's system attributes of a trial
SNAPSHOTS_KEY = "lamsearch:snapshots"  # likewise: digests of its snapshots' files, by cycle
STUDY_KEY = "sha256"  # in the JSON of a study's choice
_CYCLE = re.compile(r"[1-9][0-9]{0,8}")
_CHOSEN = ("rule", f"validation_{DEFAULT_METRIC.name}", "warnings")
_FIXED = ("name", "data_fingerprint", "validation_images", "classes", "data_facts")
_RESTORE = "the database is damaged; restore a copy of it"


def digest(*values: object) -> str:
    """Return the SHA-256 of plain JSON values."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def of_result(candidate: int, replicate: int, point: Point | None, trained: Trained) -> str:
    """Return the digest of a planned trial's result as it is completed."""
    incomplete = trained.state is TrialState.COMPLETE and trained.score is None
    failed = trained.state is TrialState.FAIL or incomplete
    record = TrialRecord.of(trained, candidate, replicate, point, cohort=0)
    return of_record(replace(record, state=TrialState.FAIL) if failed else record)


def of_record(record: TrialRecord) -> str:
    """Return the digest of a trial's result as it is read, less what its state leaves out."""
    complete = record.state is TrialState.COMPLETE
    failed = record.state is TrialState.FAIL
    scores: tuple[float | None, ...] = (record.score, record.validation_loss, record.train_score)
    if record.score_error is not None:
        scores = (*scores, record.score_error)
    return digest(
        record.candidate, record.replicate, _of_point(record.point), record.state.value,
        None if complete else record.reason, None if complete else record.updates,
        None if failed else scores,
    )  # fmt: skip


def write_digests(
    transaction: Transaction,
    entries: Sequence[Sequence[Any]],
    replicate: int,
    results: Sequence[Trained],
) -> None:
    """Write the digests of a cohort's results beside Optuna's trials, in one statement."""
    rows = [
        {
            "trial_id": trial, "key": TRIAL_KEY,
            "value_json": json.dumps(of_result(candidate, replicate, point_from(value), result)),
        }
        for (trial, candidate, value), result in zip(entries, results, strict=True)
    ]  # fmt: skip
    for (trial, *_), result in zip(entries, results, strict=True):
        if result.snapshot_sha256:
            rows.append(_snapshot_row(trial, result.snapshot_sha256))
    transaction.connection.execute(sa.insert(SYSTEM_ATTRIBUTES), rows)


def rewrite_snapshots(transaction: Transaction, trial: int, files: Mapping[int, str]) -> None:
    """Write the digests of a trial's snapshots, by cycle, in the place of those before."""
    table = SYSTEM_ATTRIBUTES
    before = (table.c.trial_id == trial, table.c.key == SNAPSHOTS_KEY)
    transaction.execute(sa.delete(table).where(*before))
    transaction.execute(sa.insert(table).values(**_snapshot_row(trial, files)))


def snapshots_of(trial: FrozenTrial) -> dict[int, str]:
    """Return the digests of a trial's snapshots by cycle; none where they are no such thing."""
    found = trial.system_attrs.get(SNAPSHOTS_KEY)
    if not isinstance(found, dict):
        return {}
    return {
        int(cycle): known
        for cycle, known in found.items()
        if _CYCLE.fullmatch(cycle) and isinstance(known, str)
    }


def check_record(record: TrialRecord, stage: str, trial: FrozenTrial, space: Space) -> None:
    """Refuse a trial's result that is not as it was completed; ``trial`` is Optuna's.

    Raises:
        StorageError: It is not.
    """
    known = trial.system_attrs.get(TRIAL_KEY)
    params = {} if record.point is None else parameters(space, record.point)
    moved = any(trial.params.get(name, x) != x for name, x in params.items())
    if known is not None and (known != of_record(record) or moved):
        raise StorageError(
            f"storage: the result of {stage} candidate {record.candidate}, replicate "
            f"{record.replicate}, must be as it was completed, and is not: {_RESTORE}"
        )


def with_choice(transaction: Transaction, name: str, selected: dict[str, Any]) -> dict[str, Any]:
    """Return a choice of λ with the digests of it, and of what it was made from."""
    row = transaction.execute(sa.select(studies).where(studies.c.name == name)).mappings().one()
    query = sa.select(stages.c.name, stages.c.bounds, stages.c.decisions)
    known: dict[str, str] = {}
    for one in transaction.execute(query.where(stages.c.study == name)):
        known[one.name] = _of_bounds(bounds_from(one.bounds))
        if one.decisions is not None:
            known[_decisions_key(one.name)] = digest(one.decisions)
    return {**selected, STUDY_KEY: {**known, "choice": _of_choice(row, selected)}}


def with_final(row: Mapping[Any, Any], final: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a study's choice with the digest of its final score."""
    selected = row["selected"]
    if selected is None or STUDY_KEY not in selected:
        return cast("dict[str, Any] | None", selected)
    known = {**selected[STUDY_KEY], "test": digest(row["openings"], final)}
    return {**selected, STUDY_KEY: known}


def check_study(row: Mapping[Any, Any]) -> None:
    """Refuse a study's row whose settings, choice or final score are not as they were written.

    Raises:
        StorageError: They are not.
    """
    text = json.dumps(row["document"], sort_keys=True, separators=(",", ":"))
    if hashlib.sha256(text.encode()).hexdigest() != row["fingerprint"]:
        raise _damaged(row, "settings")
    known = _known(row)
    if known and known.get("choice") != _of_choice(row, row["selected"]):
        raise _damaged(row, "choice of λ, or what it was made from,")
    final = row["final"]
    if known and final is not None and known.get("test") != digest(row["openings"], final):
        raise _damaged(row, "final score")


def check_intervals(row: Mapping[Any, Any], records: Mapping[StageName, StageRecord]) -> None:
    """Refuse intervals and decisions of stages that are not as they were when λ was chosen.

    Raises:
        StorageError: One is not.
    """
    known = _known(row)
    for name, record in records.items():
        if known.get(name) not in (None, _of_bounds(record.bounds)):
            raise _damaged(row, f"interval of {name}")
        decisions = [decision_json(one) for one in record.decisions]
        if decisions and known.get(_decisions_key(name)) not in (None, digest(decisions)):
            raise _damaged(row, f"decisions of {name}")


def _known(row: Mapping[Any, Any]) -> Mapping[str, Any]:
    known = (row["selected"] or {}).get(STUDY_KEY)
    return known if isinstance(known, dict) else {}


def _snapshot_row(trial: int, files: Mapping[int, str]) -> dict[str, Any]:
    named = {str(cycle): known for cycle, known in files.items()}
    return {"trial_id": trial, "key": SNAPSHOTS_KEY, "value_json": json.dumps(named)}


def _of_choice(row: Mapping[Any, Any], selected: Mapping[str, Any]) -> str:
    chosen = chosen_entry(selected, space_of(row["document"]))
    chosen |= {name: selected.get(name) for name in _CHOSEN}
    if "inputs" in selected:  # an earlier version wrote none
        chosen["inputs"] = selected["inputs"]
    if row["search_ended"] is not None:
        chosen["search_ended"] = row["search_ended"]
    return digest(chosen, *(row[name] for name in _FIXED))


def _of_bounds(bounds: Bounds | None) -> str:
    """The digest of a stage's bounds; of one interval as every version has made it."""
    if bounds is None or len(bounds) == 1:
        return digest(*(bounds[0] if bounds else (None, None)))
    return digest(bounds)


def _of_point(point: Point | None) -> float | Point | None:
    """What a digest is made of for a point; of one coordinate as every version has made it."""
    return point[0] if point is not None and len(point) == 1 else point


def _decisions_key(stage: str) -> str:
    return f"{stage} decisions"


def _damaged(row: Mapping[Any, Any], what: str) -> StorageError:
    return StorageError(
        f"storage: the {what} of study {row['name']!r} must be as written, and is not: {_RESTORE}"
    )
