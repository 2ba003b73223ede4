"""How many statements a stage takes: on a network that loses packets each is waited for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from optuna.study import StudyDirection
from optuna.trial import TrialState
from storage_stub import Window, claimed, counted, finish, planned, work

from lamsearch.search import TrialPlan
from lamsearch.space import SPACE
from lamsearch.storage import Database, Leases, optuna_rows
from lamsearch.storage.optuna_templates import template
from lamsearch.study import Study

Build = Callable[..., Study]
# A stage transition takes its turn in three statements, reads every stage that is done in nine,
# and plans in 25.
TRANSITION = 49
CLAIM, COMPLETE = 12, 13


def test_a_stage_takes_as_many_statements_however_many_trials_it_has(
    database: Database, small_study: Build
) -> None:
    """Planning a stage of 120 trials, passing to the next, claiming a cohort and completing it take
    as many statements as for few trials, and few."""
    found: dict[int, list[int]] = {}
    with database.read() as transaction:
        transaction.server_started()  # asked once for each connection
    for trials in (4, 120):
        study = small_study(  # of two cohorts in each stage
            name=f"of-{trials}", cohort=trials, coarse={"trials": trials}, fine={"trials": trials}
        )
        with counted() as creating:
            planned(database, study)
        leases = Leases(database, study.name, owner="worker", seconds=60.0)
        with counted() as claiming:
            claim = claimed(leases)
        with counted() as completing:
            finish(leases, claim)
        finish(leases, claimed(leases))
        with counted() as passing:
            next_claim = claimed(leases)
        assert (next_claim.stage, len(next_claim.trials)) == ("fine", trials // 2)
        found[trials] = [len(one) for one in (creating, claiming, completing, passing)]
    assert found[4] == found[120]
    creating, claiming, completing, passing = found[120]
    assert claiming <= CLAIM
    assert completing <= COMPLETE
    assert max(creating, passing) <= TRANSITION + CLAIM


@pytest.mark.parametrize("returning", [True, False], ids=["many rows", "row by row"])
def test_rows_are_those_that_optuna_writes_itself(
    database: Database, window: Window, monkeypatch: pytest.MonkeyPatch, *, returning: bool
) -> None:
    """Trials planned, started, reported and ended many at a time leave the rows that Optuna's own
    storage leaves trial by trial, but for ids and times; also where a database can return none."""
    monkeypatch.setattr(database.engine.dialect, "insert_executemany_returning", returning)
    values = [-4.25, -1.0, None, -3.3]
    templates = [
        template(
            TrialPlan(candidate=k, replicate=k % 2, point=None if value is None else (value,)),
            k // 2,
            ((-5.0, -1.0),),
            SPACE,
        )
        for k, value in enumerate(values)
    ]
    results = [(TrialState.COMPLETE, 0.75), (TrialState.PRUNED, 0.5), (TrialState.FAIL, None),
               (TrialState.COMPLETE, float("inf"))]  # fmt: skip
    steps = [(1, 0.25), (2, float("nan")), (1, 0.5)]  # the last a second time
    attributes = {"reason": "λ", "updates": 7, "odd": [None, 0.1]}
    with database.write() as transaction:
        ours, theirs = (
            transaction.optuna.create_new_study([StudyDirection.MAXIMIZE], name)
            for name in ("ours", "theirs")
        )
        transaction.optuna.create_new_trial(ours)  # one of somebody else's, before ours
        transaction.optuna.create_new_trial(theirs)
        ids = optuna_rows.insert_waiting(transaction, ours, templates)
        assert ids == sorted(ids)
        optuna_rows.start(transaction, ids)
        for step, value in steps:
            optuna_rows.set_intermediate_values(transaction, [(one, step, value) for one in ids])
        optuna_rows.set_attributes(transaction, [(one, {"updates": 1}) for one in ids])
        optuna_rows.set_attributes(transaction, [(one, attributes) for one in ids])
        optuna_rows.end(transaction, [(i, *result) for i, result in zip(ids, results, strict=True)])
        other = [transaction.optuna.create_new_trial(theirs, one) for one in templates]
        for one, (state, score) in zip(other, results, strict=True):
            transaction.optuna.set_trial_state_values(one, TrialState.RUNNING)
            for step, value in steps:
                transaction.optuna.set_trial_intermediate_value(one, step, value)
            for key, attribute in {"updates": 1, **attributes}.items():
                transaction.optuna.set_trial_user_attr(one, key, attribute)
            transaction.optuna.set_trial_state_values(
                one, state, None if score is None else [score]
            )

    def rows(study: int, table: str, columns: str) -> list[tuple[Any, ...]]:
        joined = f"trials t LEFT JOIN {table} x ON x.trial_id = t.trial_id"
        where = f"WHERE t.study_id = {study} ORDER BY 1, 2, 3"
        return window.rows(f"SELECT t.number, {columns} FROM {joined} {where}")  # noqa: S608 - ours

    for table, columns in (
        ("trials", "x.state, x.datetime_start IS NULL, x.datetime_complete IS NULL"),
        ("trial_params", "x.param_name, x.param_value, x.distribution_json"),
        ("trial_user_attributes", "x.key, x.value_json"),
        ("trial_values", "x.objective, x.value, x.value_type"),
        ("trial_intermediate_values", "x.step, x.intermediate_value, x.intermediate_value_type"),
    ):
        assert rows(ours, table, columns) == rows(theirs, table, columns)
    with database.read() as transaction:
        found, expected = (transaction.optuna.get_all_trials(one) for one in (ours, theirs))
    assert [one.params for one in found] == [one.params for one in expected]
    for one, two in zip(found[1:], expected[1:], strict=True):
        assert one.datetime_complete is not None
        assert two.datetime_complete is not None
        assert abs((one.datetime_complete - two.datetime_complete).total_seconds()) < 60.0


def test_a_trial_that_is_not_waiting_is_not_started_anew(
    database: Database, window: Window, small_study: Build
) -> None:
    """Starting a trial that runs already leaves the time at which it began."""
    planned(database, small_study())
    work(Leases(database, "small", owner="worker", seconds=60.0), until="fine")
    query = "SELECT trial_id, state, datetime_start FROM trials ORDER BY trial_id"
    before = window.rows(query)
    with database.write() as transaction:
        optuna_rows.start(transaction, [row[0] for row in before if row[1] != "WAITING"])
    assert window.rows(query) == before
