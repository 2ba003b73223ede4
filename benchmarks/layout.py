"""What was chosen for the layout of weights and cached images, against what was not.

Enters: nothing. Leaves: the two wide products of an update as a share of the machine's sgemm rate
for each layout and library, and the cost of gathering a mini-batch from float32 or from bytes.

    python -m benchmarks.layout [--quick]
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np
from scipy.linalg.blas import sgemm
from threadpoolctl import threadpool_limits

from benchmarks.common import Options, Spread, publish, read_options, spread, table
from lamsearch.trainers.network.products import FirstProducts

FEATURES, HIDDEN, BATCH, ROWS = 3072, 50, 100, 20_000
SQUARE = 2048
Work = Callable[[], object]


def seconds(work: Work) -> float:
    """Return the seconds of one call."""
    start = perf_counter()
    work()
    return perf_counter() - start


def products(cohort: int) -> dict[str, tuple[Work, Work]]:
    """Forward and update of every layout and library, named by layout, library of the forward."""
    rng, width = np.random.default_rng(0), cohort * HIDDEN
    x = rng.standard_normal((BATCH, FEATURES), dtype=np.float32)
    wide = rng.standard_normal((FEATURES, width), dtype=np.float32) * np.float32(0.01)
    tall = np.ascontiguousarray(wide.T)
    delta = rng.standard_normal((BATCH, width), dtype=np.float32) * np.float32(1e-6)
    z = np.empty((BATCH, width), np.float32)

    def update_wide() -> object:
        return sgemm(-1, delta.T, x.T, trans_b=1, beta=1, c=wide.T, overwrite_c=1)

    def update_tall() -> object:
        return sgemm(-1, x.T, delta.T, trans_b=1, beta=1, c=tall.T, overwrite_c=1)

    as_trained = FirstProducts(wide, BATCH)
    return {
        f"as trained, blocks of features: {as_trained.blocks}": (
            lambda: as_trained.forward(x, z), lambda: as_trained.subtract(x, delta)),
        "V (features, models·hidden), NumPy": (
            lambda: np.matmul(x, wide, out=z), update_wide),
        "V (features, models·hidden), SciPy": (
            lambda: sgemm(1, wide.T, x.T, beta=0, c=z.T, overwrite_c=1), update_wide),
        "V (models·hidden, features), NumPy": (
            lambda: np.matmul(x, tall.T, out=z), update_tall),
        "V (models·hidden, features), SciPy": (
            lambda: sgemm(1, tall.T, x.T, trans_a=1, beta=0, c=z.T, overwrite_c=1), update_tall),
    }  # fmt: skip


def product_table(options: Options) -> str:
    """The share of the sgemm rate that each layout reaches, interleaved in one run."""
    rng = np.random.default_rng(1)
    a, b = (np.asfortranarray(rng.random((SQUARE, SQUARE), dtype=np.float32)) for _ in range(2))
    c = np.asfortranarray(a)
    rows = []
    for cohort in (1, 2, 4, 8):
        candidates = products(cohort)
        shares: dict[str, tuple[list[float], list[float]]] = {n: ([], []) for n in candidates}
        flop = 2 * BATCH * FEATURES * HIDDEN * cohort
        for _ in range(5 if options.quick else 60):
            machine = seconds(lambda: sgemm(1, a, b, beta=0, c=c, overwrite_c=1))
            ideal = flop * machine / (2 * SQUARE**3)
            for name, (forward, update) in candidates.items():
                forward()
                update()  # the caches as training leaves them
                shares[name][0].append(ideal / seconds(forward))
                shares[name][1].append(ideal / seconds(update))
        rows += [
            [name, f"{cohort}", spread(forward).text(), spread(update).text()]
            for name, (forward, update) in shares.items()
        ]
    return table(["layout, library of the forward product", "cohort", "forward", "update"], rows)


def gather_table(options: Options) -> str:
    """Microseconds to have a normalised mini-batch, from images mapped in either form."""
    rng = np.random.default_rng(2)
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        raw = rng.integers(0, 256, (ROWS, FEATURES), dtype=np.uint8)
        np.save(place / "bytes.npy", raw)
        np.save(place / "singles.npy", raw.astype(np.float32))
        small = np.asarray(np.load(place / "bytes.npy", mmap_mode="r"))
        large = np.asarray(np.load(place / "singles.npy", mmap_mode="r"))
        mean, factor = np.full(FEATURES, 120, np.float32), np.full(FEATURES, 0.02, np.float32)
        out, bytes_out = np.empty((BATCH, FEATURES), np.float32), np.empty((BATCH, FEATURES), "u1")

        def from_singles(rows: np.ndarray) -> None:
            np.take(large, rows, axis=0, out=out, mode="clip")

        def from_bytes(rows: np.ndarray) -> None:
            np.take(small, rows, axis=0, out=bytes_out, mode="clip")
            np.subtract(bytes_out, mean, out=out)
            np.multiply(out, factor, out=out)

        ways = {"float32, as cached: chosen": from_singles, "bytes, normalised here": from_bytes}
        for _ in range(100 if options.quick else 2000):
            rows = rng.integers(0, ROWS, BATCH)
            for way, gather in ways.items():
                found.setdefault(way, []).append(1e6 * seconds(partial(gather, rows)))
    spreads: dict[str, Spread] = {way: spread(values) for way, values in found.items()}
    lines = [[way, one.text(0)] for way, one in spreads.items()]
    return table(["images in the cache", f"gather of {BATCH}, µs"], lines)


def main() -> None:
    """Run the benchmark."""
    options = read_options(__doc__ or "")
    with threadpool_limits(limits=1):
        text = (
            f"Share of the machine's sgemm rate ({SQUARE}³) that the two wide products of an "
            f"update reach, batch {BATCH}, one thread, interleaved; median (quartiles).\n\n"
            f"{product_table(options)}\n\n{gather_table(options)}"
        )
    publish("layout", text, options)


if __name__ == "__main__":
    main()
