"""[coarse.space]: what a study file may say of further parameters, and what is said back."""

from __future__ import annotations

from typing import Any

import pytest
from study_documents import VALUES, changed

from lamsearch.errors import StudyFileError
from lamsearch.space import Scale, space_of
from lamsearch.study import Study, cautions, parse_study
from lamsearch.trainers import check, splitting

AXES: dict[str, Any] = {
    "eta_max": {"log": [0.02, 0.3]},
    "batch_size": {"integer": [10, 40]},
    "hidden": {"choice": [8, 16]},
}


def issues(space: object, **changes: Any) -> list[str]:
    """Return the lines that a study of these parameters gets, from its file and its trainer."""
    try:
        check(parse_study(changed({"coarse": {"space": space}, **changes})))
    except StudyFileError as error:
        return [line.removeprefix("study: ") for line in str(error).splitlines()]
    return []


def test_a_space_is_read_and_written_back() -> None:
    """The canonical form leads to the same study; its dimensions are λ, then by name."""
    study = parse_study(changed({"coarse": {"space": AXES}}))
    assert check(study) is study
    assert parse_study(study.canonical()) == study
    assert study.space == space_of(study.canonical())
    assert [one.name for one in study.space.dimensions] == [
        "log10_lambda", "batch_size", "eta_max", "hidden",
    ]  # fmt: skip
    assert [one.scale for one in study.space.dimensions[1:]] == [
        Scale.INTEGER, Scale.LOG, Scale.CHOICE,
    ]  # fmt: skip
    assert study.coarse is not None
    assert study.coarse.bounds is not None
    assert study.coarse.bounds[1] == (10.0, 40.0)
    rate = study.space.dimensions[2]
    assert tuple(map(rate.value, study.coarse.bounds[2])) == (0.02, 0.3)
    assert splitting(study) == {"batch_size", "hidden"}


def test_a_study_of_lambda_alone_is_the_study_that_it_was() -> None:
    """Without a table of parameters the canonical form has no such key, as before."""
    study = parse_study(changed({}))
    assert "space" not in study.canonical()["coarse"]
    assert parse_study(changed({"coarse": {"space": {}}})).fingerprint == study.fingerprint
    assert splitting(study) == frozenset()


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        ({"x": 5}, "coarse.space.x: must be a table, got 5"),
        ({"eta_max": {}}, "coarse.space.eta_max: must have one of log, uniform, integer, choice"),
        ({"eta_max": {"logg": [1, 2]}}, "coarse.space.eta_max.logg: unknown key"),
        ({"eta_max": {"log": [1, 2], "uniform": [1, 2]}}, "coarse.space.eta_max: must have one of"),
        ({"eta_max": {"log": [0.3, 0.02]}}, "coarse.space.eta_max.log: the lower bound must be"),
        ({"eta_max": {"log": [0.0, 0.02]}}, "coarse.space.eta_max.log: must be at least 1e-15"),
        ({"eta_max": {"log": [0.1]}}, "coarse.space.eta_max.log[1]: is required"),
        ({"hidden": {"choice": [8]}}, "coarse.space.hidden.choice: must be 2 to 50 choices"),
        ({"hidden": {"choice": [8, 8]}}, "coarse.space.hidden.choice: must have each choice once"),
        ({"hidden": {"choice": [[8, [4]], 9]}}, "coarse.space.hidden.choice: each choice must be"),
        ({"batch_size": {"integer": [1.5, 2]}}, "coarse.space.batch_size.integer[0]: must be a wh"),
        ({"log10_lambda": {"uniform": [-5, -1]}}, "coarse.space.log10_lambda.uniform: must not be"),
        ({"../x": {"integer": [1, 2]}}, "must have a name of lower-case letters"),
        ({"hiden": {"integer": [1, 2]}}, "coarse.space.hiden: must be a parameter of trainer"),
        ({"hidden": {"log": [1, 2]}}, "coarse.space.hidden.log: must be one of integer, choice"),
        ({"dropout": {"uniform": [0, 1.5]}}, "must lie between 0 and 0.99, got 1.5"),
        ({"hidden": {"choice": ["a", 8]}}, "coarse.space.hidden: must be a"),
        ({"hidden": {"choice": [0, 8]}}, "coarse.space.hidden.choice: must lie between 1 and"),
        ({"batch_size": {"integer": [20, 400]}},
         "coarse.space.batch_size: must be at most the 300 training images of coarse, got 400"),
        ({"eta_max": {"log": [1e-4, 0.1]}, "eta_min": {"log": [1e-6, 1e-3]}},
         "coarse.space.eta_min: must be at most eta_max = 0.0001, got 0.001"),
    ],
    ids=str,
)  # fmt: skip
def test_each_rule_of_a_space_is_one_sentence(space: dict[str, Any], expected: str) -> None:
    """A wrong parameter, scale, bound or choice is said with its place, the rule and the value."""
    assert any(expected in line for line in issues(space)), issues(space)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"fine": {"space": AXES}}, "fine.space: must not be given after [coarse]"),
        ({"fine": {"values": [-3.0], "trials": None, "keep": None}}, "fine.values: must not be"),
        (VALUES, "coarse.space: must not stand beside values"),
        ({"finalists": {"batch_size": 30}}, "finalists.batch_size: must not be given where coarse"),
        ({"coarse": {"eta_max": 0.2}}, "coarse.eta_max: must not be given where coarse.space"),
    ],
    ids=str,
)  # fmt: skip
def test_keys_that_contradict_a_space_are_issues(changes: dict[str, Any], expected: str) -> None:
    """Given candidates, a second space, and a stage's own value of what is searched are refused."""
    coarse = {**changes.get("coarse", {}), "space": AXES}
    try:
        check(parse_study(changed({**changes, "coarse": coarse})))
        found = ""
    except StudyFileError as error:
        found = str(error)
    assert expected in found


def test_fine_alone_searches_a_space_of_its_own() -> None:
    """A study without coarse has its further parameters in [fine.space]."""
    changes = {"coarse": None, "fine": {"keep": None, "log10_lambda": [-4.0, -2.0], "space": AXES}}
    study: Study = check(parse_study(changed(changes)))
    assert len(study.space.dimensions) == 4
    assert study.fine is not None
    assert study.fine.bounds is not None
    assert len(study.fine.bounds) == 4


def test_a_rate_that_is_searched_is_looked_at_for_its_highest() -> None:
    """Weights grow at the highest rate and λ that are searched: that is warned of."""
    wide = {"coarse": {"log10_lambda": [-5.0, 1.0], "space": {"eta_max": {"log": [0.02, 2.0]}}}}
    assert any("at eta_max = 2 " in line for line in cautions(parse_study(changed(wide))))
