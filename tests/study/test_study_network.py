"""The keys of the built-in network and of its optimiser."""

from __future__ import annotations

from typing import Any

import pytest
from study_documents import changed

from lamsearch.errors import StudyFileError
from lamsearch.planning.memory import needed
from lamsearch.study import parse_study, recorded_settings


@pytest.mark.parametrize(
    ("hidden", "units", "canonical"),
    [(50, (50,), 50), ([50], (50,), 50), ([], (), []), ([512, 256], (512, 256), [512, 256])],
)
def test_hidden_units_are_a_number_or_a_list(
    hidden: Any, units: tuple[int, ...], canonical: Any
) -> None:
    """One layer has one canonical form, which parses to the same study as every other does."""
    study = parse_study(changed({"network": {"hidden": hidden}}))
    assert study.network.units == units
    assert study.canonical()["network"] == {"hidden": canonical}
    assert parse_study(study.canonical()) == study


def test_keys_that_are_not_given_stay_out_of_the_fingerprint() -> None:
    """The defaults of what came later, written out, leave the study the same study."""
    more: dict[str, Any] = {
        "network": {"activation": "relu", "initialisation": "scaled", "batch_norm": False,
                    "dropout": 0.0, "input_dropout": 0.0},
        "training": {"optimiser": "sgd", "momentum": 0.9, "beta2": 0.999, "epsilon": 1e-8},
    }  # fmt: skip
    assert parse_study(changed(more)).fingerprint == parse_study(changed({})).fingerprint
    for table, key, value in (("network", "dropout", 0.1), ("training", "optimiser", "adam")):
        other = parse_study(changed({table: {key: value}}))
        assert other.fingerprint != parse_study(changed({})).fingerprint


@pytest.mark.parametrize(
    ("table", "key", "value", "rule"),
    [
        ("network", "hidden", [50, 0], r"hidden\[1\]: must be at least 1, got 0"),
        ("network", "hidden", [50, "a"], r"hidden\[1\]: must be a whole number, got 'a'"),
        ("network", "hidden", [1] * 33, "hidden: must have at most 32 items, not 33"),
        ("network", "activation", "gelu", "activation: must be 'relu', 'leaky_relu' or 'tanh'"),
        ("network", "initialisation", "x", "initialisation: must be 'scaled' or 'he', got 'x'"),
        ("network", "dropout", 1.0, "dropout: must be below 1, got 1.0"),
        ("network", "input_dropout", -0.1, "input_dropout: must be at least 0, got -0.1"),
        ("training", "optimiser", "lion", "optimiser: must be 'sgd', 'momentum', 'nesterov', "),
        ("training", "momentum", 1.0, "momentum: must be below 1, got 1.0"),
        ("training", "epsilon", 0.0, "epsilon: must be above 0, got 0.0"),
    ],
)
def test_what_cannot_be_is_one_sentence(table: str, key: str, value: Any, rule: str) -> None:
    """Each key says its rule, then the value."""
    with pytest.raises(StudyFileError, match=rf"{table}\.{rule}"):
        parse_study(changed({table: {key: value}}))


def test_a_stage_may_have_an_optimiser_of_its_own() -> None:
    """The optimiser's keys stand over [training] in a stage, and are what differs between two."""
    study = parse_study(changed({"coarse": {"optimiser": "adam", "beta2": 0.99}}))
    assert study.training_of("coarse").optimiser == "adam"
    assert study.training_of("fine").optimiser == "sgd"
    first, second = (recorded_settings(study.canonical(), stage) for stage in ("coarse", "fine"))
    assert first is not None
    assert second is not None
    pairs = zip(first.trained_by().items(), second.trained_by().values(), strict=True)
    assert {key for (key, mine), other in pairs if mine != other} >= {"optimiser", "beta2"}


def test_moments_and_layers_count_in_the_memory_that_is_needed() -> None:
    """Adam keeps two further numbers per weight of every layer of every model of a cohort."""
    document = {"network": {"hidden": [4000, 3000]}, "cohort": 8}
    sgd = parse_study(changed(document))
    adam = parse_study(changed(document | {"training": {"optimiser": "adam"}}))
    weights = 64 * 4000 + 4000 * 3000 + 3000 * 10
    more = needed(adam, "coarse", 64, 10, 8) - needed(sgd, "coarse", 64, 10, 8)
    assert more == 4 * 8 * 2 * weights
