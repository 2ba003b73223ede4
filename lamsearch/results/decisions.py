"""Decisions as records: batches of candidates, and the choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from lamsearch.results.trials import (
    StageName,
)
from lamsearch.space import Bounds, Point


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many trials of a stage had ended in each way."""

    complete: int
    pruned: int
    failed: int


class DecisionKind(StrEnum):
    """Why candidates were added to a stage."""

    FIRST = "first"
    ROUND = "round"
    EXTENSION = "extension"
    FURTHER_FINALISTS = "further finalists"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One batch of candidates as it was decided: from ``candidates[0]`` to before the other.

    ``bounds`` are None where candidates were given or chosen one by one; ``inputs`` has by
    stage the trials that had ended, on which it rests.
    """

    kind: DecisionKind
    candidates: tuple[int, int]
    bounds: Bounds | None
    inputs: Mapping[StageName, Counts] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many candidates there are."""
        return self.candidates[1] - self.candidates[0]


class ScoreKind(StrEnum):
    """Whether a score was measured at its point, or predicted there by a model of other scores."""

    MEASURED = "measured"
    PREDICTED = "predicted"


# How the rule begins that chose a predicted score: older records say it by their rule alone.
MODEL_RULE = "top of a Gaussian process"


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A mean score with its standard error; ``n`` replicates were measured at that very point.

    A measured score has the standard error over its replicates (n = 1: the binomial one). A
    predicted one has n = 0, and ``se`` is the standard deviation of the prediction.
    """

    mean: float
    se: float
    n: int
    kind: ScoreKind = ScoreKind.MEASURED


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """The chosen candidate, the rule that chose it, and its validation score.

    ``score`` is None where the study file gave the point and nothing was selected; ``inputs`` has
    by stage the trials that had ended then, empty in studies of earlier versions.
    """

    point: Point
    rule: str
    score: Score | None
    warnings: tuple[str, ...] = ()
    inputs: Mapping[StageName, Counts] = field(default_factory=dict)
