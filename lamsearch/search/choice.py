"""The choice: which λ a finished stage's results speak for, by a rule.

Enters: finished stages as records. Leaves: the chosen λ, its score, and the rule in words. Pure.
Refuses to know the test set, training accuracy, storages and plans.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from lamsearch.results import MODEL_RULE, Score, ScoreKind, Selected, StageRecord
from lamsearch.search.finalists import MODELLED, rank_or_fail
from lamsearch.statistics import Candidate, model, paired_differences, rank, standard_error

Rule = Literal["best", "one_standard_error", "model"]


def winner(
    deciding: StageRecord,
    searched: Sequence[StageRecord],
    *,
    examples: int,
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
    ranked = rank_or_fail(deciding, examples)
    value, score, why = _chosen(deciding, ranked, rule, examples)
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


def restated(selected: Selected, deciding: StageRecord, examples: int) -> Selected:
    """Return an older record of a model's choice as `winner` would state its score today.

    As it is where too little of the deciding stage is at hand to have been modelled.
    """
    score, ranked = selected.validation_accuracy, rank(deciding, examples)
    if score is None or len(ranked) < MODELLED:
        return selected
    stated = _stated(selected.log10_lambda, score.mean, score.se, deciding, examples)
    return replace(selected, validation_accuracy=stated)


def _chosen(
    stage: StageRecord, ranked: Sequence[Candidate], rule: Rule, examples: int
) -> tuple[float, Score, str]:
    """The rule's λ, its score, and the rule in words."""
    best = ranked[0]
    if rule == "model" and len(ranked) >= MODELLED:
        value, score = _modelled(stage, ranked, examples)
        return value, score, f"{MODEL_RULE} through mean validation accuracies"
    if rule == "one_standard_error" and best.n > 1:
        close = [one for one in ranked if one is best or _within_one(stage, best, one)]
        best = max(close, key=lambda one: one.log10_lambda)
        why = "largest λ within one paired standard error of the best mean validation accuracy"
        return best.log10_lambda, _measured(best), why
    return best.log10_lambda, _measured(best), "best mean validation accuracy"


def _modelled(
    stage: StageRecord, ranked: Sequence[Candidate], examples: int
) -> tuple[float, Score]:
    """The top of the model, and its score."""
    values = [one.log10_lambda for one in ranked]
    found = model.scores(stage, examples)
    value, mean, sd = model.fit(found, (min(values), max(values))).best
    return value, _stated(value, mean, sd, stage, examples)


def _stated(value: float, mean: float, sd: float, stage: StageRecord, examples: int) -> Score:
    """A model's choice: measured where that very λ was trained, else predicted."""
    ranked = rank(stage, examples)
    trained = next((one for one in ranked if one.log10_lambda == value), None)
    if trained is not None:
        return _measured(trained)
    mean = min(max(mean, 0.0), 1.0)
    error = model.level_error(sd, mean, stage, examples)
    return Score(mean=mean, se=error, n=0, kind=ScoreKind.PREDICTED)


def _measured(one: Candidate) -> Score:
    return Score(mean=one.mean, se=one.se or 0.0, n=one.n)


def _within_one(stage: StageRecord, best: Candidate, other: Candidate) -> bool:
    """Whether two candidates' means differ by at most the standard error of the difference."""
    gaps = paired_differences(stage, best.candidate, other.candidate)
    return math.fsum(gaps) / best.n <= (standard_error(gaps, None) or 0.0)


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
