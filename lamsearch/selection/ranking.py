"""From ranking to winner: which λs go on, and which one it is.

Enters: finished stages as records. Leaves: log10 λs and why. Pure.
Refuses to know the test set, training accuracy, storages and plans.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from lamsearch.errors import WorkFailedError
from lamsearch.results import (
    MODEL_RULE,
    Score,
    ScoreKind,
    Selected,
    StageRecord,
    TrialRecord,
    TrialState,
)
from lamsearch.selection import model
from lamsearch.statistics import standard_error

Rule = Literal["best", "one_standard_error", "model"]
_MODELLED = 3  # candidates that a model needs at least


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A candidate with the mean of its replicates; only those whose replicates all ended well."""

    candidate: int
    log10_lambda: float
    accuracy: float
    loss: float
    se: float
    n: int


def rank(stage: StageRecord, validation_images: int) -> list[Judged]:
    """Return the candidates, best first: by accuracy, then lower loss, then candidate number.

    A candidate with a replicate that failed is not ranked: its λ is one that can fail.
    """
    by_candidate: dict[int, list[TrialRecord]] = {}
    for trial in stage.trials:
        by_candidate.setdefault(trial.candidate, []).append(trial)
    judged = [
        _judge(trials, validation_images)
        for trials in by_candidate.values()
        if all(trial.state is TrialState.COMPLETE for trial in trials)
    ]
    return sorted(judged, key=lambda one: (-one.accuracy, one.loss, one.candidate))


def narrow(
    coarse: StageRecord, *, keep: int, validation_images: int, drawn: int | None = None
) -> tuple[float, float]:
    """Return the fine interval: the span of the best ``keep`` of coarse, widened and clipped.

    Each end is widened by half the mean distance of coarse's candidates, (hi − lo) / (2·trials)
    of the coarse interval, because the optimum may lie beside the best draw as well as between
    two; then clipped to that interval. ``drawn`` is how many candidates were drawn in the interval
    where that is not all of them: a further round of fine has those of the rounds before as well.

    Raises:
        WorkFailedError: No candidate of coarse ended well.
    """
    best = _ranked(coarse, validation_images)[:keep]
    values = [one.log10_lambda for one in best]
    low, high = searched(coarse)
    margin = (high - low) / (2 * (drawn or len({trial.candidate for trial in coarse.trials})))
    interval = (max(low, min(values) - margin), min(high, max(values) + margin))
    if interval[0] == interval[1]:  # one given value: there is no width to widen by
        raise WorkFailedError(
            f"fine: coarse has the one candidate {values[0]!r} and no interval; "
            "give fine.values or more candidates"
        )
    return interval


def searched(stage: StageRecord) -> tuple[float, float]:
    """Return the interval in log10 λ that a stage searched, or the span of its given values."""
    values = [one.log10_lambda for one in stage.trials if one.log10_lambda is not None]
    return stage.interval or (min(values), max(values))


def apart(stage: StageRecord) -> float:
    """Return how far finalists lie apart in log10 λ: a quarter of the interval's width."""
    low, high = stage.interval or (0.0, 0.0)
    return (high - low) / 4


def finalists(stage: StageRecord, *, keep: int, validation_images: int) -> list[float]:
    """Return log10 λ of at most ``keep`` best candidates that lie apart.

    Greedily from the best, each at least a quarter of the interval's width from those before:
    neighbours would tell the same thing twice.

    Raises:
        WorkFailedError: No candidate of the stage ended well.
    """
    ranked = _ranked(stage, validation_images)
    chosen: list[float] = []
    for one in ranked:
        if len(chosen) < keep and all(
            abs(one.log10_lambda - other) >= apart(stage) for other in chosen
        ):
            chosen.append(one.log10_lambda)
    return chosen


def extension(
    stage: StageRecord, *, step: float, within: tuple[float, float], validation_images: int
) -> list[float]:
    """Return log10 λ of further finalists, where the best one so far is the outermost.

    The stages before were trained at another schedule, so the best λ at the final's may lie
    beyond all that they passed on. Two more are tried, one and two steps beyond the best, as far
    as they lie ``within`` the searched interval; none where the best has worse ones on both sides.

    Raises:
        WorkFailedError: No candidate of the stage ended well.
    """
    best = _ranked(stage, validation_images)[0].log10_lambda
    tried = [trial.log10_lambda for trial in stage.trials if trial.log10_lambda is not None]
    beyond: list[float] = []
    if step > 0 and best == max(tried):
        beyond += [best + step, best + 2 * step]
    if step > 0 and best == min(tried):
        beyond += [best - step, best - 2 * step]
    return [value for value in beyond if within[0] <= value <= within[1]]


def proposals(stage: StageRecord, *, count: int, validation_images: int) -> list[float]:
    """Return log10 λ of further finalists that a model of the stage's scores thinks may be best.

    They lie between those tried; none where fewer than three candidates ended well.

    Raises:
        WorkFailedError: No candidate of the stage ended well.
    """
    values = [one.log10_lambda for one in _ranked(stage, validation_images)]
    if len(values) < _MODELLED:
        return []
    fitted = model.fit(model.scores(stage, validation_images), (min(values), max(values)))
    return model.propose(fitted, values, count)


