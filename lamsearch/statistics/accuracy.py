"""The error of an accuracy: of one run, of a mean over replicates, with an interval. Pure.

Enters: accuracies as fractions, and how many examples they were measured on. Leaves: standard
errors and intervals in the same unit. Refuses to know what was measured and what it decides.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy.special import ndtri, stdtrit

_Z = float(ndtri(0.975))


def binomial_error(accuracy: float, examples: int) -> float:
    """Return the standard error √(p(1 − p)/examples) of one run's accuracy p.

    All right or all wrong is no error of zero: there it is √`unseen_variance`.
    """
    p = min(max(accuracy, 0.0), 1.0)
    return math.sqrt(max(p * (1 - p) / examples, unseen_variance(examples, examples)))


def unseen_variance(comparisons: int, examples: int) -> float:
    """Return the variance of an accuracy that differed in none of so many ``comparisons``.

    What was seen in 0 of N cases has by Jeffreys' prior the rate q = (0 + ½)/(N + 1), so an
    accuracy over ``examples`` has the variance q(1 − q)/examples and not 0.
    """
    rate = 0.5 / (comparisons + 1)
    return rate * (1 - rate) / examples


def standard_error(accuracies: Sequence[float], examples: int | None) -> float | None:
    """Return the standard error of the mean of replicates' ``accuracies``.

    sd/√n over n replicates; of one run the binomial one, None where the number of ``examples`` is
    not known. Replicates that agree to the last example have the variance of what was never seen
    in their (n − 1)·examples comparisons.
    """
    n, mean = len(accuracies), math.fsum(accuracies) / len(accuracies)
    if n == 1:
        return None if examples is None else binomial_error(mean, examples)
    variance = math.fsum((one - mean) ** 2 for one in accuracies) / (n - 1) / n
    if examples is not None:
        variance = max(variance, unseen_variance((n - 1) * examples, examples) / n)
    return math.sqrt(variance)


def wilson95(accuracy: float, examples: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval for the draw of the examples (Wilson 1927).

    It keeps its coverage near 0 and 1, where p ± 1.96·√(p(1 − p)/n) has no width.
    """
    shrunk = 1 + _Z**2 / examples
    centre = (accuracy + _Z**2 / (2 * examples)) / shrunk
    spread = accuracy * (1 - accuracy) / examples + _Z**2 / (4 * examples**2)
    half = _Z * math.sqrt(spread) / shrunk
    return max(0.0, min(accuracy, centre - half)), min(1.0, max(accuracy, centre + half))


def interval95(mean: float, sd: float, n: int, examples: int) -> tuple[float, float]:
    """Return a 95 % interval for the accuracy expected over seeds, on new examples.

    ``mean`` and ``sd`` are those of n replicates measured on the same ``examples``. The two errors
    are independent, so on each side their half widths add in squares: Student's for the mean over
    n seeds, and Wilson's for the draw of the examples. A single newly trained network varies more,
    by its own seed; with one replicate the interval is that network's and knows nothing of seeds.
    """
    seeds = float(stdtrit(n - 1, 0.975)) * sd / math.sqrt(n) if n > 1 else 0.0
    low, high = wilson95(mean, examples)
    return (
        max(0.0, mean - math.hypot(seeds, mean - low)),
        min(1.0, mean + math.hypot(seeds, high - mean)),
    )
