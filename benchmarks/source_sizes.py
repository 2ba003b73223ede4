"""The best λ over the size of the training set: R9 of docs/source-report.md.

Enters: what R9's studies printed. Leaves: the best λ per size and seed, and the table. Refuses to
know other experiments.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from benchmarks.common import table
from benchmarks.source_numbers import Estimate, estimate, paired, peak, slopes
from benchmarks.source_rows import Found, interval, link, minus, values

SIZES = (5_000, 10_000, 20_000, 45_000)


def peaks(found: Found, names: Mapping[int, str]) -> dict[int, list[float]]:
    """Return the best log10 λ per size, one for every seed."""
    return {
        size: [
            peak(
                values(done, "coarse", "log10_lambda"),
                values(done, "coarse", "validation_accuracy"),
            )
            for done in found[name]
        ]
        for size, name in names.items()
    }


def by_updates() -> dict[int, str]:
    """Return the studies of R9 that train for one number of updates, by size."""
    return {size: f"r9-{size}" for size in SIZES}


def by_epochs() -> dict[int, str]:
    """Return the studies of R9 that train for one number of epochs; the largest is shared."""
    return {size: f"r9-{size}" + ("-epochs" if size < max(SIZES) else "") for size in SIZES}


def sizes(found: Found) -> str:
    """Return the table of R9 and what it says."""
    rows, lines = [], []
    for label, names in (
        ("3,600 updates", by_updates()),
        ("8 epochs", by_epochs()),
    ):
        best = peaks(found, names)
        for size, name in names.items():
            grid = np.array([values(done, "coarse", "validation_accuracy") for done in found[name]])
            train = np.array([values(done, "coarse", "train_accuracy") for done in found[name]])
            one, top = estimate(best[size]), int(grid.mean(axis=0).argmax())
            low, high = minus(one.low), minus(one.high)
            rows.append((
                label, link(name), f"{size:,}", f"{minus(one.mean)} [{low}, {high}]",
                f"{100 * grid.mean(axis=0)[top]:.2f} %", f"{100 * train.mean(axis=0)[top]:.1f} %",
                interval(estimate(grid[:, top] - grid[:, 0]), 100),
            ))  # fmt: skip
        slope = slopes(best)
        fall = paired(best[max(SIZES)], best[min(SIZES)])
        lines.append(
            f"- {label} whatever the size: ten times the images move the best log₁₀ λ by "
            f"{interval(slope)} (slope over the four sizes, per seed); from {min(SIZES):,} to "
            f"{max(SIZES):,} images by {interval(fall)}. {_verdict(slope)} Without any fit: what "
            f"λ = 1e-2 gains over 1e-4 is, with {max(SIZES):,} images against {min(SIZES):,}, "
            f"{interval(_gain(found, names), 100, ' points')}."
        )
    head = ("trained for", "study", "images", "best log₁₀ λ [95 %]", "validation accuracy there",
            "training accuracy there", "gained over λ = 1e-4, points")  # fmt: skip
    seeds = f"Over {len(found[NAMES[0]])} seeds:"
    return "\n\n".join([seeds, table(head, rows), "\n".join(lines)])


def _gain(found: Found, names: Mapping[int, str]) -> Estimate:
    """Return by how much less a penalty of 1e-2 gains over 1e-4 with the most than the fewest."""
    gains = []
    for size in (max(SIZES), min(SIZES)):
        place = values(found[names[size]][0], "coarse", "log10_lambda").index
        rows = [values(done, "coarse", "validation_accuracy") for done in found[names[size]]]
        gains.append([row[place(-2.0)] - row[place(-4.0)] for row in rows])
    return paired(*gains)


def _verdict(slope: Estimate) -> str:
    if not slope.clear:
        return "The interval holds 0: the data do not say."
    return "More data wants a " + ("smaller λ." if slope.mean < 0 else "larger λ.")


NAMES = tuple(dict.fromkeys([*by_updates().values(), *by_epochs().values()]))
