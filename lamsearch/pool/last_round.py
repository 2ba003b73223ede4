"""How many workers more end a round of cohorts soonest, where all share the cores.

Enters: the cohorts that are left, what updates take, cores. Leaves: a number. Refuses to know who
works on them.

Cohorts are whole, so a round's last ones leave cores idle: of five equal ones on two cores the
last has one beside it. A worker more has them share the cores instead, and all end together. As
to share costs something, it begins no sooner than it has to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lamsearch.storage import Remaining

_NEARLY = 1e-9  # of the whole work, below which nothing is left of a cohort
_SHARING = 1.1  # times as long takes what shares cores: their caches hold too many cohorts
_MOMENTS = 24  # to begin at, of which one is the best
_FEW = 4  # workers more that are all tried


def workers_more(
    left: Sequence[Remaining], measured: Mapping[int, float], *, cores: int, gain: float
) -> int:
    """Return the fewest workers beyond those that train with whom all ends soonest.

    None before the last round, with no more cohorts waiting than there are cores; nor where that
    gains fewer than ``gain`` seconds, or where it gains more to start them later.

    Args:
        left: the cohorts that are not done, those that wait in the order in which they are claimed.
        measured: seconds of an update by the models of a cohort.
        cores: how many there are, a worker for each.
        gain: what starting a worker is worth, in seconds.
    """
    training = [one for one in left if one.leased]
    waiting = [one for one in left if not one.leased]
    if len(training) < cores or not 0 < len(waiting) <= cores or not measured:
        return 0
    held, queued = (
        [one.updates * _seconds_per_update(one.models, measured) for one in part]
        for part in (training, waiting)
    )

    def ends(more: int, after: float = 0.0) -> float:
        return seconds_to_end(held, queued, cores=cores, more=more, after=after)

    alone = ends(0)
    numbers = sorted({*range(1, min(_FEW, len(queued)) + 1), len(queued)})
    later = [alone * moment / _MOMENTS for moment in range(1, _MOMENTS)]
    now = {more: ends(more) for more in numbers}
    best = min(*now.values(), *(ends(more, after) for more in numbers for after in later))
    if alone - best < gain:
        return 0
    return next((more for more in numbers if now[more] < best + gain / 4), 0)


def seconds_to_end(
    training: Sequence[float],
    waiting: Sequence[float],
    *,
    cores: int,
    more: int = 0,
    after: float = 0.0,
) -> float:
    """Return after how many seconds all is done.

    Args:
        training: seconds of work on a core of its own, for each cohort in training.
        waiting: the same of those that wait.
        cores: how many there are, shared equally.
        more: workers beyond those that train, each of whom leaves after one cohort.
        after: seconds until they begin.
    """
    left = [(one, False) for one in training]  # and whether it is of a worker beyond
    queue, now, least = list(waiting), 0.0, _NEARLY * sum((*training, *waiting))
    while left or queue:
        if more and now >= after - least:
            left += [(one, True) for one in queue[:more]]
            queue, more = queue[more:], 0
        while queue and sum(not beyond for _, beyond in left) < len(training):
            left.append((queue.pop(0), False))
        slower = _SHARING * len(left) / cores if len(left) > cores else 1.0
        step = min(one for one, _ in left)
        if more:
            step = min(step, (after - now) / slower)
        now += step * slower
        left = [(one - step, beyond) for one, beyond in left if one - step > least]
    return now


def _seconds_per_update(models: int, measured: Mapping[int, float]) -> float:
    """What an update of a cohort takes, by those of the most similar one that is known."""
    similar = min(measured, key=lambda number: abs(number - models))
    return measured[similar] * models / similar
