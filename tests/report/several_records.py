"""Made-up records of studies that search two and three dimensions, the same at every call."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import study_records as made

from lamsearch.results import (
    Score,
    Selected,
    StageName,
    StageRecord,
    StudyRecord,
    TrialRecord,
    TrialState,
)
from lamsearch.space import LAMBDA, Bounds, Dimension, Point, Scale, Space

RATE = Dimension(name="eta_max", symbol="η_max", about="highest learning rate", scale=Scale.LOG)
UNITS = Dimension(
    name="hidden", symbol="hidden", about="units of the hidden layers", scale=Scale.CHOICE,
    choices=([50], [100, 50], [400]),
)  # fmt: skip
BATCH = Dimension(
    name="batch_size", symbol="batch size", about="examples of a mini-batch", scale=Scale.INTEGER,
    unit=50.0,
)  # fmt: skip
DROPOUT = Dimension(name="dropout", symbol="dropout", about="share of units dropped", unit=0.1)

PLANE = Space(dimensions=(LAMBDA, RATE))
THREE = Space(dimensions=(LAMBDA, RATE, UNITS))
FIVE = Space(dimensions=(LAMBDA, RATE, UNITS, BATCH, DROPOUT))
WIDE: dict[str, tuple[float, float]] = {
    "log10_lambda": (-5.0, -1.0), "eta_max": (-1.7, -0.5), "hidden": (0.0, 2.0),
    "batch_size": (50.0, 200.0), "dropout": (0.0, 0.5),
}  # fmt: skip
TABLE: dict[str, object] = {
    "eta_max": {"log": [0.02, 0.316]}, "hidden": {"choice": [[50], [100, 50], [400]]},
    "batch_size": {"integer": [50, 200]}, "dropout": {"uniform": [0.0, 0.5]},
}  # fmt: skip


class SeveralRecord(StudyRecord):
    """A study's record that searches a space of the test's own."""

    __slots__ = ()

    @property
    def space(self) -> Space:
        """What is searched, by the names in its coarse stage's table."""
        coarse = self.settings["coarse"]
        assert isinstance(coarse, dict)
        names = ["log10_lambda", *coarse["space"]]
        return Space(dimensions=tuple(one for one in FIVE.dimensions if one.name in names))


def height(space: Space, point: Point) -> float:
    """Return a made-up accuracy: a ridge over λ and η_max, a collapse at large λ, more units."""
    at = {one.name: x for one, x in zip(space.dimensions, point, strict=True)}
    rate, units = at.get("eta_max", -1.0), at.get("hidden", 0.0)
    value = 0.52 - 0.012 * (at["log10_lambda"] + 3.0 - 0.8 * (rate + 1.1)) ** 2
    value -= 0.05 * (rate + 1.0) ** 2
    value += 0.02 * units - 0.02 * (at.get("dropout", 0.1) - 0.1)
    return float(0.1 + (value - 0.1) / (1 + np.exp(5 * (at["log10_lambda"] + 1.4))))


def drawn(space: Space, bounds: Bounds, count: int, seed: int) -> list[Point]:
    """Return points of a Latin hypercube within bounds."""
    rng = np.random.default_rng(seed)
    shares = (np.arange(count)[:, None] + rng.random((count, len(bounds)))) / count
    for column in range(1, len(bounds)):
        shares[:, column] = rng.permutation(shares[:, column])
    return [
        tuple(
            one.at_share(interval, float(share))
            for one, interval, share in zip(space.dimensions, bounds, row, strict=True)
        )
        for row in shares
    ]


