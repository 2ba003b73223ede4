"""Mean and standard deviation of every feature, and the type in which a feature keeps its values.

Enters: raw examples, or the bounds of their features. Leaves: moments, or whether float32 is
enough. Pure; refuses to know splits and files.

float32 has 24 bits: of a feature like 10⁹ ± 1 (seconds since 1970, an identifier, a pressure in
pascals) it keeps nothing of what varies. Such data are kept, centred and scaled in float64, and
only then become float32. All others are in float32 from the start, at half the memory.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from lamsearch.data.images import Moments, Raw

CHUNK_VALUES = 1 << 20  # 4 MB of float32: what normalising needs beside its result
FAR = 100  # times its range that a feature may lie from zero: float32 then keeps 17 of its bits
LARGEST = 1e300  # so that no difference of two values overflows float64
# The std of a feature of which the training examples say nothing: by it any value becomes a number
# that changes no float32 sum, so that no untrained weight has a say.
UNSEEN = 2.0**100
_FLOAT32_LARGEST = float(np.finfo(np.float32).max) / 4
_FLOAT32_SMALLEST = 2.0**-100  # of ranges: squares and quotients stay clear of subnormal numbers
NOISE = 8 * float(np.finfo(np.float64).eps)  # of a value: a constant that was computed

Order = npt.NDArray[np.intp]
Doubles = npt.NDArray[np.float64]


def needs_float64(
    low: npt.NDArray[np.number], high: npt.NDArray[np.number], *, whole: bool
) -> bool:
    """Return whether float32 would lose what varies in a feature between its bounds.

    ``low`` and ``high`` (features) are finite. A feature that varies by no more than float64's own
    rounding is a constant that was computed, and needs nothing; ``whole`` numbers are not computed.
    """
    # whole numbers of 64 bits are exact in it, and no difference overflows
    lowest, highest = low.astype(np.longdouble), high.astype(np.longdouble)
    size = np.maximum(abs(lowest), abs(highest))
    spread = highest - lowest
    varies = spread > (0 if whole else 4 * NOISE * size)
    lost = (size > FAR * spread) | (spread < _FLOAT32_SMALLEST)
    return bool(((size > _FLOAT32_LARGEST) | varies & lost).any())


def moments(x: Raw, order: Order) -> tuple[Moments, Moments]:
    """Return mean and std (features) of the examples in ``order``, computed in float64.

    They are float64 where x is, else float32. The uint8 sums are exact. Constant features, and
    those whose std vanishes in that type, have 1. A missing value (NaN) counts as the mean of the
    others; of a feature without any the mean is 0 and the std `UNSEEN`.
    """
    if x.dtype == np.float64:
        mean, std = _float64_moments(x, order)
        return _despite_missing(x, order, mean, std)
    mean, std = _uint8_moments(x, order) if x.dtype == np.uint8 else _float32_moments(x, order)
    mean, std = _despite_missing(x, order, mean, std)
    single = std.astype(np.float32)
    single[single == 0] = 1
    return mean.astype(np.float32), single


def chunks(order: Order, features: int) -> Iterator[Order]:
    """Yield ``order`` in parts whose examples fit into a processor's cache."""
    rows = max(1, CHUNK_VALUES // features)
    for start in range(0, len(order), rows):
        yield order[start : start + rows]


def _despite_missing(x: Raw, order: Order, mean: Doubles, std: Doubles) -> tuple[Doubles, Doubles]:
    """Return moments in which features with a missing value have those of their other values."""
    lacking = np.flatnonzero(np.isnan(mean))
    for feature in lacking:
        values = x[order, feature].astype(np.float64)
        known = values[~np.isnan(values)]
        if not known.size:
            mean[feature], std[feature] = 0, UNSEEN
            continue
        away = known - known[0]  # so that a constant is exactly one
        centre = away.mean()
        mean[feature] = known[0] + centre
        std[feature] = np.sqrt(np.square(away - centre).sum() / len(order))
        if std[feature] <= NOISE * max(abs(mean[feature]), abs(known[0])):
            std[feature] = 1
    return mean, std


def _uint8_moments(x: Raw, order: Order) -> tuple[Doubles, Doubles]:
    total = np.zeros(x.shape[1], np.int64)
    squares = np.zeros(x.shape[1], np.int64)
    for rows in chunks(order, x.shape[1]):
        chunk = x[rows]
        total += chunk.sum(axis=0, dtype=np.int64)
        squares += np.square(chunk, dtype=np.uint16).sum(axis=0, dtype=np.int64)
    n = len(order)
    # Python's whole numbers: n Σx² - (Σx)² cancels, and must be exactly 0 for a constant.
    spread = n * squares.astype(object) - total.astype(object) ** 2
    return total / (255 * n), np.sqrt(spread.astype(np.float64)) / (255 * n)


def _float32_moments(x: Raw, order: Order) -> tuple[Doubles, Doubles]:
    features = x.shape[1]
    total, squares = np.zeros(features), np.zeros(features)
    for rows in chunks(order, features):
        total += x[rows].sum(axis=0, dtype=np.float64)
    mean = total / len(order)  # exact for a constant: 24 bits times fewer than 2 ** 29 examples
    for rows in chunks(order, features):
        squares += np.square(x[rows] - mean).sum(axis=0)
    return mean, np.sqrt(squares / len(order))


def _float64_moments(x: Raw, order: Order) -> tuple[Doubles, Doubles]:
    """Sum differences from the first example, in units of a power of two of their own size.

    So a constant is exactly one, an offset costs no digits, and no square overflows or vanishes.
    """
    features, first = x.shape[1], x[order[0]]
    largest = np.zeros(features)
    for rows in chunks(order, features):
        np.maximum(largest, np.abs(x[rows] - first).max(axis=0), out=largest)
    unit = np.ldexp(1.0, np.frexp(largest)[1] - 1)
    total, squares = np.zeros(features), np.zeros(features)
    for rows in chunks(order, features):
        total += ((x[rows] - first) / unit).sum(axis=0)
    centre = total / len(order)
    for rows in chunks(order, features):
        squares += np.square((x[rows] - first) / unit - centre).sum(axis=0)
    mean, std = first + centre * unit, np.sqrt(squares / len(order)) * unit
    std[std <= NOISE * np.maximum(np.abs(mean), np.abs(first))] = 1
    return mean, std
