"""Rows of a large matrix: those that were asked for, however the matrix lies in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lamsearch.results import FloatArray
from lamsearch.trainers.network import gathering
from lamsearch.trainers.network.gathering import Gatherer


@pytest.fixture
def mapped(tmp_path: Path) -> FloatArray:
    """A matrix of 17 MB in a file, mapped to be read only."""
    rng = np.random.default_rng(0)
    np.save(tmp_path / "x.npy", rng.standard_normal((1400, 3072), dtype=np.float32))
    return np.load(tmp_path / "x.npy", mmap_mode="r")


def _gathered(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    rows = np.random.default_rng(1).permutation(len(x))[:100]
    rows[:2] = 0, len(x) - 1
    out = np.full((100, x.shape[1]), np.nan, x.dtype)
    Gatherer(x)(rows, out)
    return out, np.stack([x[row] for row in rows])


def test_rows_of_a_large_mapped_matrix(mapped: FloatArray) -> None:
    """Of a matrix beyond caches, whose pages are looked at first, the rows come as they are."""
    assert mapped.nbytes >= gathering._LARGE
    found, expected = _gathered(mapped)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", [1, 255, 256, 1024, 1025, 3000])
def test_rows_of_any_width(monkeypatch: pytest.MonkeyPatch, width: int, dtype: str) -> None:
    """Rows shorter and longer than a page, or a number longer, come as they are."""
    monkeypatch.setattr(gathering, "_LARGE", 0)
    x = np.arange(300.0 * width).reshape(300, width).astype(dtype)
    found, expected = _gathered(x)
    np.testing.assert_array_equal(found, expected)


def test_rows_of_a_view(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a matrix whose rows do not lie one after the other the rows come as they are."""
    monkeypatch.setattr(gathering, "_LARGE", 0)
    x = np.arange(300.0 * 2048).reshape(300, 2048)[:, ::2]
    assert not x.flags.c_contiguous
    found, expected = _gathered(x)
    np.testing.assert_array_equal(found, expected)
