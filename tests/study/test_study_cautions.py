"""What a study file may say but hardly means, and sizes that cannot be."""

from __future__ import annotations

import datetime
import tomllib
from pathlib import Path
from typing import Any

import pytest
from study_documents import FINAL_ONLY, VALUES, changed

from lamsearch.errors import StudyFileError
from lamsearch.study import cautions, parse_study

STUDIES = sorted((Path(__file__).parents[2] / "studies").glob("**/*.toml"))
WARNED: dict[str, tuple[dict[str, Any], str]] = {
    "λ for its logarithm": (
        {"coarse": {"log10_lambda": [1e-5, 1e-1]}},
        "coarse.log10_lambda takes logarithms: λ = 1e-05 is written -5; "
        "as it stands, λ begins at 1",
    ),
    "values": (
        {**VALUES, "coarse": {**VALUES["coarse"], "values": [1e-3, 1e-2]}, "fine": {"keep": 2}},
        "coarse.values takes logarithms: λ = 0.001 is written -3; "
        "as it stands, λ begins at 1.002",
    ),
    "folds of unequal use": (
        {"data": {"folds": 3, "train": None, "validation": None},
         "final": {"train": None, "validation": None, "replicates": 3}},
        "finalists: 2 replicates are no multiple of the 3 folds: not all examples are validated "
        "with equally often",
    ),
    "a given λ": (
        {**FINAL_ONLY, "final": {"log10_lambda": 1e-3}},
        "final.log10_lambda takes logarithms: λ = 0.001 is written -3; "
        "as it stands, λ begins at 1.002",
    ),
    "weights that grow": (
        {"coarse": {"log10_lambda": [-5.0, 2.0]}},
        "coarse: at eta_max = 0.1 every λ above 10 makes weights grow, for weight decay multiplies "
        "them by 1 - 2*eta*λ, below -1; λ goes up to 100",
    ),
    "hardly an interval": (
        {"coarse": {"log10_lambda": [-3.001, -3.0]}},
        "coarse.log10_lambda is 0.001 wide: all its candidates are nearly the same λ",
    ),
    "no rate": (
        {"training": {"schedule": "exp_range", "gamma": 0.1}, "coarse": None, "finalists": None,
         "fine": None, "final": {"log10_lambda": -2.0}},
        "final: gamma = 0.1 over 15 updates leaves the learning rate at eta_min = 1e-05: "
        "it never gets near eta_max",
    ),
    "another λ": (
        {"training": {"optimiser": "adamw"}},
        "adamw multiplies weights by 1 - 2*eta*λ apart from the cost: its λ compares with no other "
        "optimiser's, and the curves of the cost show a penalty that it does not descend",
    ),
    "another λ among those searched": (
        {"coarse": {"space": {"optimiser": {"choice": ["sgd", "adamw"]}}}},
        "adamw multiplies weights by 1 - 2*eta*λ apart from the cost: its λ compares with no other "
        "optimiser's, and the curves of the cost show a penalty that it does not descend",
    ),
    "a device's name": (
        {"name": "con"},
        "name: 'con' cannot be a directory on Windows, where its report may be opened",
    ),
}  # fmt: skip
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an interval without room": (
        {"coarse": {"log10_lambda": [-3.0, -2.9999999999999996]}},
        "coarse.log10_lambda: the bounds must be at least 1e-06 apart, as float32's values of λ "
        "are, got [-3.0, -2.9999999999999996]",
    ),
    "weights beyond memory": (
        {"network": {"hidden": 2_000_000_000}, "cohort": 512},
        "network.hidden: must fit memory: the weights and activations of a cohort need more than "
        "2^47 bytes, got 2000000000",
    ),
    "hidden beyond numbers": (
        {"network": {"hidden": 10**12}},
        "network.hidden: must be at most 2147483647, got 1000000000000",
    ),
    "more digits than can be written": (
        {"network": {"hidden": 10**5000}},
        "network.hidden: must be at most 2147483647, got a number of thousands of digits",
    ),
    "trials beyond planning": (
        {"coarse": {"trials": 10**9}}, "coarse: must plan at most 1,000,000 trials, got 1000000000"
    ),
    "rounds beyond planning": (
        {"fine": {"rounds": 10**9}}, "fine: must plan at most 1,000,000 trials, got 4000000000"
    ),
    "updates beyond counting": (
        {"fine": {"step_size": 10**9, "cycles": 2}},
        "fine.step_size: 2 * step_size * cycles must be at most 2147483647 updates, "
        "got 1000000000",
    ),
    "a rate beyond float32": (
        {"training": {"eta_max": 1e308}},
        "training.eta_max: must be at most 10000000000, got 1e+308",
    ),
    "a date": (
        {"coarse": {"trials": datetime.date(2020, 1, 2)}},
        "coarse.trials: must be a whole number, got datetime.date(2020, 1, 2)",
    ),
    "a table for a number": (
        {"coarse": {"trials": [3, {"a": 1}]}},
        "coarse.trials: must be a whole number, got (3, {'a': 1})",
    ),
    "a key of two lines": ({"a\nb": 1}, "'a\\nb': unknown key"),
    "a long value": (
        {"data": {"source": "x" * 1000}},
        "data.source: must be digits, cifar10, npz, table, idx, images, cifar100, svhn, or a path "
        f"that ends in .npz, got '{'x' * 199}…",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", WARNED)
def test_a_doubtful_setting_is_one_sentence(kind: str) -> None:
    """What can be trained but is hardly meant is said, and nothing else is."""
    changes, sentence = WARNED[kind]
    assert cautions(parse_study(changed(changes))) == [sentence]


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_the_shipped_studies_are_not_warned_of(path: Path) -> None:
    """A study file that lamsearch ships gives no caution."""
    assert cautions(parse_study(tomllib.loads(path.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_is_refused_in_one_line(kind: str) -> None:
    """A size, number or name that must fail later is refused with its key, rule and value."""
    changes, line = REFUSED[kind]
    with pytest.raises(StudyFileError) as caught:
        parse_study(changed(changes), where="my.toml")
    assert str(caught.value) == f"my.toml: {line}"


def test_defaults_are_checked_too() -> None:
    """A file without `cohort` is checked with its default."""
    with pytest.raises(StudyFileError, match=r"network\.hidden: must fit memory"):
        parse_study(changed({"cohort": None, "network": {"hidden": 2_147_483_647},
                             "data": {"source": "cifar10", "test": None}}))  # fmt: skip
