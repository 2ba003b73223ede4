"""A plain function as a trainer: its predictions, its failures, the example of the docs."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel
from trainers_textbook import Images, digits

from lamsearch.results import TrialState
from lamsearch.space import Point
from lamsearch.study import Training
from lamsearch.trainers import Guarded, NoOptions, Task, TrainerKind, function_trainer

ROOT = Path(__file__).parents[2]
POINTS: tuple[Point, ...] = ((-3.0,), (-2.0,), (-1.0,))


@pytest.fixture(scope="module")
def images() -> Images:
    """The digits in float32."""
    return digits()


def trained(
    kind: TrainerKind, images: Images, options: BaseModel | None = None
) -> tuple[Any, list[Any]]:
    """Outcomes and progress of a cohort."""
    task = Task(points=POINTS, splits=images, training=Training(step_size=5), classes=10,
                options=options or NoOptions(), seed=(1, 0, 0))  # fmt: skip
    trainer = Guarded(kind, task)
    progress = list(trainer.run())
    return trainer.outcomes(), progress


def one_hot(labels: Any) -> Any:
    """Probabilities of a model that is sure."""
    return np.eye(10)[labels]


def test_predictions_become_scores(images: Images) -> None:
    """Accuracy, loss and correctness are those of the returned probabilities."""
    right = images.validation_y

    def train(point: Point, splits: Any, seed: Any, options: object) -> Any:
        answers = right.copy()
        answers[:30] = (right[:30] + 1) % 10
        return 0.9 * one_hot(answers) + 0.01

    (first, *_), progress = trained(function_trainer("own", train), images)
    assert first.state is TrialState.COMPLETE
    assert first.score == 90 / 120
    assert first.scores.tolist() == [False] * 30 + [True] * 90
    expected = -(30 * np.log(0.01) + 90 * np.log(0.91)) / 120
    assert first.validation_loss == pytest.approx(expected)
    assert first.cycle_scores == (90 / 120,)
    assert [one.updates for one in progress] == [1, 2, 3]
    assert [one.cycle_end for one in progress] == [False, False, True]


def test_each_call_gets_its_point_and_all_the_same_seed(images: Images) -> None:
    """The function is called once per trial, in order, with the replicate's seed and options."""

    class Options(BaseModel):
        depth: int = 2

    calls: list[Any] = []

    def train(point: Point, splits: Any, seed: Any, options: Options) -> Any:
        calls.append((point, seed, options.depth, splits is images))
        return one_hot(splits.validation_y)

    kind = function_trainer("own", train, options=Options)
    trained(kind, images, Options(depth=5))
    assert calls == [(point, (1, 0, 0), 5, True) for point in POINTS]


def test_a_sure_model_that_errs_has_a_finite_loss(images: Images) -> None:
    """Probability 0 of a label counts as float64's resolution, as scikit-learn has it."""
    wrong = one_hot((images.validation_y + 1) % 10)
    (first, *_), _ = trained(function_trainer("own", lambda *_: wrong), images)
    assert first.score == 0
    assert first.validation_loss == pytest.approx(-np.log(np.finfo(np.float64).eps))


def raising(*_: object) -> None:
    """Raise."""
    raise KeyError("no\nsuch column")


BAD: dict[str, tuple[Callable[..., Any], str]] = {
    "raised": (raising, "trainer raised KeyError: 'no\\nsuch column'"),
    "labels": (lambda *_: np.zeros(120), "class probabilities must be (120, 10), got (120,)"),
    "scores": (lambda *_: np.full((120, 10), 3.0), "must sum to 1, got 30 to 30"),
    "negative": (lambda *_: np.full((120, 10), -0.1), "must be finite and at least 0"),
    "infinite": (lambda *_: np.full((120, 10), np.nan), "must be finite and at least 0"),
    "nothing": (lambda *_: None, "class probabilities must be (120, 10), got ()"),
}


@pytest.mark.parametrize(("bad", "words"), BAD.values(), ids=BAD)
def test_what_goes_wrong_fails_its_own_trial(
    images: Images, bad: Callable[..., Any], words: str
) -> None:
    """A call that raises or returns no probabilities is FAIL with its reason; others end well."""

    def train(point: Point, splits: Any, seed: Any, options: object) -> Any:
        return bad() if point == POINTS[1] else one_hot(splits.validation_y)

    outcomes, progress = trained(function_trainer("own", train), images)
    assert [one.state.name for one in outcomes] == ["COMPLETE", "FAIL", "COMPLETE"]
    assert words in outcomes[1].reason
    assert np.isnan(progress[-1].scores).tolist() == [False, True, False]


def test_the_example_of_the_docs_learns(images: Images) -> None:
    """The function in docs/trainers.md is a trainer that learns, the less the greater λ is."""
    text = (ROOT / "docs" / "trainers.md").read_text(encoding="utf-8")
    example, _, _, check = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    space: dict[str, Any] = {}
    exec(example, space)  # noqa: S102  # our own text
    exec(check.replace("(KIND)", "(KIND, seeded=False)"), space)  # noqa: S102  # as above
    outcomes, _ = trained(space["KIND"], images)
    assert outcomes[0].score > 0.8
    losses = [one.validation_loss for one in outcomes]
    assert losses[1] < losses[2]


def test_the_example_of_the_docs_that_is_searched_learns(images: Images) -> None:
    """Its trials have their own numbers of neighbours, which the study file's bounds allow."""
    text = (ROOT / "docs" / "trainers.md").read_text(encoding="utf-8")
    _, _, example, check = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    space: dict[str, Any] = {}
    exec(example, space)  # noqa: S102  # our own text
    exec(check.replace("(KIND)", "(KIND, seeded=False, penalised=False)"), space)  # noqa: S102  # our own text
    kind: TrainerKind = space["KIND"]
    assert set(kind.searchable) == {"neighbours", "weights"}
    task = Task(
        points=((-3.0, 5.0, 0.0), (-3.0, 99.0, 0.0), (-3.0, 99.0, 1.0)),
        splits=images, training=Training(step_size=5), classes=10, options=space["Options"](),
        seed=(1, 0, 0),
        per_model={"neighbours": (5, 99, 99), "weights": ("uniform", "uniform", "distance")},
    )  # fmt: skip
    trainer = Guarded(kind, task)
    list(trainer.run())
    scores = [one.score for one in trainer.outcomes()]
    assert scores[0] is not None
    assert scores[1] is not None
    assert scores[0] > 0.8
    assert scores[1] < scores[0]
    assert len({one.validation_loss for one in trainer.outcomes()}) == 3
