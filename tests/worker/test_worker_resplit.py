"""Splits redrawn per replicate: what is trained and scored on which, whoever trains it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from same_bits import assert_same_bits, table
from worker_bench import Bench

from lamsearch import data as datasets

MakeBench = Callable[..., Bench]
OWN: dict[str, Any] = {
    "data": {"resplit": True, "components": 20},
    "augment": {"flip": True},
    "network": {"batch_norm": True},
}


def test_left_in_the_middle_and_shared_by_two_workers_it_ends_with_the_same_bits(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Finalists that are left at update 20 and gone on with by workers of a cohort each, and two
    workers that take turns, end with every score and the test of one undisturbed worker."""
    assert_same_bits(lambda: bench(**OWN), monkeypatch)


def test_each_replicate_is_normalised_and_scored_by_its_own_split(bench: MakeBench) -> None:
    """Every final model's file has its own split's mean and std, and is right on those validation
    examples of that split that its trial's scores say, in their order."""
    one = bench(data={"resplit": True})
    one.worker().run()
    data = datasets.load(one.study, one.directory)
    paths = sorted((one.directory / "files").glob("*/models/final-*.safetensors"))
    means = []
    for path, trial in zip(paths, one.record().stages["final"].trials, strict=True):
        model, splits = load_file(path), data.split("final", trial.replicate)
        np.testing.assert_array_equal(model["mean"], splits.mean)
        np.testing.assert_array_equal(model["std"], splits.std)
        hidden = np.maximum(splits.validation_x @ model["W1"] + model["b1"], 0)
        right = (hidden @ model["W2"] + model["b2"]).argmax(axis=1) == splits.validation_y
        assert trial.scores is not None
        np.testing.assert_array_equal(trial.scores, right)
        means.append(model["mean"].tobytes())
    assert len(set(means)) == 2


def test_the_search_before_the_finalists_is_as_without_resplit(bench: MakeBench) -> None:
    """Coarse and fine have the same scores with resplit and without, and finalists others."""
    plain, own = bench(), bench(data={"resplit": True})
    plain.worker().run()
    own.worker().run()
    before, after = (
        [row for row in table(one.record()) if row[0] in ("coarse", "fine")] for one in (plain, own)
    )
    assert before == after
    assert [row for row in table(plain.record()) if row[0] == "finalists"] != [
        row for row in table(own.record()) if row[0] == "finalists"
    ]
