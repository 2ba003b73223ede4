"""How much each searched parameter matters: Optuna's own evaluators, over what was tried.

Enters: a record. Leaves: shares by dimension, with what chance alone would give, or why there are
none. Deterministic: everything drawn has a fixed seed. Loads Optuna's evaluators where they are
used; they see coordinates, so that a decade counts as a decade.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lamsearch.results import StageName, StudyRecord, once_per_record
from lamsearch.space import Bounds, Space
from lamsearch.statistics.searched import Searched, searched

if TYPE_CHECKING:
    from optuna.importance import BaseImportanceEvaluator

_ONE = threading.Lock()  # what many ask for at once is evaluated for the first of them
LEAST = 10  # trials, and five more for each dimension beyond two
_BEST = 8  # trials that are the best ones, where a tenth of all is fewer
_TREES = 32
_FOREST = 150  # trials that grow it: beyond that its trees take minutes
_MOST = 2000  # trials that are compared
_SHUFFLES = 3
_SEED = 20140621


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """What one evaluator says: a share per dimension, in the space's order, which sum to 1.

    ``chance`` is the largest share that a copy of a dimension got whose coordinates were shuffled
    among the trials, in a few evaluations of all dimensions with their copies beside them (the
    shadows of Kursa and Rudnicki 2010): a share that is no larger says nothing.
    """

    evaluator: str
    about: str
    shares: tuple[float, ...]
    chance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Importances:
    """Importances of a study's dimensions; ``why`` says what is lacking where there are none.

    ``trials`` complete ones of ``stages`` were used; ``left_out`` stages are trained otherwise.
    """

    stages: tuple[StageName, ...] = ()
    left_out: tuple[StageName, ...] = ()
    trials: int = 0
    evaluated: tuple[Shares, ...] = ()
    why: str | None = None

    @property
    def order(self) -> tuple[int, ...]:
        """The dimensions' indices, the most important first; empty where nothing is known."""
        if not self.evaluated:
            return ()
        shares = self.evaluated[0].shares
        return tuple(sorted(range(len(shares)), key=lambda index: (-shares[index], index)))


@once_per_record
def importances(record: StudyRecord) -> Importances:
    """Return how much each dimension matters to the score, over what the search tried."""
    found, space = searched(record), record.space
    if found is None:
        return Importances(why="no trial of the search is complete yet")
    found = found.thinned(_MOST)
    least, count = least_trials(space), len(found.points)
    known = Importances(stages=found.stages, left_out=found.left_out, trials=count)
    why = _lack(found, space, least)
    if why is not None:
        return replace(known, why=why)
    kinds = tuple((one.name, None if one.ordered else len(one.choices)) for one in space.dimensions)
    with _ONE:
        return replace(known, evaluated=_evaluated(kinds, found))


def least_trials(space: Space) -> int:
    """Return how many complete trials importances need at least."""
    return LEAST + 5 * max(0, len(space.dimensions) - 2)


def _lack(found: Searched, space: Space, least: int) -> str | None:
    count = len(found.points)
    if count < least:
        many = f"{count} trial{'' if count == 1 else 's'}"
        return (
            f"at least {least} complete trials are needed for {len(space.dimensions)} dimensions, "
            f"got {many} of {' and '.join(found.stages)}"
        )
    if min(found.scores) == max(found.scores):
        return f"all {count} trials have the same score"
    return None


Kinds = tuple[tuple[str, int | None], ...]


@lru_cache(maxsize=32)
def _evaluated(kinds: Kinds, found: Searched) -> tuple[Shares, ...]:
    """A page is made again and again while nothing changes: these are kept."""
    from optuna.importance import FanovaImportanceEvaluator, PedAnovaImportanceEvaluator

    count, few = len(found.points), found.thinned(_FOREST)
    best = min(max(math.ceil(count / 10), _BEST), count // 2)
    some = f", from {_FOREST} of the trials" if count > _FOREST else ""
    return (
        _shares(
            lambda: FanovaImportanceEvaluator(n_trees=_TREES, seed=_SEED),
            kinds, few,
            name="fANOVA", about=f"share of the score's variance over all that was searched{some}",
        ),
        _shares(
            lambda: PedAnovaImportanceEvaluator(target_quantile=best / count),
            kinds, found,
            name="PED-ANOVA", about=f"what the best {best} trials have in common",
        ),
    )  # fmt: skip


def _shares(
    make: Callable[[], BaseImportanceEvaluator],
    kinds: Kinds,
    tried: Searched,
    *,
    name: str,
    about: str,
) -> Shares:
    bounds, scores = tried.bounds, tried.scores
    table, rng = np.array(tried.points, dtype=np.float64), np.random.default_rng(_SEED)
    chance = 0.0
    for _ in range(_SHUFFLES):
        both = np.hstack([table, rng.permuted(table, axis=0)])
        shadows = tuple((f"{name} shuffled", count) for name, count in kinds)
        found = _evaluate(make(), kinds + shadows, bounds * 2, both, scores)
        own = sum(found[: len(kinds)])
        # as if it had been one more dimension beside the real ones
        chance = max(chance, *(x / (own + x) for x in found[len(kinds) :] if x > 0), 0.0)
    return Shares(
        evaluator=name,
        about=about,
        shares=_evaluate(make(), kinds, bounds, table, scores),
        chance=chance,
    )


def _evaluate(
    evaluator: BaseImportanceEvaluator,
    kinds: Kinds,
    bounds: Bounds,
    table: npt.NDArray[np.float64],
    scores: Sequence[float],
) -> tuple[float, ...]:
    """Shares by dimension, of trials with these coordinates and scores."""
    import optuna
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    kind: dict[str, Any] = {
        name: FloatDistribution(*ends) if count is None else CategoricalDistribution(range(count))
        for (name, count), ends in zip(kinds, bounds, strict=True)
    }
    study = optuna.create_study(direction="maximize")
    for row, score in zip(table, scores, strict=True):
        values = zip(kinds, row, strict=True)
        params = {name: float(x) if count is None else round(x) for (name, count), x in values}
        study.add_trial(optuna.create_trial(params=params, distributions=kind, value=score))
    found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return tuple(float(found[name]) for name, _ in kinds)
