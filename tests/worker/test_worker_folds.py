"""Folds, groups, shares and weights through a whole study: one answer, whoever trains it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from same_bits import assert_same_bits, table
from sklearn.datasets import load_digits
from worker_bench import Bench, leave_at

from lamsearch import data as datasets
from lamsearch.findings.uncertainty import compared

MakeBench = Callable[..., Bench]
FOLDS: dict[str, Any] = {
    "data": {"train": None, "validation": None, "test": 0.2, "folds": 3},
    "finalists": {"replicates": 3},
    "final": {"train": None, "validation": None, "replicates": 3},
}


@pytest.fixture
def grouped(tmp_path: Path) -> dict[str, Any]:
    """The digits in groups of 1 to 40, whose folds differ in size."""
    found = load_digits()
    sizes = np.random.default_rng(0).integers(1, 41, 200)
    groups = np.repeat(np.arange(200), sizes)[: len(found.target)]
    path = tmp_path / "grouped.npz"
    np.savez(path, X=found.data, y=found.target, writer=groups)
    return FOLDS | {"data": FOLDS["data"] | {"source": str(path), "groups": "writer"}}


@pytest.mark.parametrize("groups", [False, True])
def test_left_in_the_middle_and_shared_by_two_workers_it_ends_with_the_same_bits(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch, grouped: dict[str, Any], groups: bool
) -> None:
    """Finalists of folds that are left at update 20 and gone on with by workers of a cohort each,
    and two workers that take turns, end with every score and the test of one undisturbed worker."""
    changes = grouped if groups else FOLDS
    assert_same_bits(lambda: bench(**changes), monkeypatch)


def test_each_replicate_is_scored_on_its_own_fold(
    bench: MakeBench, grouped: dict[str, Any]
) -> None:
    """A trial has a number for each validation example of its replicate's fold, the sizes that are
    stored are the first fold's, and the choice is compared though the folds differ in size."""
    one = bench(**grouped)
    one.worker().run()
    data, record = datasets.load(one.study, one.directory), one.record()
    for name in ("finalists", "final"):
        for trial in record.stages[name].trials:  # type: ignore[index]
            assert trial.scores is not None
            expected = data.split(name, trial.replicate).validation_y  # type: ignore[arg-type]
            assert len(trial.scores) == len(expected)
    lengths = {
        len(one.scores) for one in record.stages["finalists"].trials if one.scores is not None
    }
    assert len(lengths) > 1
    assert one.stored.validation_images["coarse"] == len(data.split("coarse").validation_y)
    assert len(compared(record)) == 1


def test_weighted_training_that_is_left_in_the_middle_ends_with_the_same_bits(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cohort whose examples are weighted goes on from its checkpoint to the scores of one that
    was not disturbed, which are others than without weights."""
    changes: dict[str, Any] = {"data": {"weight": "balanced"}, "augment": {"flip": True}}
    whole, left = bench(**changes), bench(**changes)
    plain = bench(augment={"flip": True})
    for one in (whole, plain):
        one.worker().run()
    leave_at(left, monkeypatch, "finalists", total=60, update=20)
    left.worker().run()
    assert "finalists cohort 0 goes on at update 20" in left.said
    assert table(left.record()) == table(whole.record())
    assert left.record().final == whole.record().final
    assert table(plain.record()) != table(whole.record())
