"""The error of a score: of one run, of a mean over replicates, with an interval. Pure.

Enters: scores, each the mean of one number per example, and how many examples there are. Leaves:
standard errors and intervals in the same unit. A score whose examples count 0 or 1 is a share, and
its error follows from it; any other comes with its own. Refuses to know what was measured and what
it decides.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from lamsearch.metrics.shares import unseen_variance
from lamsearch.statistics.quantiles import normal_quantile, student_quantile


def binomial_error(share: float, examples: int) -> float:
    """Return the standard error √(p(1 − p)/examples) of one run's share p of the examples.

    All or none is no error of zero: there it is √`unseen_variance`.
    """
    p = min(max(share, 0.0), 1.0)
    return math.sqrt(max(p * (1 - p) / examples, unseen_variance(examples, examples)))


def standard_error(
    scores: Sequence[float], examples: int | None, single: float | None = None
) -> float | None:
    """Return the standard error of the mean of replicates' ``scores``.

    sd/√n over n replicates. Of one run ``single``, its error over the draw of examples; where that
    is None the score is a share: the binomial one, None where the number of ``examples`` is not
    known. Replicates whose shares agree to the last example have the variance of what was never
    seen in their (n − 1)·examples comparisons.
    """
    n, mean = len(scores), math.fsum(scores) / len(scores)
    if n == 1:
        if single is not None:
            return single
        return None if examples is None else binomial_error(mean, examples)
    variance = math.fsum((one - mean) ** 2 for one in scores) / (n - 1) / n
    if examples is not None and single is None:
        variance = max(variance, unseen_variance((n - 1) * examples, examples) / n)
    return math.sqrt(variance)


def wilson95(share: float, examples: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval for the draw of the examples (Wilson 1927).

    It keeps its coverage near 0 and 1, where p ± 1.96·√(p(1 − p)/n) has no width.
    """
    z = normal_quantile(0.975)
    shrunk = 1 + z**2 / examples
    centre = (share + z**2 / (2 * examples)) / shrunk
    spread = share * (1 - share) / examples + z**2 / (4 * examples**2)
    half = z * math.sqrt(spread) / shrunk
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))


def interval95(
    mean: float, sd: float, n: int, examples: int, single: float | None = None
) -> tuple[float, float]:
    """Return a 95 % interval for the score expected over seeds, on new examples.

    ``mean`` and ``sd`` are those of n replicates measured on the same ``examples``. The two errors
    are independent, so on each side their half widths add in squares: Student's for the mean over
    n seeds, and for the draw of the examples Wilson's of a share, or 1.96 times ``single``, that
    draw's standard error, of any other score. A single newly trained model varies more, by its own
    seed; with one replicate the interval is that model's and knows nothing of seeds.
    """
    seeds = float(student_quantile(n - 1, 0.975)) * sd / math.sqrt(n) if n > 1 else 0.0
    if single is not None:
        half = math.hypot(seeds, normal_quantile(0.975) * single)
        return mean - half, mean + half
    low, high = wilson95(mean, examples)
    return (
        max(0.0, mean - math.hypot(seeds, mean - low)),
        min(1.0, mean + math.hypot(seeds, high - mean)),
    )
