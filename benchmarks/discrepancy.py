"""How evenly samplers fill several dimensions, at numbers of candidates that searches have.

Prints the root of the mean squared centred discrepancy over draws, lower is more even, and writes
its section of RESULTS.md. Needs no data.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.stats import qmc

from benchmarks.common import publish, read_options, table
from lamsearch.search import samplers

Shares = npt.NDArray[np.float64]
Draw = Callable[[int, int, np.random.Generator], Shares]
DIMENSIONS = (2, 3, 5)
COUNTS = (8, 12, 16, 20, 24, 32, 48, 64)


def hypercube(count: int, dimensions: int, rng: np.random.Generator) -> Shares:
    """Draw a Latin hypercube as it comes."""
    return np.asarray(qmc.LatinHypercube(dimensions, seed=rng).random(count))


def sobol(count: int, dimensions: int, rng: np.random.Generator) -> Shares:
    """Draw scrambled Sobol points, which are balanced for powers of two alone."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return np.asarray(qmc.Sobol(dimensions, scramble=True, seed=rng).random(count))


WAYS: dict[str, Draw] = {
    "`random`": samplers.uniform,
    "Latin hypercube": hypercube,
    "`stratified`: the same, exchanged": samplers.stratified,
    "scrambled Sobol": sobol,
}


def discrepancy(way: Draw, count: int, dimensions: int, draws: int) -> float:
    """Return the root mean squared centred discrepancy over draws with seeds of their own."""
    found = [
        qmc.discrepancy(way(count, dimensions, np.random.default_rng(k))) for k in range(draws)
    ]
    return float(np.sqrt(np.mean(found)))


def main() -> None:
    """Run the benchmark."""
    options = read_options(__doc__ or "")
    draws = 3 if options.quick else 40
    rows = [
        [f"{dimensions}, {count}"]
        + [f"{discrepancy(way, count, dimensions, draws):.4f}" for way in WAYS.values()]
        for dimensions in DIMENSIONS for count in COUNTS
    ]  # fmt: skip
    text = f"Root mean squared centred discrepancy over {draws} draws; lower is more even."
    publish("discrepancy", f"{text}\n\n{table(['dimensions, candidates', *WAYS], rows)}", options)


if __name__ == "__main__":
    main()
