"""The choice: which candidate a finished stage's results speak for, by a rule.

Enters: finished stages as records. Leaves: the chosen point, its score, and the rule in words.
Pure. Refuses to know the test set, scores on training examples, storages and plans.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal

from lamsearch.metrics import DEFAULT_METRIC, Metric
from lamsearch.results import MODEL_RULE, Score, ScoreKind, Selected, StageRecord
from lamsearch.search.finalists import MODELLED, rank_or_fail
from lamsearch.space import LAMBDA, SPACE, Point, Space, span
from lamsearch.statistics import Candidate, model, paired_differences, rank, standard_error

Rule = Literal["best", "one_standard_error", "model"]


def winner(
    deciding: StageRecord,
    searched: Sequence[StageRecord],
    *,
    examples: int,
    rule: Rule = "best",
    metric: Metric = DEFAULT_METRIC,
    space: Space = SPACE,
    prior: Sequence[model.Scores] = (),
) -> Selected:
    """Return the candidate that a rule chooses from ``deciding``, by mean validation score.

    ``best``: the candidate with the best mean. ``one_standard_error``: the one with the largest λ
    whose mean is within one standard error of the best, of their difference over paired replicates
    (Breiman et al. 1984 for unpaired ones): the simpler model where the data do not object. In a
    space with choices, of those that have all of the best one's choices: at another architecture λ
    does not say which model is the simpler.
    ``model``: the top of a Gaussian process through all means, which need not be a point that was
    tried; where it was not, the score is a prediction. ``prior`` is what another study saw, whose
    shape this one starts from; the other rules leave it aside.

    A winner at the edge of what ``deciding``, or the first of the ``searched`` stages, tried gets
    a warning.

    Raises:
        WorkFailedError: No candidate ended well.
    """
    ranked = rank_or_fail(deciding, examples)
    point, score, why = _chosen(deciding, ranked, rule, examples, metric, space, prior)
    replicates = "1 run" if ranked[0].n == 1 else f"{ranked[0].n} replicates"
    return Selected(
        point=point,
        rule=f"{why} over {replicates} among {len(ranked)} candidates of {deciding.name}",
        score=score,
        warnings=tuple(
            warning
            for stage in [*(first for first in searched[:1] if first is not deciding), deciding]
            for warning in _edge_warnings(stage, point, space)
        ),
    )


def restated(
    selected: Selected, deciding: StageRecord, examples: int, metric: Metric = DEFAULT_METRIC
) -> Selected:
    """Return an older record of a model's choice as `winner` would state its score today.

    As it is where too little of the deciding stage is at hand to have been modelled.
    """
    score, ranked = selected.score, rank(deciding, examples)
    if score is None or len(ranked) < MODELLED:
        return selected
    stated = _stated(selected.point, score.mean, score.se, deciding, examples, metric)
    return replace(selected, score=stated)


def _chosen(
    stage: StageRecord,
    ranked: Sequence[Candidate],
    rule: Rule,
    examples: int,
    metric: Metric,
    space: Space,
    prior: Sequence[model.Scores],
) -> tuple[Point, Score, str]:
    """The rule's point, its score, and the rule in words."""
    best, title = ranked[0], metric.title
    if rule == "model" and len(ranked) >= MODELLED:
        point, score = _modelled(stage, ranked, examples, metric, space, prior)
        started = ", started from another study's," if prior else ""
        return point, score, f"{MODEL_RULE}{started} through mean validation {_plural(title)}"
    if rule == "one_standard_error" and best.n > 1:
        close = [
            one
            for one in ranked
            if one is best or (_same_choices(best, one, space) and _within_one(stage, best, one))
        ]
        best = max(close, key=lambda one: one.point[0])
        largest = space.dimensions[0].symbol
        why = f"largest {largest} within one paired standard error of the best mean"
        return best.point, _measured(best), f"{why} validation {title}"
    return best.point, _measured(best), f"best mean validation {title}"


def _plural(title: str) -> str:
    if title.endswith("y"):
        return f"{title[:-1]}ies"
    return f"{title}es" if title.endswith("s") else f"{title}s"


def _modelled(
    stage: StageRecord,
    ranked: Sequence[Candidate],
    examples: int,
    metric: Metric,
    space: Space,
    prior: Sequence[model.Scores],
) -> tuple[Point, Score]:
    """The top of the model, and its score."""
    found = model.scores(stage, examples)
    point, mean, sd = model.fit(found, span([one.point for one in ranked]), space, prior).best
    return point, _stated(point, mean, sd, stage, examples, metric)


def _stated(
    point: Point, mean: float, sd: float, stage: StageRecord, examples: int, metric: Metric
) -> Score:
    """A model's choice: measured where that very point was trained, else predicted."""
    ranked = rank(stage, examples)
    trained = next((one for one in ranked if one.point == point), None)
    if trained is not None:
        return _measured(trained)
    mean = metric.clipped(mean)
    error = model.level_error(sd, mean, stage, examples)
    return Score(mean=mean, se=error, n=0, kind=ScoreKind.PREDICTED)


def _measured(one: Candidate) -> Score:
    return Score(mean=one.mean, se=one.se or 0.0, n=one.n)


def _same_choices(best: Candidate, other: Candidate, space: Space) -> bool:
    """Whether two candidates are alike in every dimension that has no order."""
    triples = zip(space.dimensions, best.point, other.point, strict=True)
    return all(x == y for dimension, x, y in triples if not dimension.ordered)


def _within_one(stage: StageRecord, best: Candidate, other: Candidate) -> bool:
    """Whether two candidates' means differ by at most the standard error of the difference."""
    gaps = paired_differences(stage, best.candidate, other.candidate)
    return math.fsum(gaps) / best.n <= (standard_error(gaps, None) or 0.0)


def _edge_warnings(stage: StageRecord, chosen: Point, space: Space) -> Iterator[str]:
    """Say in which ordered dimensions a stage tried nothing on one side of the chosen point."""
    points = {trial.point for trial in stage.trials if trial.point is not None}
    ordered = [pair for pair in enumerate(space.dimensions) if pair[1].ordered]
    for index, dimension in ordered:
        values, at = sorted({point[index] for point in points}), chosen[index]
        if len(values) < (2 if stage.name == "finalists" else 3):
            continue
        edge, word = (values[0], "below") if at <= values[0] else (values[-1], "above")
        if values[0] < at < values[-1]:
            continue
        yield (
            f"the chosen {dimension.plain_label} {at:.4g} lies at the edge of {stage.name}, which "
            f"tried nothing {word} {edge:.4g}: the best may lie outside; {_remedy(stage, index)}"
        )


def _remedy(stage: StageRecord, index: int) -> str:
    """What a study file can say so that a search looks further in a dimension: λ is the first."""
    bounds = f"wider bounds of coarse.{'space' if index else LAMBDA.name}"
    if stage.name == "coarse":
        return f"{bounds} look there"
    return f"extend = true in [{stage.name}] looks there within the bounds, {bounds} beyond them"
