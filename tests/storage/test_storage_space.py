"""A study of several parameters in the storage: Optuna's rows, the plan, samplers, damage."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from storage_stub import Window, claimed, finish, planned, work

from lamsearch.errors import LamsearchError, StorageError
from lamsearch.storage import Database, Leases, read_queue, read_status, read_study
from lamsearch.study import Study

Build = Callable[..., Study]
Prepared = Callable[[str, Callable[[str], None]], str]
AXES: dict[str, Any] = {
    "eta_max": {"log": [0.02, 0.3]},
    "dropout": {"uniform": [0.0, 0.5]},
    "batch_size": {"integer": [10, 40]},
    "hidden": {"choice": [[8], [16, 8]]},
}
SPACE: dict[str, Any] = {"cohort": 3, "coarse": {"trials": 8, "space": AXES}, "fine": {"keep": 3}}
NAMES = ["log10_lambda", "batch_size", "dropout", "eta_max", "hidden"]


def worker(database: Database, owner: str = "w") -> Leases:
    """A worker's leases."""
    return Leases(database, "small", owner=owner, seconds=600.0)


def test_optuna_has_values_under_the_distributions_that_its_users_expect(
    database: Database, window: Window, small_study: Build
) -> None:
    """A logarithmic parameter has its value and bounds, a whole number is one, a choice is
    categorical with an array as its JSON text; our own rows have coordinates."""
    planned(database, small_study(**SPACE))
    trials = window.trials()["small/coarse"]
    assert len(trials) == 8
    for trial in trials:
        assert list(trial.params) == NAMES
        assert trial.distributions == {
            "log10_lambda": FloatDistribution(-5.0, -1.0),
            "batch_size": IntDistribution(10, 40),
            "dropout": FloatDistribution(0.0, 0.5),
            "eta_max": FloatDistribution(0.02, 0.3, log=True),
            "hidden": CategoricalDistribution(["[8]", "[16, 8]"]),
        }
        assert trial.user_attrs["lambda"] == 10.0 ** trial.params["log10_lambda"]
        assert "eta_max" not in trial.user_attrs
    points = {entry[0]: entry[2] for row in window.json("trials") for entry in row}
    for trial in trials:
        λ, batch, dropout, rate, hidden = points[trial._trial_id]
        assert trial.params["log10_lambda"] == λ
        assert (trial.params["batch_size"], trial.params["dropout"]) == (batch, dropout)
        assert trial.params["eta_max"] == pytest.approx(10.0**rate, rel=1e-14)
        assert trial.params["hidden"] == ["[8]", "[16, 8]"][int(hidden)]


def test_cohorts_share_what_cannot_differ_in_one(database: Database, small_study: Build) -> None:
    """Through all stages a cohort's trials have one batch size and one choice of layers, and
    candidates, replicates and budgets are whole."""
    axes = {**AXES, "batch_size": {"choice": [10, 20]}}
    planned(database, small_study(**{**SPACE, "coarse": {"trials": 8, "space": axes}}))
    done = work(worker(database))
    for claim in done:
        assert len({(one.point[1], one.point[4]) for one in claim.trials}) <= 1
        assert len(claim.trials) <= 3
    record = read_study(database, "small")
    assert record.finished
    for stage in record.stages.values():
        keys = [(one.candidate, one.replicate) for one in stage.trials]
        assert len(keys) == len(set(keys))
    assert record.selected is not None
    assert len(record.selected.point) == 5
    final = record.stages["final"].trials
    assert {one.point for one in final} == {record.selected.point}
    assert worker(database).chosen() == record.selected.point
    (selected,) = [one.selected for one in read_queue(database)]
    assert selected is not None
    assert selected.point == record.selected.point
    assert len(read_status(database, "small").points) >= 8


def test_a_sampler_chooses_for_a_cohort_what_splits_others(
    database: Database, window: Window, small_study: Build
) -> None:
    """TPE draws each parameter on its own scale; a cohort's trials share layers and batch size,
    and what Optuna holds is, to the bit, the value at the point that is trained."""
    changes = {**SPACE, "coarse": {"trials": 24, "sampler": "tpe", "space": AXES}, "fine": None}
    study = small_study(**changes)
    planned(database, study)
    leases = worker(database)
    points: list[tuple[float, ...]] = []
    for _ in range(8):
        claim = claimed(leases)
        assert claim.stage == "coarse"
        assert len({(one.point[1], one.point[4]) for one in claim.trials}) == 1
        points += [one.point for one in claim.trials]
        finish(leases, claim)
    assert len({point[4] for point in points}) == 2
    assert len({point[3] for point in points}) > 20
    for trial, point in zip(window.trials()["small/coarse"], points, strict=True):
        assert trial.params["eta_max"] == study.space.dimensions[3].value(point[3])
        assert 0.02 <= trial.params["eta_max"] <= 0.3
    assert [one.point for one in read_study(database, "small").stages["coarse"].trials] == points


