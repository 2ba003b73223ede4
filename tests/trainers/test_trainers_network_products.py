"""The two products with the first layers, in blocks of features and whole, against float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from lamsearch.trainers.network.products import FirstProducts

AVX512, OTHER = frozenset({"SkylakeX", "Cooperlake"}), frozenset({"SkylakeX", "Haswell"})
Array = npt.NDArray[Any]


def drawn(examples: int, features: int, columns: int, dtype: str) -> tuple[Array, Array, Array]:
    """Examples, first layers, gradients of their products."""
    rng = np.random.default_rng(examples + features + columns)
    shapes = ((examples, features), (features, columns), (examples, columns))
    x, V, deltas = (rng.standard_normal(shape).astype(dtype) for shape in shapes)
    return x, V, deltas


@pytest.mark.parametrize(
    ("kernels", "examples", "features", "columns", "blocks"),
    [
        (AVX512, 100, 3072, 50, 16),  # 100 · 50 · 192 multiplications each
        (AVX512, 100, 3072, 100, 31),  # 99 or 100 features: the last block is the smaller one
        (AVX512, 100, 3072, 200, 1),  # too wide: fewer than 96 features would be a block
        (AVX512, 1000, 3072, 50, 16),  # ten parts of 100 examples
        (AVX512, 250, 3072, 50, 13),  # three parts of 84, 84 and 82
        (AVX512, 32, 64, 16, 1),  # small as a whole
        (AVX512, 100, 3072, 0, 1),  # every model has left
        (OTHER, 100, 3072, 50, 1),  # one of the libraries has no small products
    ],
)
def test_blocks_follow_from_sizes_and_kernels(
    kernels: frozenset[str], examples: int, features: int, columns: int, blocks: int
) -> None:
    """Blocks are as large as OpenBLAS multiplies without copies, where its kernels do."""
    V = np.zeros((features, columns), np.float32)
    assert FirstProducts(V, examples, kernels).blocks == blocks


@pytest.mark.parametrize("kernels", [AVX512, OTHER], ids=["blocks", "whole"])
@pytest.mark.parametrize(("dtype", "error"), [("float32", 1e-4), ("float64", 1e-12)])
@pytest.mark.parametrize(
    ("examples", "features", "columns"), [(100, 3072, 50), (100, 3071, 100), (250, 1000, 50)]
)
def test_products_are_those_of_whole_matrices(
    kernels: frozenset[str], dtype: str, error: float, examples: int, features: int, columns: int
) -> None:
    """In blocks and whole, out = x V, and V − xᵀ δ in place, again after δ has changed in place."""
    x, V, deltas = drawn(examples, features, columns, dtype)
    wide, before = (one.astype(np.float64) for one in (x, V))
    products, out = FirstProducts(V, examples, kernels), np.empty_like(deltas)
    products.forward(x, out)
    np.testing.assert_allclose(out, wide @ before, atol=error * np.sqrt(features))
    for factor in (1, 3):
        deltas *= factor
        before -= wide.T @ deltas.astype(np.float64)
        products.subtract(x, deltas)
        np.testing.assert_allclose(V, before, atol=error * np.sqrt(examples))


def test_other_examples_are_multiplied_the_next_time() -> None:
    """A step on a new mini-batch in an array of its own takes that one, not the last one's."""
    x, V, deltas = drawn(100, 3072, 50, "float32")
    others, expected = x[::-1].copy(), V.astype(np.float64)
    products = FirstProducts(V, 100, AVX512)
    for seen in (x, others):
        products.subtract(seen, deltas)
        expected -= seen.T.astype(np.float64) @ deltas
    np.testing.assert_allclose(V, expected, atol=1e-3)
