"""What a trainer declares, returns or is made of wrongly is one sentence with the rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel
from softmax_cohort import Array, Good, kind_of

from lamsearch.errors import StudyFileError
from lamsearch.study import parse_study
from lamsearch.trainers import (
    L2_PENALTY,
    Model,
    Parameter,
    TrainerFailedError,
    TrainerKind,
    check,
    register,
)
from lamsearch.trainers.conformance import Case


class Options(BaseModel):
    """One key."""

    depth: int = 2


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({"make": None}, "make of trainer 'own' must take a Task and return a Trainer, got None"),
        ({"options": Options()}, "be a pydantic model, the class itself, got Options(depth=2)"),
        ({"options": dict}, "must be a pydantic model, the class itself, got <class 'dict'>"),
        ({"exports": False}, "snapshots of trainer 'own' needs exports, got False"),
        ({"reads": ("step",)}, "reads of trainer 'own' must be keys of [training], got 'step'"),
        ({"options": Options, "parameters": (L2_PENALTY, Parameter(name="deep"))},
         "a parameter of trainer 'own' must be a key of its options (depth), got 'deep'"),
        ({"parameters": (L2_PENALTY, Parameter(name="deep"))},
         "a parameter of trainer 'own' must be a key of its options (it has none), got 'deep'"),
        ({"options": Options, "parameters": (Parameter(name="depth"), Parameter(name="depth"))},
         "parameters of trainer 'own' must have names of their own, got depth, depth"),
    ],
)  # fmt: skip
def test_a_declaration_that_cannot_be_is_refused_at_once(
    declared: dict[str, Any], words: str
) -> None:
    """A kind is right from birth."""
    made = kind_of(Good)
    with pytest.raises(ValueError, match="trainer 'own'") as caught:
        replace(made, **declared)
    assert words in str(caught.value)


def test_what_a_trainer_does_not_follow_is_refused() -> None:
    """A study that gives another key of [training], or a stage of it, is told which."""
    register(kind_of(Good, name="obedient", reads=("step_size", "cycles")))
    study = parse_study({
        "name": "own", "seed": 1, "data": {"source": "digits", "train": 300, "validation": 100},
        "trainer": {"name": "obedient"},
        "training": {"step_size": 10, "cycles": 2, "eta_max": 0.2},
        "coarse": {"trials": 4, "log10_lambda": [-5.0, -1.0], "batch_size": 50, "cycles": 1},
    })  # fmt: skip
    with pytest.raises(StudyFileError) as raised:
        check(study, "own.toml")
    assert str(raised.value).splitlines() == [
        "own.toml: training.eta_max: is not followed by trainer 'obedient', got 0.2",
        "own.toml: coarse.batch_size: is not followed by trainer 'obedient', got 50",
    ]


def ended(made: type[Good]) -> Any:
    """A trainer that has run."""
    trainer = Case(kind=kind_of(made)).make()
    list(trainer.run())
    return trainer


def changed(change: Callable[[Model], object]) -> type[Good]:
    """A trainer whose models are others."""

    class Changed(Good):
        def model(self, index: int) -> Any:
            return change(super().model(index))

    return Changed


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda model: {"W1": 0}, "models must be lamsearch.trainers.Model, got dict"),
        (lambda model: replace(model, mean=np.zeros(3)), "must be those of the 6 raw features"),
        (lambda model: replace(model, layers=()), "last layer must have 3 outputs, got 6"),
        (lambda model: replace(model, layers=((np.zeros((6, 2)), np.zeros(2)),)),
         "last layer must have 3 outputs, got 2"),
        (lambda model: replace(model, layers=((np.zeros((3, 6)), np.zeros(3)),)),
         "must lead from its 6 inputs, got W1 (3, 6) and b1 (3,)"),
    ],
)  # fmt: skip
def test_a_model_that_is_no_chain_fails_its_trial(
    change: Callable[[Model], object], words: str
) -> None:
    """What could not be used on raw features is refused before it is saved."""
    with pytest.raises(TrainerFailedError) as caught:
        ended(changed(change)).models()
    assert words in str(caught.value)


def test_a_state_that_would_be_pickled_is_refused() -> None:
    """Objects, and what is no array, are in no checkpoint."""

    class Pickles(Good):
        def state(self) -> dict[str, Any]:
            return {**super().state(), "extra": np.array([{"a": 1}])}

    class Lists(Good):
        def state(self) -> dict[str, Any]:
            return {**super().state(), "extra": [1, 2]}

    for made in (Pickles, Lists):
        with pytest.raises(
            TrainerFailedError, match="must hold arrays of plain values, got 'extra'"
        ):
            ended(made).state()


class TooFewRows(Good):
    """Begins with one row."""

    def begin(self) -> dict[str, Array]:
        """One row."""
        return {name: array[:1] for name, array in super().begin().items()}


class OneLoss(Good):
    """Returns a single loss."""

    def step(self, update: int) -> Array:
        """Average."""
        return np.asarray(super().step(update).mean())


class OneModel(Good):
    """Predicts for one model."""

    def predict(self, x: Array) -> Array:
        """One of them, but not in a step."""
        found = super().predict(x)
        return found[0] if len(x) == 60 else found


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (TooFewRows, "begin must return arrays of 4 rows, got another as 'W'"),
        (OneLoss, "step must return (4,) losses, got ()"),
        (OneModel, "predict must return an array of 4 rows, got (60, 3)"),
    ],
)  # fmt: skip
def test_a_cohort_of_other_shapes_is_told_which(made: type[Good], words: str) -> None:
    """What a subclass returns in another shape is refused with the one that it must have."""
    with pytest.raises(TrainerFailedError) as caught:
        ended(made)
    assert words in str(caught.value)


def test_a_mini_batch_larger_than_the_split_is_refused() -> None:
    """There would be none."""
    case = Case(kind=kind_of(Good))
    with pytest.raises(TrainerFailedError, match="batch_size must be at most 200, got 500"):
        replace(case, training=case.training.model_copy(update={"batch_size": 500})).make()


def test_a_state_of_other_shapes_is_a_value_error() -> None:
    """Each array that is not the task's own is refused, and nothing is changed."""
    trainer = ended(Good)
    state = trainer.state()
    bad = [
        ("alive", np.array([9]), "must be"), ("alive", np.zeros(4, np.int64), "must be"),
        ("updates", np.array(-1), "must be"), ("updates", np.array(10**6), "must be"),
        ("model W", np.zeros((4, 2, 2)), "must be"), ("losses", np.zeros(2), "must be"),
        ("scores", np.zeros((4, 7)), "must be"), ("left", np.array("[]"), "must say"),
        ("left", np.array('{"0": ["FAIL", "as asked for", 1]}'), "must be"),
    ]  # fmt: skip
    for name, array, words in bad:
        with pytest.raises(ValueError, match=words):
            trainer.restore({**state, name: array})
        assert {key: one.tobytes() for key, one in trainer.state().items()} == {
            key: one.tobytes() for key, one in state.items()
        }
    assert isinstance(kind_of(Good), TrainerKind)
