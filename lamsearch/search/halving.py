"""Successive halving inside one cohort, at cycle ends: who leaves, and what it saves. Pure.

Enters: the scores and losses of one cohort's models at the end of a cycle. Leaves: the positions
of those that leave. Refuses to know other cohorts: nothing about a trial depends on them.

After Jamieson and Talwalkar 2016 (arXiv:1502.07943). Cycle ends only, for the learning rate is
high in between, where scores do not compare.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# Two halvings leave a quarter, for (4 + cycles) / (4 · cycles) of the updates: half at four cycles.
# A third would save another 32nd there, and half of those that are scored at full length.
_HALVINGS = 2


def survivors(planned: int, *, cycle: int, cycles: int) -> int:
    """Return how many of a cohort's ``planned`` models at most stay after the end of a cycle.

    ⌊planned / 2^h⌋ and at least one, with h = min(cycle, 2, cycles − 1): half of them leave at the
    end of the first cycle and half of the rest at the end of the second, nobody at the end of the
    last. ``cycle`` counts the cycles that have ended, of ``cycles``; 0 is the start.
    """
    halvings = min(cycle, _HALVINGS, cycles - 1)
    return max(1, planned >> halvings)


def leavers(
    scores: npt.ArrayLike, losses: npt.ArrayLike, *, cycle: int, cycles: int
) -> tuple[int, ...]:
    """Return the positions of the models that leave at the end of ``cycle``, the best first.

    ``scores`` and ``losses`` (planned,) are those on validation at that end, NaN for a model that
    is no longer in training. The best `survivors` stay, in the order of `rank`: by score, then
    lower loss, then position. Models that failed count as gone: where half of a cohort
    diverged, nobody else leaves. So asking again, with those that left as NaN, gives nobody.
    """
    if cycle >= cycles:
        return ()
    score, loss = np.asarray(scores, np.float64), np.asarray(losses, np.float64)
    training = np.flatnonzero(~np.isnan(score))
    order = np.lexsort((training, loss[training], -score[training]))
    stay = survivors(len(score), cycle=cycle, cycles=cycles)
    return tuple(int(model) for model in training[order[stay:]])


def reasons(
    scores: npt.ArrayLike, losses: npt.ArrayLike, *, cycle: int, cycles: int
) -> dict[int, str]:
    """Return `leavers`, each with the sentence that goes with it."""
    leave = leavers(scores, losses, cycle=cycle, cycles=cycles)
    count = int(np.count_nonzero(~np.isnan(np.asarray(scores, np.float64))))
    first = count - len(leave) + 1
    return {
        model: f"halving: place {place} of {count} in its cohort at the end of cycle {cycle}"
        for place, model in enumerate(leave, first)
    }


def model_cycles(planned: int, *, cycles: int) -> int:
    """Return the cycles that a cohort's models train in all where none fails.

    Eight models over four cycles: 8 + 4 + 2 + 2 = 16, where 32 are planned.
    """
    return sum(survivors(planned, cycle=cycle, cycles=cycles) for cycle in range(cycles))