def stage(
    space: Space,
    name: StageName,
    points: list[Point],
    *,
    bounds: Bounds | None = None,
    replicates: int = 1,
    with_curve: bool = False,
    examples: int = 0,
    seed: int = 1,
    sd: float = 0.004,
) -> StageRecord:
    """Return a stage of points; the third candidate of coarse has failed, the fifth was pruned.

    With ``examples`` each replicate has scores per example.
    """
    rng = np.random.default_rng(seed)
    trials = []
    for candidate, point in enumerate(points):
        for replicate in range(replicates):
            one = made.trial(
                candidate, replicate, point[0], rng, with_curve=with_curve, sd=sd,
            )  # fmt: skip
            score = height(space, point) + float(rng.normal(0, sd))
            scores = rng.random(examples) < score if examples else None
            one = replace(
                one, point=point, score=score if scores is None else float(scores.mean()),
                validation_loss=2.4 - 2 * score, train_score=min(1.0, score + 0.1), scores=scores,
            )  # fmt: skip
            trials.append(_lost(one) if name == "coarse" else one)
    return StageRecord(name=name, bounds=bounds, trials=tuple(trials))


def _lost(one: TrialRecord) -> TrialRecord:
    if one.candidate == 2:
        return replace(
            one, state=TrialState.FAIL, reason="cost is no longer finite at update 412",
            updates=412, score=None, validation_loss=None, train_score=None, curve=None,
        )  # fmt: skip
    if one.candidate == 4:
        return replace(one, state=TrialState.PRUNED, reason="halving: place 8 of 8", updates=1800)
    return one


def finished(space: Space = THREE, *, coarse: int = 30, fine: int = 16, **changes: Any) -> Any:
    """Return a whole study in that space: coarse, fine, four finalists with five replicates."""
    wide = tuple(WIDE[one.name] for one in space.dimensions)
    narrow = tuple(_narrowed(one, ends) for one, ends in zip(space.dimensions, wide, strict=True))
    first, second = drawn(space, wide, coarse, 3), drawn(space, narrow, fine, 4)
    best = sorted(second, key=lambda point: height(space, point), reverse=True)[:4]
    selected = Selected(
        point=best[0],
        rule="best mean validation accuracy over 5 replicates among 4 candidates of finalists",
        score=Score(mean=0.5383, se=0.0013, n=5),
    )
    names = [one.name for one in space.dimensions[1:]]
    table = {"trials": coarse, "log10_lambda": [-5.0, -1.0], "sampler": "stratified"}
    settings = {
        **made.SETTINGS,
        "coarse": {**table, "space": {name: TABLE[name] for name in names}},
        "fine": {"trials": fine, "keep": 3, "sampler": "stratified"},
    }
    stages = {
        "coarse": stage(space, "coarse", first, bounds=wide),
        "fine": stage(space, "fine", second, bounds=narrow, seed=2, with_curve=True),
        "finalists": stage(
            space, "finalists", best, replicates=5, seed=9, with_curve=True, examples=2000
        ),
        "final": stage(space, "final", best[:1], replicates=5, seed=4, with_curve=True),
    }
    base = made.finished()
    fields = {name: getattr(base, name) for name in base.__dataclass_fields__}
    return SeveralRecord(
        **{**fields, "settings": settings, "stages": stages, "selected": selected, **changes}
    )


def _narrowed(dimension: Dimension, ends: tuple[float, float]) -> tuple[float, float]:
    low, high = ends
    if not dimension.ordered:
        return 1.0, 2.0
    quarter = (high - low) / 4
    found = (low + quarter, high - quarter)
    return (round(found[0]), round(found[1])) if dimension.scale is Scale.INTEGER else found


def unfinished(space: Space = THREE) -> Any:
    """Return a study of which half of the coarse stage is trained."""
    whole = finished(space)
    coarse = whole.stages["coarse"]
    trials = tuple(
        one if one.candidate < 15 else replace(
            one, state=TrialState.WAITING, score=None, validation_loss=None, train_score=None,
            reason=None, updates=None,
        )
        for one in coarse.trials
    )  # fmt: skip
    stages = {"coarse": replace(coarse, trials=trials)}
    return replace(
        whole, stages=stages, selected=None, openings=(), final=None, finished=False, seconds=None
    )
