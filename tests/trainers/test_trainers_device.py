"""What is trained on: asked for at a worker, chosen by the trainer, refused in one sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from lamsearch.errors import InputError
from lamsearch.study import Study
from lamsearch.trainers import Device, TrainerKind, device_for, register
from lamsearch.trainers.network.kind import NETWORK
from lamsearch.trainers.registry import TRAINERS

MakeStudy = Callable[..., Study]


def found(wanted: str) -> Device:
    """A trainer's devices: two cards of one kind."""
    names = {"auto": "card:0", "card:0": "card:0", "card:1": "card:1"}
    if wanted not in names:
        raise ValueError(f"must be a card, got {wanted!r}")
    return Device(name=names[wanted], model="C1")


@pytest.fixture
def study(small_study: MakeStudy) -> Iterator[Study]:
    """Return a study whose trainer knows devices."""
    register(TrainerKind(name="carded", make=NETWORK.make, device=found, exports=True))
    yield small_study(trainer={"name": "carded"}, network=None)
    TRAINERS.here.pop("carded")


def test_a_trainer_chooses_among_what_is_here(study: Study) -> None:
    """Its own function says what a name is, and what "auto" is."""
    assert device_for(study).name == "card:0"
    assert device_for(study, "card:1").name == "card:1"
    with pytest.raises(InputError, match=r"^device: must be a card, got 'cpu'$"):
        device_for(study, "cpu")


def test_which_of_several_alike_it_is_does_not_count(study: Study) -> None:
    """Two cards of a kind are recorded alike; the processor has no further name."""
    assert str(device_for(study, "card:0")) == str(device_for(study, "card:1")) == "card (C1)"
    assert str(Device()) == "cpu"


def test_a_trainer_that_knows_none_trains_on_the_processor(small_study: MakeStudy) -> None:
    """The built-in network takes "auto" and "cpu", and refuses another in one sentence."""
    for wanted in ("auto", "cpu"):
        assert device_for(small_study(), wanted) == Device()
    rule = (
        r"^device: trainer 'network' trains on the processor alone: must be cpu or auto, got 'c'$"
    )
    with pytest.raises(InputError, match=rule):
        device_for(small_study(), "c")
