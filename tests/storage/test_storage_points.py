"""Points of any number of dimensions are planned, leased and read; earlier ones are converted."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from optuna.distributions import FloatDistribution
from storage_stub import BEAT, Window, claimed, finish, planned, work

from lamsearch import report, space
from lamsearch.errors import StorageError
from lamsearch.space import LAMBDA, Dimension, Scale, Space
from lamsearch.storage import Database, Leases, read_status, read_study, schema
from lamsearch.study import Coarse, Study

Open = Callable[[str], Database]
Build = Callable[..., Study]
STORAGES = Path(__file__).parent / "storages"
RATE = Dimension(name="log10_eta_max", symbol="η_max", about="a rate", scale=Scale.LOG10)
BOUNDS = ((-5.0, -1.0), (-3.0, 0.5))
# What the fourth version's studies were: several batches in each stage.
FURTHER: dict[str, Any] = {
    "cohort": 2,
    "coarse": {"trials": 3, "log10_lambda": [-5.0, 2.0]},
    "fine": {"trials": 2, "keep": 2, "rounds": 2, "extend": True},
    "finalists": {"keep": 2, "replicates": 2, "rounds": 2, "extend": True, "rule": "model"},
}
COARSE: dict[str, Any] = {
    "cohort": 2, "coarse": {"trials": 4}, "fine": None, "finalists": None,
}  # fmt: skip


@pytest.fixture
def plane(monkeypatch: pytest.MonkeyPatch) -> Space:
    """A space of two dimensions, which every study searches."""
    found = Space(dimensions=(LAMBDA, RATE))
    monkeypatch.setattr(space, "SPACE", found)
    monkeypatch.setattr(Coarse, "bounds", property(lambda _: BOUNDS))
    return found


def worker(database: Database, owner: str = "w") -> Leases:
    """A worker's leases."""
    return Leases(database, "small", owner=owner, seconds=600.0)


def within(point: tuple[float, ...]) -> bool:
    """Whether a point is of the plane, within its bounds."""
    return all(low <= x <= high for x, (low, high) in zip(point, BOUNDS, strict=True))


def coarse_of(leases: Leases, count: int = 2) -> list[tuple[float, ...]]:
    """Complete the cohorts of coarse; return their points."""
    points: list[tuple[float, ...]] = []
    for _ in range(count):
        claim = claimed(leases)
        assert claim.stage == "coarse"
        points += [one.point for one in claim.trials]
        finish(leases, claim)
    return points


def test_a_study_of_two_dimensions_is_planned_worked_on_and_read(
    database: Database, window: Window, small_study: Build, plane: Space
) -> None:
    """Points of two dimensions are drawn within both bounds, stand in Optuna's parameters and
    attributes by name, and are read as they were leased; the choice is one of them."""
    planned(database, study := small_study(**COARSE))
    assert study.space is plane
    (stored,) = window.json("bounds", "lamsearch_stage")
    assert stored == [list(interval) for interval in BOUNDS]
    leases = worker(database)
    points = coarse_of(leases)
    assert all(map(within, points))
    assert len({x for point in points for x in point}) == 8
    record = read_study(database, "small")
    coarse = record.stages["coarse"]
    assert coarse.bounds == BOUNDS
    assert [one.point for one in coarse.trials] == points
    assert coarse.decisions[0].bounds == BOUNDS
    for trial, point in zip(window.trials()["small/coarse"], points, strict=True):
        assert trial.params == {"log10_lambda": point[0], "log10_eta_max": point[1]}
        assert trial.distributions == {
            name: FloatDistribution(*interval)
            for name, interval in zip(trial.params, BOUNDS, strict=True)
        }
        attributes = trial.user_attrs
        assert (attributes["lambda"], attributes["eta_max"]) == tuple(10.0**x for x in point)
    assert max(filter(None, window.json("best_point"))) == list(BEAT.best_at or ())
    status = read_status(database, "small")
    assert [one.at for one in status.points if one.stage == "coarse"] != []
    work(leases)
    done = read_study(database, "small")
    assert done.finished
    assert done.selected is not None
    assert done.selected.point in points
    assert leases.chosen() == done.selected.point
    assert [one.point for one in done.stages["final"].trials] == [done.selected.point] * 2
    assert done.space is plane


