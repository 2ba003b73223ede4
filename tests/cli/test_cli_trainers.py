"""Other trainers than the built-in network on the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

OUTSIDE = {"PYTHONPATH": str(Path(__file__).parents[1] / "trainers" / "outside")}
OTHER: dict[str, Any] = {"network": None, "fine": None, "finalists": None, "final": None}


def test_a_study_of_another_trainer_is_checked_by_it(
    lamsearch: Any, study_file: Callable[..., Path]
) -> None:
    """`check` prints the plan without a cost, which is known of the network only, and says what
    the trainer itself refuses, under the file's name."""
    right = study_file(**OTHER, trainer={"name": "softmax", "rate": 0.3})
    found = lamsearch("check", right, env=OUTSIDE)
    assert found.returncode == 0, found.stderr
    assert "the file is right" in found.stdout
    assert "of training on one core" not in found.stdout
    wrong = study_file(**OTHER, trainer={"name": "softmax", "rate": 0})
    found = lamsearch("check", wrong, env=OUTSIDE)
    assert found.returncode == 2
    assert found.stderr == f"Error: {wrong}: trainer.rate: must be above 0, got 0\n"


def test_a_trainer_that_is_not_installed_is_one_sentence(
    lamsearch: Any, study_file: Callable[..., Path]
) -> None:
    """`check` of a study whose trainer is not registered here names those that are."""
    file = study_file(**OTHER, trainer={"name": "softmax"})
    found = lamsearch("check", file)
    assert found.returncode == 2
    assert (
        found.stderr
        == f"Error: {file}: trainer.name: must be one of network, sklearn, got 'softmax'\n"
    )


def test_the_rate_range_test_is_of_the_network(
    lamsearch: Any, study_file: Callable[..., Path]
) -> None:
    """`lr-range` of a study that another trainer trains is bad input."""
    found = lamsearch("lr-range", study_file(**OTHER, trainer={"name": "softmax"}), env=OUTSIDE)
    assert found.returncode == 2
    sentence = "Error: lr-range: needs the built-in network, got trainer 'softmax'\n"
    assert found.stderr == sentence
