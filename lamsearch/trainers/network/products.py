"""The two products of a mini-batch with the first layers of all models, side by side in one matrix.

Enters: examples, the matrix V (F, K·H), gradients of what was multiplied. Leaves: X V, and
V ← V − Xᵀ δ. Refuses to know models, rates and penalties.

OpenBLAS copies its factors into blocks of its own before it multiplies them, which a narrow V pays
for with up to a third of the time. Its kernels for AVX-512 multiply without copies where M · N · K
is at most 100³ (Xianyi et al., OpenBLAS, ``sgemm_small_kernel_permit_skylakex.c``). With them a
narrow V is multiplied a few features at a time, so that each product is as small as that.
"""

from __future__ import annotations

from functools import cache
from math import ceil
from typing import Any

import numpy as np

from lamsearch import environment
from lamsearch.results import FloatArray
from lamsearch.scipy_blas import blas

_SMALL = 100**3  # M · N · K of the largest product that is not copied
_SMALL_KERNELS = frozenset({"SkylakeX", "Cooperlake", "SapphireRapids"})
_ROWS = 100  # examples in a small product at most
_FEATURES = 96  # features in one at least: with fewer, calls cost more than copies


class FirstProducts:
    """The products of so many examples with V, and the step on V, in buffers made once.

    The bits follow from the shapes and the machine's BLAS kernels alone.

    Args:
        V: the first layers (F, K·H), rows contiguous; `subtract` changes it in place.
        examples: B, the examples at once.
        kernels: the kernels of the BLAS libraries that multiply; those of this process unless
            given.
    """

    def __init__(self, V: FloatArray, examples: int, kernels: frozenset[str] | None = None) -> None:
        self._V = V
        self._gemm: Any = blas.sgemm if V.dtype == np.float32 else blas.dgemm
        features, columns = V.shape
        parts = max(1, ceil(examples / _ROWS))
        rows = ceil(examples / parts)
        most = _SMALL // max(1, rows * columns)
        self._size = features  # of a block of features; F where V is multiplied as a whole
        small = (_kernels() if kernels is None else kernels) <= _SMALL_KERNELS
        if small and _FEATURES <= most < features:
            self._size = ceil(features / ceil(features / most))
        self._rows = [slice(start, start + rows) for start in range(0, examples, rows)]
        starts = range(0, features, self._size)
        self._blocks = [slice(start, start + self._size) for start in starts]
        self._whole = features // self._size  # blocks of that size: the last may be a smaller one
        if len(self._blocks) > 1:
            self._sums = np.empty((len(self._blocks), rows, columns), V.dtype)
        self._seen: tuple[FloatArray, FloatArray] | None = None
        self._calls: list[tuple[FloatArray, FloatArray, FloatArray]] = []

    @property
    def blocks(self) -> int:
        """The blocks of features that V is multiplied in."""
        return len(self._blocks)

    def forward(self, x: FloatArray, out: FloatArray) -> None:
        """Write x V to ``out`` (B, K·H), for examples x (B, F)."""
        if len(self._blocks) == 1:
            np.matmul(x, self._V, out=out)
            return
        for rows in self._rows:
            self._forward(x[rows], out[rows])

    def subtract(self, x: FloatArray, deltas: FloatArray) -> None:
        """V ← V − xᵀ deltas, for x (B, F) and deltas (B, K·H)."""
        if len(self._blocks) == 1:
            self._gemm(-1.0, deltas.T, x.T, 1.0, self._V.T, 0, 1, 1)
            return
        if self._seen is None or self._seen[0] is not x or self._seen[1] is not deltas:
            self._seen = x, deltas
            self._calls = [
                (deltas[rows].T, x[rows, block].T, self._V[block].T)
                for block in self._blocks
                for rows in self._rows
            ]
        gemm = self._gemm
        for delta, part, block in self._calls:  # alpha, a, b, beta, c, trans_a, trans_b, overwrite
            gemm(-1.0, delta, part, 1.0, block, 0, 1, 1)

    def _forward(self, x: FloatArray, out: FloatArray) -> None:
        """The blocks' products in one call, or two where the last is smaller; then their sum."""
        count, size, V = self._whole, self._size, self._V
        sums = self._sums[:, : len(x)]
        stacked = x[:, : count * size].reshape(len(x), count, size).transpose(1, 0, 2)
        np.matmul(stacked, V[: count * size].reshape(count, size, -1), out=sums[:count])
        if count < len(self._blocks):
            np.matmul(x[:, count * size :], V[count * size :], out=sums[count])
        np.add.reduce(sums, axis=0, out=out)


@cache
def _kernels() -> frozenset[str]:
    """The kernels of NumPy's and SciPy's BLAS, as they name them."""
    return frozenset(one.kernel for one in environment.here().blas)