def test_a_trial_that_another_program_took_is_planned_anew(
    database: Database, window: Window, small_study: Build
) -> None:
    """Its parameters, of every scale, are those that were planned."""
    planned(database, small_study(**SPACE))
    (first, *_) = [entry for row in window.json("trials") for entry in row]
    before = {one._trial_id: one for one in window.trials()["small/coarse"]}[first[0]]
    window.execute("UPDATE trials SET state = 'FAIL' WHERE trial_id = :trial", trial=first[0])
    claim = claimed(worker(database))
    assert len(claim.replanned) == 1
    (again,) = [
        one for one in window.trials()["small/coarse"] if one._trial_id == claim.trials[0].trial
    ]
    assert (again.params, again.distributions) == (before.params, before.distributions)


@pytest.mark.parametrize("name", ["eta_max", "batch_size", "hidden"])
def test_a_parameter_that_was_changed_is_noticed(
    name: str, database: Database, window: Window, small_study: Build
) -> None:
    """A study whose rate, whole number or choice is another in Optuna's tables has no report."""
    planned(database, small_study(**SPACE))
    work(worker(database))
    read_study(database, "small")
    change = {"eta_max": "param_value * 1.0000001", "batch_size": "param_value + 1",
              "hidden": "1 - param_value"}[name]  # fmt: skip
    window.execute(
        f"UPDATE trial_params SET param_value = {change} "  # noqa: S608 - constants
        "WHERE trial_id = 1 AND param_name = :name", name=name,
    )  # fmt: skip
    with pytest.raises(StorageError, match="as it was completed, and is not"):
        read_study(database, "small")


@pytest.mark.parametrize("at", [[1, 10.5], [1, -1e300], [4, 2.0], [4, -1.0], [4, 0.5], [3, 400.0]])
def test_a_coordinate_that_is_none_of_its_dimension_is_refused(
    at: list[Any], database: Database, window: Window, small_study: Build
) -> None:
    """Half a whole number, a choice that is not there and a rate beyond all numbers are one
    sentence before anything is trained."""
    planned(database, small_study(**SPACE))
    (row,) = window.json("trials", where="stage = 'coarse' AND number = 0")
    index, value = at
    row[0][2][int(index)] = value
    if value == -1e300:
        row[0][2] = row[0][2][:3]
    _write(window, "lamsearch_cohort", "trials", row, "stage = 'coarse' AND number = 0")
    with pytest.raises(StorageError, match="did not write"):
        worker(database).claim()


@pytest.mark.parametrize(
    "space",
    [7, [1], {"a": 1}, {"a": {}}, {"a": {"log": [0, 1]}}, {"a": {"log": [1, 2], "uniform": [1, 2]}},
     {"a": {"choice": [[[1]], 2]}}, {"a": {"choice": [1, 1.0]}},
     {"a": {"choice": ["x\x1b[2J", "y"]}},
     {"a": {"integer": [1, 1e300]}}, {"a": {"uniform": ["x", 2]}}, {"../a": {"integer": [1, 2]}},
     {"lambda": {"integer": [1, 2]}}, {"a": {"choice": [None, 1]}}, {"a": {"choice": [{}, 1]}},
     {f"a{k}": {"integer": [1, 2]} for k in range(40)}],
    ids=str,
)  # fmt: skip
def test_a_damaged_space_is_one_sentence(
    space: object, prepared: Prepared, open_database: Callable[[str], Database], small_study: Build
) -> None:
    """Who reads, lists, watches or works on a study whose table of parameters lamsearch did not
    write gets a sentence, and no traceback."""
    study = small_study(**SPACE)

    def make(url: str) -> None:
        planned(made := open_database(url), study)
        work(worker(made))
        made.close()

    url = prepared("a space that is searched", make)
    database, window = open_database(url), Window(url)
    document = study.canonical()
    document["coarse"]["space"] = space
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest()
    window.execute("UPDATE lamsearch_study SET fingerprint = :digest", digest=digest)
    _write(window, "lamsearch_study", "document", document, "name = 'small'")
    for read in (read_study, read_status):
        with pytest.raises(LamsearchError, match=r"storage: |study small: "):
            read(database, "small")
    with pytest.raises(LamsearchError, match=r"storage: |study small: "):
        worker(database).chosen()
    (listed,) = read_queue(database)
    assert listed.failure is not None


def test_the_plan_is_a_function_of_the_file_and_not_of_its_order(small_study: Build) -> None:
    """Two files whose parameters stand in another order are the same study, with the same plan."""
    turned = dict(reversed(AXES.items()))
    one, other = (
        small_study(coarse={"trials": 8, "space": axes}) for axes in (AXES, turned)
    )  # fmt: skip
    assert list(AXES) != list(turned)
    assert one.fingerprint == other.fingerprint
    assert one.space == other.space
    assert one.coarse is not None
    assert other.coarse is not None
    assert one.coarse.bounds == other.coarse.bounds


def _write(window: Window, table: str, column: str, value: object, where: str) -> None:
    kind = "JSON" if window.engine.dialect.name == "postgresql" else "TEXT"
    window.execute(
        f"UPDATE {table} SET {column} = CAST(:value AS {kind}) WHERE {where}",  # noqa: S608 - constants
        value=json.dumps(value),
    )
