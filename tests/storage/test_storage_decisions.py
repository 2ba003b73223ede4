"""What a search decides is stored as it is decided, and used; an earlier version stored nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from storage_stub import Window, claimed, failed, finish, outcomes, planned, work

from lamsearch import report
from lamsearch.errors import StorageError
from lamsearch.results import Counts, Decision, DecisionKind
from lamsearch.storage import Database, Leases, read_study, schema
from lamsearch.study import Study

Open = Callable[[str], Database]
Build = Callable[..., Study]
Prepared = Callable[[str, Callable[[str], None]], str]
STORAGES = Path(__file__).parent / "storages"
# Written by the third version: `whole` is done, its first trial failed; of `half`, coarse and the
# first batch of fine are done, and its extension was claimed by a worker that died.
FURTHER: dict[str, Any] = {
    "cohort": 2,
    "coarse": {"trials": 3, "log10_lambda": [-5.0, 2.0]},
    "fine": {"trials": 2, "keep": 2, "rounds": 2, "extend": True},
    "finalists": {"keep": 2, "replicates": 2, "rounds": 2, "extend": True, "rule": "model"},
}
KIND = DecisionKind


def worker(database: Database, name: str = "small") -> Leases:
    """A worker's leases."""
    return Leases(database, name, owner="b", seconds=20.0)


def answer(database: Database, name: str = "small") -> list[Any]:
    """Return the results table of a study."""
    document = report.document(read_study(database, name))
    return [document[key] for key in ("stages", "selected", "final")]


def kinds(decisions: tuple[Decision, ...]) -> list[DecisionKind]:
    """Return why each batch was added."""
    return [one.kind for one in decisions]


