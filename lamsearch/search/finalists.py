"""Which λs are trained again with more replicates: the best ones, further ones, proposed ones.

Enters: finished stages as records. Leaves: log10 λs. Pure.
Refuses to know the test set, training accuracy, storages and plans.
"""

from __future__ import annotations

from lamsearch.errors import WorkFailedError
from lamsearch.results import StageRecord
from lamsearch.statistics import Candidate, model, rank

MODELLED = 3  # candidates that a model needs at least


def spacing(stage: StageRecord) -> float:
    """Return the least distance of finalists in log10 λ: a quarter of the interval's width."""
    low, high = stage.interval or (0.0, 0.0)
    return (high - low) / 4


def finalists(stage: StageRecord, *, keep: int, examples: int) -> list[float]:
    """Return log10 λ of at most ``keep`` best candidates that lie apart.

    Greedily from the best, each at least a quarter of the interval's width from those before:
    neighbours would tell the same thing twice.

    Raises:
        WorkFailedError: No candidate of the stage ended well.
    """
    chosen: list[float] = []
    for one in rank_or_fail(stage, examples):
        if len(chosen) < keep and all(
            abs(one.log10_lambda - other) >= spacing(stage) for other in chosen
        ):
            chosen.append(one.log10_lambda)
    return chosen


def extension(
    stage: StageRecord, *, step: float, within: tuple[float, float], examples: int
) -> list[float]:
    """Return log10 λ of further finalists, where the best one so far is the outermost.

    The stages before were trained at another schedule, so the best λ at the final's may lie
    beyond all that they passed on. Two more are tried, one and two steps beyond the best, as far
    as they lie ``within`` the searched interval; none where the best has worse ones on both sides.

    Raises:
        WorkFailedError: No candidate of the stage ended well.
    """
    best = rank_or_fail(stage, examples)[0].log10_lambda
    tried = [trial.log10_lambda for trial in stage.trials if trial.log10_lambda is not None]
    beyond: list[float] = []
    if step > 0 and best == max(tried):
        beyond += [best + step, best + 2 * step]
    if step > 0 and best == min(tried):
        beyond += [best - step, best - 2 * step]
    return [value for value in beyond if within[0] <= value <= within[1]]


def proposals(stage: StageRecord, *, count: int, examples: int) -> list[float]:
    """Return log10 λ of further finalists that a model of the stage's scores thinks may be best.

    They lie between those tried; none where fewer than three candidates ended well.

    Raises:
        WorkFailedError: No candidate of the stage ended well.
    """
    values = [one.log10_lambda for one in rank_or_fail(stage, examples)]
    if len(values) < MODELLED:
        return []
    fitted = model.fit(model.scores(stage, examples), (min(values), max(values)))
    return model.propose(fitted, values, count)


def rank_or_fail(stage: StageRecord, examples: int) -> list[Candidate]:
    """Return the candidates of a stage, best first, at least one.

    Raises:
        WorkFailedError: No candidate ended well.
    """
    found = rank(stage, examples)
    if not found:
        raise WorkFailedError(
            f"{stage.name}: nothing to select from, no candidate of {stage.planned} trials ended "
            "with a finite cost; lower eta_max or the upper bound of log10_lambda"
        )
    return found
