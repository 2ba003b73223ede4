"""The network's models at cycle ends: what they are, and that asking for them changes nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from trainers_textbook import Images, digits

from lamsearch.errors import StudyFileError
from lamsearch.results import Model
from lamsearch.study import Network, Training, parse_study
from lamsearch.trainers import NoOptions, TrainerKind, check, register
from lamsearch.trainers.network import NetworkTrainer

NETWORK = Network(hidden=(12, 8), batch_norm=True, dropout=0.2)


@pytest.fixture(scope="module")
def images() -> Images:
    """The digits in float32."""
    return digits()


def trainer(images: Images, cycles: int, **changes: Any) -> NetworkTrainer:
    """Return a trainer of two models over so many cycles."""
    training = Training(batch_size=20, step_size=25, cycles=cycles, eta_max=0.05, **changes)
    return NetworkTrainer(
        images, training, [-3.0, -1.0], network=NETWORK, classes=10, seed=(7, 1, 2)
    )


def bits(models: tuple[Model | None, ...]) -> list[dict[str, bytes]]:
    """Return the arrays of models as bytes."""
    assert all(one is not None for one in models)
    return [
        {name: np.asarray(array).tobytes() for name, array in one.arrays().items()}
        for one in models
        if one is not None
    ]


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_a_snapshot_is_the_model_of_a_training_that_ends_there(
    images: Images, optimiser: str
) -> None:
    """The models at the end of cycle c are, to the bit, those of a training of c cycles."""
    whole, found = trainer(images, 3, optimiser=optimiser), {}
    for progress in whole.run():
        if progress.cycle_end:
            found[progress.cycles] = whole.snapshot()
    for cycles, models in found.items():
        short = trainer(images, cycles, optimiser=optimiser)
        for _ in short.run():
            pass
        assert bits(models) == bits(short.models())
    assert found.keys() == {1, 2, 3}
    assert len({str(bits(models)) for models in found.values()}) == 3


def test_snapshots_change_nothing_of_a_training(images: Images) -> None:
    """A training whose models are asked for after every update ends with the bits of another."""
    quiet, asked = trainer(images, 2), trainer(images, 2)
    for _ in quiet.run():
        pass
    for _ in asked.run():
        asked.snapshot()
    assert bits(quiet.models()) == bits(asked.models())
    for one, other in zip(quiet.outcomes(), asked.outcomes(), strict=True):
        assert one.score == other.score
        assert one.validation_loss == other.validation_loss


def test_a_trainer_that_keeps_no_snapshots_says_so() -> None:
    """A study that asks for snapshots of a trainer that keeps none is refused in one sentence."""

    def never(_: object) -> Any:
        raise AssertionError("nothing is trained")

    register(TrainerKind(name="ends", make=never, options=NoOptions, exports=True))
    document: dict[str, Any] = {
        "name": "x", "seed": 1, "data": {"source": "digits", "train": 100, "validation": 50},
        "trainer": {"name": "ends"}, "training": {"step_size": 5, "cycles": 2},
        "final": {"log10_lambda": -3.0, "snapshots": True},
    }  # fmt: skip
    with pytest.raises(StudyFileError) as caught:
        check(parse_study(document))
    assert str(caught.value) == (
        "study: final.snapshots: needs a trainer whose models can be kept at cycle ends, which "
        "those of 'ends' cannot, got True"
    )
    del document["final"]["snapshots"]
    check(parse_study(document))