@pytest.fixture(params=["sqlite", "postgresql"])
def third_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A storage of either kind as the third version has left it."""
    if request.param == "sqlite":
        old = sqlite3.connect(tmp_path / "version-3.db")
        old.executescript((STORAGES / "version-3.sql").read_text(encoding="utf-8"))
        old.close()
        return f"sqlite:///{tmp_path / 'version-3.db'}"
    url = str(request.getfixturevalue("postgres_url"))
    dump = (STORAGES / "version-3-postgresql.sql").read_text(encoding="utf-8")
    with Window(url).engine.begin() as connection:
        connection.execution_options(no_parameters=True).exec_driver_sql(dump)
    return url


def test_every_batch_and_the_choice_are_stored_with_what_they_rest_on(
    database: Database, small_study: Build
) -> None:
    """Each batch has its kind, its candidates, which follow each other, its interval, and how
    many trials had ended when it was decided; the choice has the counts of all stages before."""
    planned(database, small_study(**FURTHER))
    leases = worker(database)
    claim = claimed(leases)
    finish(leases, claim, [failed(), *outcomes(claim)[1:]])
    work(leases)
    record = read_study(database, "small")
    coarse, fine, finalists, final = (
        record.stages[name].decisions for name in ("coarse", "fine", "finalists", "final")
    )
    first = Decision(kind=KIND.FIRST, candidates=(0, 3), bounds=((-5.0, 2.0),))
    assert coarse == (first,)
    assert kinds(fine) == [KIND.FIRST, KIND.EXTENSION, KIND.ROUND]
    assert [one.candidates for one in fine] == [(0, 2), (2, 3), (3, 5)]
    before = Counts(complete=2, pruned=0, failed=1)
    assert [dict(one.inputs) for one in fine] == [
        {"coarse": before},
        {"coarse": before, "fine": Counts(complete=2, pruned=0, failed=0)},
        {"coarse": before, "fine": Counts(complete=3, pruned=0, failed=0)},
    ]
    ends = [end for one in fine if one.bounds for end in one.bounds[0]]
    assert record.stages["fine"].bounds[0] == (min(ends), max(ends))
    assert fine[1].bounds is not None
    assert fine[0].bounds is not None
    assert fine[1].bounds[0][0] == fine[0].bounds[0][1]
    assert kinds(finalists) == [KIND.FIRST, KIND.EXTENSION, KIND.FURTHER_FINALISTS]
    assert [one.candidates for one in finalists] == [(0, 2), (2, 3), (3, 5)]
    assert finalists[0].bounds is None
    assert [one.candidates for one in final] == [(0, 1)]
    assert record.selected is not None
    assert dict(record.selected.inputs) == {
        "coarse": before,
        "fine": Counts(complete=5, pruned=0, failed=0),
        "finalists": Counts(complete=10, pruned=0, failed=0),
    }


def test_what_was_decided_counts_and_not_what_would_be_decided_again(
    database: Database, window: Window, small_study: Build
) -> None:
    """A further round is narrowed from the interval that is stored for the round before it."""
    keys = {"trials": 4, "keep": 2, "rounds": 2}
    planned(database, small_study(fine=keys, finalists=None))
    leases = worker(database)
    work(leases, until="fine")
    window.execute(
        "UPDATE lamsearch_stage SET decisions = :value WHERE name = 'fine'",
        value='[{"kind": "first", "candidates": [0, 4], "interval": [-3.01, -2.99], "inputs": {}}]',
    )
    work(leases)
    second = read_study(database, "small").stages["fine"].decisions[1]
    assert second.kind is KIND.ROUND
    assert second.bounds is not None
    assert -3.01 <= second.bounds[0][0] < second.bounds[0][1] <= -2.99


def test_a_study_without_decisions_ends_with_the_same_answer(
    database: Database, window: Window, small_study: Build
) -> None:
    """Where an earlier version stored no decision, or stored none for a part of the candidates,
    they are derived from the trials, to the same bits."""
    planned(database, small_study(**FURTHER))
    work(worker(database))
    for name, change in {"none": "NULL", "some": "'[]'"}.items():
        planned(database, small_study(name=name, **FURTHER))
        leases = worker(database, name)
        for stage in ("fine", "finalists"):
            work(leases, until=stage)
            window.execute(
                f"UPDATE lamsearch_stage SET decisions = {change} "  # noqa: S608 - a constant
                f"WHERE study = '{name}' AND name = '{stage}'"
            )
        work(leases)
        assert answer(database, name) == answer(database)
    assert read_study(database, "none").stages["fine"].decisions == ()
    assert len(read_study(database, "some").stages["fine"].decisions) == 2


@pytest.mark.usefixtures("long_up")
def test_a_study_that_the_third_version_began_goes_on(
    third_url: str, open_database: Open, small_study: Build
) -> None:
    """What the third version left is upgraded and readable; its study that was interrupted goes
    on without the decisions that it did not store, and ends as one that is run anew."""
    database = open_database(third_url)
    assert database.upgraded == (f"storage: upgraded from schema version 3 to {schema.VERSION}")
    whole = read_study(database, "whole")
    assert whole.finished
    assert whole.selected is not None
    assert dict(whole.selected.inputs) == {}
    assert all(stage.decisions == () for stage in whole.stages.values())
    work(worker(database, "half"))
    planned(database, small_study(name="anew", **FURTHER))
    work(worker(database, "anew"))
    assert answer(database, "half") == answer(database, "anew")
    half = read_study(database, "half")
    assert [len(half.stages[name].decisions) for name in ("coarse", "fine", "finalists")] == [
        0, 0, 3,
    ]  # fmt: skip
    assert open_database(third_url).upgraded is None


@pytest.mark.parametrize(
    "value",
    ["[1]", '[{"kind": "first"}]', '"x"',
     '[{"kind": "other", "candidates": [0, 3], "interval": null, "inputs": {}}]',
     '[{"kind": "first", "candidates": [0], "interval": null, "inputs": {}}]',
     '[{"kind": "first", "candidates": [0, "a"], "interval": null, "inputs": {}}]',
     '[{"kind": "first", "candidates": [0, 3], "interval": null, "inputs": {"coarse": 1}}]'],
)  # fmt: skip
def test_damaged_decisions_are_one_sentence(
    value: str, prepared: Prepared, open_database: Callable[[str], Database], small_study: Build
) -> None:
    """What lamsearch did not write where decisions are stored is said, and nothing goes on."""

    def make(url: str) -> None:
        planned(made := open_database(url), small_study(**FURTHER))
        work(worker(made), until="fine")
        made.close()

    url = prepared("until fine", make)
    database, window = open_database(url), Window(url)
    leases = worker(database)
    window.execute("UPDATE lamsearch_stage SET decisions = :value", value=value)
    with pytest.raises(StorageError, match="did not write"):
        read_study(database, "small")
    with pytest.raises(StorageError, match="did not write"):
        work(leases)


def test_decisions_that_change_after_the_choice_are_said(
    database: Database, window: Window, small_study: Build
) -> None:
    """Once λ is chosen, a decision that is not as it was stored is one sentence."""
    planned(database, small_study())
    work(worker(database))
    with window.engine.begin() as connection:
        query = sa.text("SELECT decisions FROM lamsearch_stage WHERE name = 'fine'")
        written = str(connection.scalar(query)).replace("'", '"').replace("[0, 4]", "[0, 3]")
        update = "UPDATE lamsearch_stage SET decisions = :value WHERE name = 'fine'"
        connection.execute(sa.text(update), {"value": written})
    with pytest.raises(StorageError, match="the decisions of fine of study 'small' must be as"):
        read_study(database, "small")
