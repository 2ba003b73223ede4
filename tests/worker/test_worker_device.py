"""What a worker trains on: handed to the trainer, recorded, the same for all or said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from worker_bench import Bench

from lamsearch.errors import StudyStateError
from lamsearch.findings import versions
from lamsearch.report.provenance import made
from lamsearch.trainers import Device, Task, TrainerKind, function_trainer, register
from lamsearch.trainers.registry import TRAINERS

MakeBench = Callable[..., Bench]
CHANGES: dict[str, Any] = {
    "trainer": {"name": "carded"}, "network": None, "fine": None, "finalists": None, "final": None,
    "coarse": {"trials": 4}, "cohort": 2,
}  # fmt: skip


def _predicted(_point: Any, splits: Any, _seed: Any, _options: Any) -> Any:
    import numpy as np

    return np.full((len(splits.validation_y), 10), 0.1)


@pytest.fixture
def asked() -> Iterator[list[str]]:
    """Register a trainer that has a card; return the devices of the tasks that it was given."""
    devices = list[str]()
    plain = function_trainer("carded", _predicted)

    def make(task: Task) -> Any:
        devices.append(task.device)
        return plain.make(task)

    def chosen(wanted: str) -> Device:
        return Device() if wanted == "cpu" else Device(name="card:0", model="C1")

    register(TrainerKind(name="carded", make=make, device=chosen))
    yield devices
    TRAINERS.here.pop("carded")


def test_a_trainer_is_given_its_workers_device_which_is_recorded(
    bench: MakeBench, asked: list[str]
) -> None:
    """Every cohort is trained on what the worker was told; the record and the report name it."""
    one = bench(**CHANGES)
    one.worker(device="card:0").run()
    assert asked == ["card:0", "card:0"]
    record = one.record()
    assert [each.environment.device for each in record.workers] == ["card (C1)"]
    assert versions.devices(record) == ("card (C1)",)
    assert ", trained on card (C1)." in made(record)
    assert not list(versions.sentences(record))


def test_another_device_is_refused_or_admitted_and_said(bench: MakeBench, asked: list[str]) -> None:
    """A worker with another device than the first is refused; admitted, the report warns of it."""
    one = bench(**CHANGES)
    one.worker(device="cpu").step()
    with pytest.raises(StudyStateError, match=r"must have device cpu, got card \(C1\)"):
        one.worker(device="auto")
    one.worker(device="auto", mixed_versions=True).run()
    assert asked == ["cpu", "card:0"]
    (said,) = versions.sentences(one.record())
    assert "device cpu, got card (C1)" in said
    assert ", trained on cpu and card (C1)." in made(one.record())