@pytest.mark.usefixtures("plane")
def test_a_sampler_chooses_every_dimension(
    database: Database, window: Window, small_study: Build
) -> None:
    """An adaptive sampler suggests each dimension within its bounds when the trial is claimed, and
    the same points for whoever claims it in the same order."""
    changes = {**COARSE, "coarse": {"trials": 4, "sampler": "tpe"}}
    planned(database, small_study(**changes))
    assert [entry[2] for row in window.json("trials") for entry in row] == [None] * 4
    points = coarse_of(worker(database))
    assert all(map(within, points))
    trials = window.trials()["small/coarse"]
    assert [tuple(trial.params.values()) for trial in trials] == points
    assert [trial.user_attrs["bounds"] for trial in trials] == [list(map(list, BOUNDS))] * 4
    assert [trial.user_attrs["eta_max"] for trial in trials] == [10.0**y for _, y in points]
    assert [one.point for one in read_study(database, "small").stages["coarse"].trials] == points


@pytest.mark.usefixtures("plane")
@pytest.mark.parametrize("sampler", ["stratified", "tpe"])
def test_a_trial_that_is_gone_is_planned_anew_at_its_point(
    sampler: str, database: Database, window: Window, small_study: Build
) -> None:
    """A trial that another program has ended is planned anew, with its point or its bounds."""
    changes = {**COARSE, "coarse": {"trials": 4, "sampler": sampler}}
    planned(database, small_study(**changes))
    (first, *_) = [entry for row in window.json("trials") for entry in row]
    window.execute("UPDATE trials SET state = 'FAIL' WHERE trial_id = :trial", trial=first[0])
    claim = claimed(worker(database))
    assert len(claim.replanned) == 1
    assert claim.trials[0].trial != first[0]
    assert first[2] in (None, list(claim.trials[0].point))
    assert within(claim.trials[0].point)


@pytest.mark.usefixtures("plane")
@pytest.mark.parametrize(
    "change",
    ["UPDATE trial_params SET param_value = param_value - 1e-9 "
     "WHERE trial_id = 1 AND param_name = 'log10_eta_max'",
     "trials", "bounds"],
)  # fmt: skip
def test_any_coordinate_that_has_changed_is_noticed(
    change: str, database: Database, window: Window, small_study: Build
) -> None:
    """A study whose second coordinate, or second interval, is not as it was written has no
    report, but a sentence."""
    planned(database, small_study(**COARSE))
    work(worker(database))
    assert read_study(database, "small").finished
    if change == "trials":
        (row,) = window.json("trials", where="stage = 'coarse' AND number = 0")
        row[0][2][1] += 1e-9
        _write(window, "lamsearch_cohort", "trials", row, "stage = 'coarse' AND number = 0")
    elif change == "bounds":
        moved = [[-5.0, -1.0], [-3.0, 0.6]]
        _write(window, "lamsearch_stage", "bounds", moved, "name = 'coarse'")
    else:
        window.execute(change)
    with pytest.raises(StorageError, match=r"as (it was completed|written), and is not"):
        read_study(database, "small")


@pytest.mark.usefixtures("plane")
@pytest.mark.parametrize("value", [[-3.0], [-3.0, 1.0, 2.0], [-3.0, 1e300], [-3.0, "a"], []])
def test_a_point_of_another_space_is_refused(
    value: list[Any], database: Database, window: Window, small_study: Build
) -> None:
    """A worker ends with a sentence at a point that has not a number for each dimension."""
    planned(database, small_study(**COARSE))
    (row,) = window.json("trials", where="number = 0")
    row[0][2] = value
    _write(window, "lamsearch_cohort", "trials", row, "number = 0")
    with pytest.raises(StorageError, match="did not write"):
        worker(database).claim()


