"""Means of candidates: of one study the same as of many, whatever its plan's ids are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from optuna.trial import TrialState
from storage_stub import Window, claimed, failed, finish, outcomes, planned

from lamsearch.space import LAMBDA
from lamsearch.storage import Database, Leases, candidate_means
from lamsearch.study import Study

Build = Callable[..., Study]
Means = list[tuple[float, float]]
COARSE: dict[str, Any] = {
    "cohort": 2, "coarse": {"trials": 12}, "fine": None, "finalists": None,
}  # fmt: skip


def means(database: Database, number: int, *, apart: bool) -> tuple[Means, Means]:
    """The means of the study `small`, asked for as one of many and alone."""
    with database.read() as transaction:
        kind = transaction.connection.dialect.name
        found = (
            candidate_means.candidate_means(["small"], kind, LAMBDA.name, apart=apart),
            candidate_means.means_of_stages(
                transaction, "small", [number], LAMBDA.name, apart=apart
            ),
        )
        many, alone = (
            sorted((row.x, row.y) for row in transaction.execute(sa.select(one.c.x, one.c.y)))
            for one in found
        )
    return many, alone


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("most", [0, 100])
def test_a_study_alone_has_the_means_that_it_has_among_many(
    database: Database, window: Window, small_study: Build, monkeypatch: pytest.MonkeyPatch,
    apart: bool, most: int,
) -> None:  # fmt: skip
    """They are of the complete trials of cohorts that are done, asked for by ranges or by a list:
    not of one that failed, of one that another program ended, nor of what it added."""
    monkeypatch.setattr(candidate_means, "_MOST_RANGES", most)
    planned(database, small_study(**COARSE))
    leases = Leases(database, "small", owner="w", seconds=600.0)
    expected: Means = []
    held = claimed(leases)  # a hole in the ids
    for lost in (0, 1, 0):
        claim = claimed(leases)
        results = outcomes(claim)
        finish(leases, claim, [*[failed()] * lost, *results[lost:]])
        kept = zip(claim.trials[lost:], results[lost:], strict=True)
        expected += [(one.point[0], float(result.score or 0.0)) for one, result in kept]
    (number,) = window.column("optuna_study", "lamsearch_stage")
    foreign = window.storage()
    ended = foreign.get_all_trials(number)[held.trials[0].candidate]
    foreign.set_trial_state_values(ended._trial_id, TrialState.COMPLETE, [0.99])
    added = foreign.create_new_trial(number, foreign.get_all_trials(number)[ended.number])
    assert foreign.get_trial(added).value == 0.99
    many, alone = means(database, number, apart=apart)
    assert alone == many == sorted(expected)


def test_ids_are_found_in_the_text_of_plans_and_are_ranges_where_they_are_in_a_row() -> None:
    """Coordinates are no ids, whole ones neither; what is no list of entries has none."""
    found = candidate_means._ids(
        ["[[7, 0, [-1.5, 2.0]], [8, 1, null]]", "[[12,3,[4, 5, 6]]]", "[]", '{"a": [[1, 2, []]]}']
    )
    assert found == [7, 8, 12]
    assert candidate_means._ranges(found) == [(7, 8), (12, 12)]
