"""What is searched beside λ reaches the trainer: laid over its settings, or one value per model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict

from lamsearch import data as datasets
from lamsearch.errors import StudyFileError
from lamsearch.space import Scale
from lamsearch.study import Network, Study
from lamsearch.trainers import Parameter, TrainerKind, check, function_trainer, trainer_for
from lamsearch.trainers import registry as trainers
from lamsearch.trainers.network.kind import NETWORK
from lamsearch.trainers.searched import settings_at, splitting

Build = Callable[..., Study]
AXES: dict[str, Any] = {
    "eta_max": {"log": [0.02, 0.3]},
    "batch_size": {"integer": [10, 40]},
    "hidden": {"choice": [8, 16]},
}
HALF = np.log10(0.05)


class Options(BaseModel):
    """Those of a made-up trainer."""

    model_config = ConfigDict(extra="forbid")
    depth: int = 3
    shrink: float = 0.5


def test_settings_are_those_of_the_cohort_s_points(small_study: Build) -> None:
    """What splits cohorts takes the place of the file's value, at every stage; what does not comes
    as a value for each model, in the order of the points."""
    study = small_study(coarse={"space": AXES})
    points = [(-3.0, 12.0, HALF, 1.0), (-2.0, 12.0, -1.0, 1.0)]
    for stage in study.stages:
        found = settings_at(study, NETWORK, stage, points)
        assert isinstance(found.options, Network)
        assert (found.options.hidden, found.training.batch_size) == (16, 12)
        assert found.training.cycles == study.training_of(stage).cycles
        assert found.per_model == {"eta_max": (0.05, 0.1)}
    assert splitting(study, NETWORK) == {"batch_size", "hidden"}


def test_lambda_alone_changes_no_setting(small_study: Build) -> None:
    """A study of λ alone has its file's settings, and no value per model."""
    study = small_study()
    found = settings_at(study, NETWORK, "fine", [(-3.0,), (-2.0,)])
    assert found.options is study.network
    assert found.training == study.training_of("fine")
    assert found.per_model == {}


def test_a_cohort_of_different_architectures_is_refused(small_study: Build) -> None:
    """No cohort is trained whose models differ in what they must have alike."""
    study = small_study(coarse={"space": AXES})
    points = [(-3.0, 12.0, HALF, 1.0), (-2.0, 12.0, HALF, 0.0)]
    with pytest.raises(ValueError, match="must have the same hidden"):
        settings_at(study, NETWORK, "coarse", points)


def test_a_value_that_no_file_may_have_is_one_sentence(small_study: Build) -> None:
    """A batch of no examples, which only a changed database asks for, is refused by name."""
    study = small_study(coarse={"space": AXES})
    with pytest.raises(StudyFileError, match=r"batch_size: must be at least 1, got 0"):
        settings_at(study, NETWORK, "coarse", [(-3.0, 0.0, HALF, 1.0)])


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, Options]]:
    """Register a function whose options are searched; return what it was called with."""
    seen: list[tuple[float, Options]] = []

    def train(point: Any, splits: Any, seed: Any, options: Options) -> np.ndarray:
        seen.append((point[0], options))
        return np.full((len(splits.validation_y), 10), 0.1)

    kind: TrainerKind = function_trainer(
        "shrinking", train, options=Options,
        parameters=[
            Parameter(name="depth", about="levels", low=1, high=9, scales=(Scale.INTEGER,)),
            Parameter(name="shrink", about="of each", low=0.0, high=1.0),
        ],
    )  # fmt: skip
    monkeypatch.setitem(trainers.TRAINERS.here, kind.name, kind)
    return seen


def test_a_plain_function_gets_what_is_searched_as_options(
    small_study: Build, searched: list[tuple[float, Options]]
) -> None:
    """Each trial of a cohort is trained with its own options, the others as the file has them."""
    study = check(small_study(
        trainer={"name": "shrinking", "shrink": 0.25}, network=None, final=None,
        coarse={"space": {"depth": {"integer": [2, 5]}}},
    ))  # fmt: skip
    data = datasets.load(study, ".")  # type: ignore[arg-type]  # digits are read from nowhere
    trainer = trainer_for(
        study, "coarse", [(-3.0, 2.0), (-2.0, 5.0)],
        splits=data.split("coarse"), classes=10, seed=(1, 0, 0),
    )  # fmt: skip
    list(trainer.run())
    assert searched == [
        (-3.0, Options(depth=2, shrink=0.25)), (-2.0, Options(depth=5, shrink=0.25)),
    ]  # fmt: skip


def test_a_parameter_outside_what_a_trainer_declares_is_refused(
    small_study: Build, searched: list[tuple[float, Options]]
) -> None:
    """Bounds, scales and names are the trainer's own; nothing of them is known elsewhere."""
    study = small_study(
        trainer={"name": "shrinking"}, network=None, final=None,
        coarse={"space": {"depth": {"integer": [2, 50]}, "eta_max": {"log": [0.1, 1.0]}}},
    )  # fmt: skip
    with pytest.raises(StudyFileError) as error:
        check(study)
    assert "coarse.space.depth.integer: must lie between 1 and 9, got 50" in str(error.value)
    assert "must be a parameter of trainer 'shrinking': depth, shrink" in str(error.value)
    assert searched == []


def test_an_own_parameter_may_have_the_name_of_a_stage_s_key(
    small_study: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stages override [training] alone: ``rounds`` of fine is none of the trainer's."""

    class Rounds(BaseModel):
        rounds: int = 3

    kind = function_trainer(
        "rounding", lambda point, splits, seed, options: None,  # type: ignore[arg-type,return-value]
        options=Rounds,
        parameters=[Parameter(name="rounds", low=1, high=9, scales=(Scale.INTEGER,))],
    )  # fmt: skip
    monkeypatch.setattr(trainers.TRAINERS, "get", lambda _name: kind)
    study = small_study(
        trainer={"name": "rounding"}, network=None, final=None,
        coarse={"space": {"rounds": {"integer": [2, 5]}}},
    )  # fmt: skip
    assert check(study) is study


def test_an_own_parameter_is_not_named_as_a_key_of_augment() -> None:
    """It would be taken for what varies images."""
    with pytest.raises(ValueError, match="'shift'"):
        function_trainer(
            "moving", lambda point, splits, seed: None,  # type: ignore[arg-type,return-value]
            parameters=[Parameter(name="shift", low=0, high=9, scales=(Scale.INTEGER,))],
        )  # fmt: skip
