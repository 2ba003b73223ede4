"""The variance of what was never seen: of shares of examples that all came out alike. Pure."""

from __future__ import annotations


def unseen_variance(comparisons: int, examples: int) -> float:
    """Return the variance of a share that differed in none of so many ``comparisons``.

    What was seen in 0 of N cases has by Jeffreys' prior the rate q = (0 + ½)/(N + 1), so a
    share of ``examples`` has the variance q(1 − q)/examples and not 0.
    """
    rate = 0.5 / (comparisons + 1)
    return rate * (1 - rate) / examples
