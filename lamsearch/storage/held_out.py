"""The test set's opening, and what it said, as they are committed.

Enters: a transaction that has found the claim's token unchanged. Leaves: the record of the opening,
of which a study has one. Refuses to open anything before λ is chosen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime

import sqlalchemy as sa

from lamsearch.errors import StudyStateError
from lamsearch.results import FinalScore, TestOpening
from lamsearch.storage.digests import rewrite_snapshots, with_final
from lamsearch.storage.documents import final_document
from lamsearch.storage.engine import Transaction
from lamsearch.storage.planned import planned_trials
from lamsearch.storage.study_rows import planned_study_row
from lamsearch.storage.tables import curves, studies


def open_test(
    transaction: Transaction, study: str, purpose: str, *, owner: str, tests: bool
) -> TestOpening:
    """Record that the test set is opened, and return that record, or the one that there is.

    Raises:
        StudyStateError: No λ is chosen, or the claim neither ``tests`` nor has test curves.
    """
    row = planned_study_row(transaction, study, lock=True)
    if row["openings"]:
        return TestOpening(**row["openings"][0])
    curves_wanted = row["document"].get("final", {}).get("test_curves", False)
    if row["selected"] is None or not (tests or curves_wanted):
        raise StudyStateError("test: no winner is trained, so the test set stays held out")
    opening = TestOpening(
        study=study,
        study_id=row["id"],
        purpose=purpose,
        at=datetime.fromtimestamp(transaction.now(), UTC).isoformat(timespec="seconds"),
        owner=owner,
    )
    _update(transaction, study, openings=[asdict(opening)])
    return opening


def write_final(
    transaction: Transaction,
    study: str,
    final: FinalScore,
    models: Mapping[int, str],
    snapshots: Mapping[int, Mapping[int, str]],
) -> None:
    """Write the test score, and the digests of the models that were evaluated.

    Those of the ends of training are by replicate, those of ``snapshots`` by cycle in it.
    """
    row, written = planned_study_row(transaction, study), final_document(final)
    _update(transaction, study, final=written, selected=with_final(row, written))
    ours = (curves.c.study_id == row["id"], curves.c.stage == "final")
    for replicate, digest in models.items():
        update = sa.update(curves).where(*ours, curves.c.replicate == replicate)
        transaction.execute(update.values(model_sha256=digest))
    for planned in planned_trials(transaction.connection, study, "final"):
        if files := snapshots.get(planned.replicate):
            rewrite_snapshots(transaction, planned.trial, files)


def _update(transaction: Transaction, study: str, **values: object) -> None:
    transaction.execute(sa.update(studies).where(studies.c.name == study).values(**values))