@pytest.mark.parametrize(
    "value", ["[]", "[1, 2]", "[[1]]", "[[1, 2, 3]]", '[["a", 2]]', "{}", '"x"', "7", "[[1, true]]"]
)
def test_damaged_bounds_are_one_sentence(
    value: str, database: Database, window: Window, small_study: Build
) -> None:
    """Bounds that lamsearch did not write are said by who reads them, and by who works."""
    planned(database, small_study())
    _write(window, "lamsearch_stage", "bounds", json.loads(value), "name = 'coarse'")
    with pytest.raises(StorageError, match="did not write"):
        read_study(database, "small")
    with pytest.raises(StorageError, match="did not write"):
        worker(database).claim()


def _write(window: Window, table: str, column: str, value: object, where: str) -> None:
    kind = "JSON" if window.engine.dialect.name == "postgresql" else "TEXT"
    window.execute(
        f"UPDATE {table} SET {column} = CAST(:value AS {kind}) WHERE {where}",  # noqa: S608 - constants
        value=json.dumps(value),
    )


@pytest.fixture(params=["sqlite", "postgresql"])
def fourth_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A storage of either kind as the fourth version has left it: `whole` is done, its first trial
    failed; of `half`, coarse and a cohort of fine are done, and another was claimed by a worker
    that died."""
    if request.param == "sqlite":
        old = sqlite3.connect(tmp_path / "version-4.db")
        old.executescript((STORAGES / "version-4.sql").read_text(encoding="utf-8"))
        old.close()
        return f"sqlite:///{tmp_path / 'version-4.db'}"
    url = str(request.getfixturevalue("postgres_url"))
    dump = (STORAGES / "version-4-postgresql.sql").read_text(encoding="utf-8")
    with Window(url).engine.begin() as connection:
        connection.execution_options(no_parameters=True).exec_driver_sql(dump)
    return url


@pytest.mark.usefixtures("long_up")
def test_what_the_fourth_version_wrote_is_converted_to_the_bit(
    fourth_url: str, open_database: Open
) -> None:
    """Every coordinate, interval and best coordinate is the same number as before, as a point and
    as bounds; what was digested then is accepted now."""
    window = Window(fourth_url)
    slots, bests = window.json("slots"), window.json("best_at")
    lows, highs = (window.json(end, "lamsearch_stage") for end in ("low", "high"))
    database = open_database(fourth_url)
    assert database.upgraded == f"storage: upgraded from schema version 4 to {schema.VERSION}"
    trials = window.json("trials")
    assert trials == [[[t, c, [x]] for t, c, x in row] for row in slots]
    assert sum(map(len, trials)) > 20
    assert window.json("best_point") == [None if x is None else [x] for x in bests]
    assert window.json("bounds", "lamsearch_stage") == [
        None if low is None else [[low, high]] for low, high in zip(lows, highs, strict=True)
    ]
    assert None in lows
    whole = read_study(database, "whole")
    assert whole.finished
    assert whole.selected is not None
    counts = {name: len(stage.decisions) for name, stage in whole.stages.items()}
    assert counts == {"coarse": 1, "fine": 3, "finalists": 3, "final": 1}


@pytest.mark.usefixtures("long_up")
def test_a_study_that_the_fourth_version_began_goes_on(
    fourth_url: str, open_database: Open, small_study: Build
) -> None:
    """A study that was interrupted under the fourth version ends, reclaimed, with the answer that
    it has when it is run anew."""
    database = open_database(fourth_url)
    work(Leases(database, "half", owner="w", seconds=600.0))
    planned(database, small_study(name="anew", **FURTHER))
    work(Leases(database, "anew", owner="w", seconds=600.0))
    ours, theirs = (report.document(read_study(database, name)) for name in ("half", "anew"))
    assert [ours[key] for key in ("stages", "selected", "final")] == [
        theirs[key] for key in ("stages", "selected", "final")
    ]
