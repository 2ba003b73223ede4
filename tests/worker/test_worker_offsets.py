"""A study of features far from zero ends as the study of the same features near zero does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from worker_bench import Bench

from lamsearch.artifacts import Files, model_from


@pytest.mark.parametrize("curves", [False, True])
def test_an_offset_of_a_billion_changes_no_answer(
    bench: Callable[..., Bench], tmp_path: Path, curves: bool
) -> None:
    """X and X + 2³⁰ end with the same choice and test accuracy; the latter's model says 2³⁰."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 400)
    # multiples of 2**-20, so that the sum is exact
    x = np.round((rng.normal(size=(3, 10))[y] + rng.normal(size=(400, 10))) * 2**20) / 2**20
    searches = {"coarse": None, "fine": None, "finalists": None} if curves else {"fine": None}
    own = {"log10_lambda": -3.0, "test_curves": True} if curves else {}
    ended = []
    for offset in (0.0, 2.0**30):
        path = tmp_path / f"{offset}.npz"
        np.savez(path, X=x + offset, y=y)
        changes: dict[str, Any] = searches | {
            "data": {"source": str(path), "train": 150, "validation": 100, "test": 100},
            "final": {"train": 150, "validation": 100, **own},
        }
        one = bench(**changes)
        one.worker().run()
        record = one.record()
        assert record.final is not None
        assert record.selected is not None
        ended.append((record.final, record.selected.point[0]))
        content = Files(one.stored.files, one.stored.id).read_model(0)
        assert content is not None
        model = model_from(content)
        assert np.abs(model.mean - offset).max() < 2
        assert model.mean.dtype == (np.float64 if offset else np.float32)
    (plain, chosen), (moved, other) = ended
    assert chosen == other
    assert plain.mean > 0.7
    assert moved.scores == pytest.approx(plain.scores, abs=0.011)