def winner(
    deciding: StageRecord,
    searched: Sequence[StageRecord],
    *,
    validation_images: int,
    rule: Rule = "best",
) -> Selected:
    """Return the λ that a rule chooses from ``deciding``, by mean validation accuracy.

    ``best``: the candidate with the best mean. ``one_standard_error``: the largest λ whose mean is
    within one standard error of the best, of their difference over paired replicates (Breiman et
    al. 1984 for unpaired ones): the simpler model where the data do not object. ``model``: the top
    of a Gaussian process through all means, which need not be a λ that was tried; where it was not,
    the score is a prediction.

    A winner at the edge of what ``deciding``, or the first of the ``searched`` stages, tried gets
    a warning.

    Raises:
        WorkFailedError: No candidate ended well.
    """
    ranked = _ranked(deciding, validation_images)
    value, score, why = _chosen(deciding, ranked, rule, validation_images)
    replicates = "1 run" if ranked[0].n == 1 else f"{ranked[0].n} replicates"
    return Selected(
        log10_lambda=value,
        rule=f"{why} over {replicates} among {len(ranked)} candidates of {deciding.name}",
        validation_accuracy=score,
        warnings=tuple(
            warning
            for stage in [*(first for first in searched[:1] if first is not deciding), deciding]
            if (warning := _edge_warning(stage, value)) is not None
        ),
    )


def restated(selected: Selected, deciding: StageRecord, validation_images: int) -> Selected:
    """Return an older record of a model's choice as `winner` would state its score today.

    As it is where too little of the deciding stage is at hand to have been modelled.
    """
    score, ranked = selected.validation_accuracy, rank(deciding, validation_images)
    if score is None or len(ranked) < _MODELLED:
        return selected
    stated = _stated(selected.log10_lambda, score.mean, score.se, deciding, validation_images)
    return replace(selected, validation_accuracy=stated)


def _chosen(
    stage: StageRecord, ranked: Sequence[Judged], rule: Rule, validation_images: int
) -> tuple[float, Score, str]:
    """The rule's λ, its score, and the rule in words."""
    best = ranked[0]
    if rule == "model" and len(ranked) >= _MODELLED:
        value, score = _modelled(stage, ranked, validation_images)
        return value, score, f"{MODEL_RULE} through mean validation accuracies"
    if rule == "one_standard_error" and best.n > 1:
        close = [one for one in ranked if one is best or _within_one(stage, best, one)]
        best = max(close, key=lambda one: one.log10_lambda)
        why = "largest λ within one paired standard error of the best mean validation accuracy"
        return best.log10_lambda, _measured(best), why
    return best.log10_lambda, _measured(best), "best mean validation accuracy"


def _modelled(
    stage: StageRecord, ranked: Sequence[Judged], validation_images: int
) -> tuple[float, Score]:
    """The top of the model, and its score."""
    values = [one.log10_lambda for one in ranked]
    found = model.scores(stage, validation_images)
    value, mean, sd = model.fit(found, (min(values), max(values))).best
    return value, _stated(value, mean, sd, stage, validation_images)


def _stated(
    value: float, mean: float, sd: float, stage: StageRecord, validation_images: int
) -> Score:
    """A model's choice: measured where that very λ was trained, else predicted."""
    ranked = rank(stage, validation_images)
    trained = next((one for one in ranked if one.log10_lambda == value), None)
    if trained is not None:
        return _measured(trained)
    mean = min(max(mean, 0.0), 1.0)
    error = model.level_error(sd, mean, stage, validation_images)
    return Score(mean=mean, se=error, n=0, kind=ScoreKind.PREDICTED)


def _measured(one: Judged) -> Score:
    return Score(mean=one.accuracy, se=one.se, n=one.n)


def _within_one(stage: StageRecord, best: Judged, other: Judged) -> bool:
    """Whether two candidates' means differ by at most the standard error of the difference."""
    accuracies = {
        (trial.candidate, trial.replicate): trial.validation_accuracy or 0.0
        for trial in stage.trials
    }
    gaps = [
        accuracies[best.candidate, replicate] - accuracies[other.candidate, replicate]
        for replicate in range(best.n)
    ]
    mean = math.fsum(gaps) / best.n
    variance = math.fsum((gap - mean) ** 2 for gap in gaps) / (best.n - 1)
    return mean <= math.sqrt(variance / best.n)


def _ranked(stage: StageRecord, validation_images: int) -> list[Judged]:
    ranked = rank(stage, validation_images)
    if not ranked:
        raise WorkFailedError(
            f"{stage.name}: nothing to select from, no candidate of {stage.planned} trials ended "
            "with a finite cost; lower eta_max or the upper bound of log10_lambda"
        )
    return ranked


def _judge(trials: Sequence[TrialRecord], validation_images: int) -> Judged:
    accuracies = [trial.validation_accuracy or 0.0 for trial in trials]
    losses = [trial.validation_loss or 0.0 for trial in trials]
    n = len(trials)
    mean = math.fsum(accuracies) / n
    value = trials[0].log10_lambda
    assert value is not None  # noqa: S101 - a complete trial has been given its λ
    return Judged(
        candidate=trials[0].candidate,
        log10_lambda=value,
        accuracy=mean,
        loss=math.fsum(losses) / n,
        se=standard_error(accuracies, validation_images) or 0.0,
        n=n,
    )


def _edge_warning(stage: StageRecord, chosen: float) -> str | None:
    """Say that a stage tried nothing on one side of the chosen λ."""
    values = sorted({t.log10_lambda for t in stage.trials if t.log10_lambda is not None})
    if len(values) < (2 if stage.name == "finalists" else 3):
        return None
    for edge, beyond, word in ((values[0], chosen <= values[0], "below"),
                               (values[-1], chosen >= values[-1], "above")):  # fmt: skip
        if beyond:
            return (
                f"the chosen log10 λ {chosen:.4g} lies at the edge of {stage.name}, which tried "
                f"nothing {word} {edge:.4g}: the best may lie outside"
            )
    return None
