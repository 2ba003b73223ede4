"""Made-up study records: real shapes, made-up numbers, the same at every call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lamsearch.results import (
    Curve,
    FinalScore,
    Score,
    Selected,
    StageName,
    StageRecord,
    StudyRecord,
    TestOpening,
    TrialRecord,
    TrialState,
)

CLASSES = ("airplane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SETTINGS: dict[str, object] = {
    "name": "cifar10",
    "seed": 400,
    "cohort": 8,
    "data": {"source": "cifar10", "train": 45000, "validation": 5000, "stratified": False},
    "network": {"hidden": 50},
    "training": {
        "batch_size": 100, "schedule": "triangular", "eta_min": 1e-5, "eta_max": 0.1,
        "gamma": 1.0, "step_size": 1960, "cycles": 3, "sample_every": "epoch",
    },
    "coarse": {"trials": 15, "log10_lambda": [-5.0, -1.0], "sampler": "random", "step_size": 900},
    "fine": {"trials": 15, "keep": 3, "sampler": "random", "step_size": 900, "cycles": 2},
    "finalists": {"keep": 4, "replicates": 5},
    "final": {"train": 49000, "validation": 1000, "replicates": 5},
}  # fmt: skip


def plateau(x: float) -> float:
    """Return a made-up accuracy over log10 λ: flat to the left, a hump, a fall to the right."""
    return float(
        0.50 + 0.02 * np.exp(-((x + 2.6) ** 2) / 0.6) - 0.40 / (1 + np.exp(-4 * (x + 1.3)))
    )


def curve(
    final_accuracy: float,
    x: float,
    rng: np.random.Generator,
    *,
    points: int = 28,
    test: bool = False,
) -> Curve:
    """Return a made-up learning curve with three hills that ends at ``final_accuracy``."""
    updates = np.linspace(0, 11760, points).round().astype(np.int64)
    phase = (updates % 3920) / 3920
    rate = 1e-5 + (0.1 - 1e-5) * (1 - np.abs(2 * phase - 1))
    rise = 1 - np.exp(-updates / 1500)
    noise = rng.normal(0, 0.004, points)
    validation = 0.1 + (final_accuracy - 0.1) * rise - 0.25 * rate + noise
    training = validation + 0.12 * updates / 11760 * min(1.0, -x / 3)
    norm = 10**x * (60 + 80 * rise)
    kinds: dict[str, Any] = {}
    if test:
        kinds = {
            "test_loss": 2.4 - 2.0 * validation + 0.05,
            "test_cost": 2.4 - 2.0 * validation + 0.05 + norm,
            "test_accuracy": validation - 0.01,
        }
    return Curve(
        updates=updates, learning_rate=rate,
        values={
            "training_loss": 2.4 - 2.2 * training, "training_cost": 2.4 - 2.2 * training + norm,
            "training_accuracy": training, "validation_loss": 2.4 - 2.0 * validation,
            "validation_cost": 2.4 - 2.0 * validation + norm, "validation_accuracy": validation,
            **kinds,
        },
    )  # fmt: skip


def trial(
    candidate: int,
    replicate: int,
    x: float | None,
    rng: np.random.Generator,
    *,
    state: TrialState = TrialState.COMPLETE,
    reason: str | None = None,
    updates: int | None = None,
    with_curve: bool = False,
    test: bool = False,
    sd: float = 0.004,
    lift: float = 0.0,
) -> TrialRecord:
    """Return one trial at log10 λ = ``x``, its scores made up if it is complete."""
    cohort, at = (candidate + 10 * replicate) // 8, None if x is None else (x,)
    if state is TrialState.PRUNED and x is not None:
        accuracy = plateau(x) - 0.02
        return TrialRecord(
            candidate=candidate, replicate=replicate, cohort=cohort, point=at, state=state,
            reason=reason, updates=updates,
            score=accuracy, validation_loss=2.4 - 2 * accuracy,
        )  # fmt: skip
    if state is not TrialState.COMPLETE or x is None:
        return TrialRecord(
            candidate=candidate, replicate=replicate, cohort=cohort, point=at, state=state,
            reason=reason, updates=updates,
        )  # fmt: skip
    accuracy = min(1.0, max(0.0, plateau(x) + lift + float(rng.normal(0, sd))))
    return TrialRecord(
        candidate=candidate, replicate=replicate, cohort=cohort, point=at, state=state,
        score=accuracy, validation_loss=2.4 - 2 * accuracy,
        train_score=min(1.0, accuracy + 0.1),
        curve=curve(accuracy, x, rng, test=test) if with_curve else None,
    )  # fmt: skip


def stage(
    name: StageName,
    lambdas: list[float],
    *,
    replicates: int = 1,
    interval: tuple[float, float] | None = None,
    with_curve: bool = True,
    lost: Mapping[int, tuple[Any, ...]] | None = None,
    seed: int = 1,
    warnings: tuple[str, ...] = (),
    **options: Any,
) -> StageRecord:
    """Return a stage with a trial per λ and replicate; ``lost`` names candidates that are not."""
    rng = np.random.default_rng(seed)
    trials = []
    for candidate, x in enumerate(lambdas):
        for replicate in range(replicates):
            ended = (lost or {}).get(candidate, (TrialState.COMPLETE,))
            state, reason, updates, *_ = (*ended, None, None)
            trials.append(
                trial(
                    candidate, replicate, x, rng, state=state, reason=reason, updates=updates,
                    with_curve=with_curve, **options,
                )
            )  # fmt: skip
    return StageRecord(
        name=name,
        bounds=None if interval is None else (interval,),
        trials=tuple(trials),
        warnings=warnings,
    )


def finished(**changes: Any) -> StudyRecord:
    """Return a whole study: 15 coarse, 15 fine, 4 × 5 finalists, 5 final trainings."""
    rng = np.random.default_rng(7)
    coarse = [float(x) for x in rng.uniform(-5, -1, 15)]
    fine = [float(x) for x in rng.uniform(-3.4, -2.1, 15)]
    lost = {3: (TrialState.FAIL, "cost is no longer finite at update 412", 412),
            9: (TrialState.PRUNED, "halving: place 8 of 8 in its cohort at the end of cycle 1",
                1800)}  # fmt: skip
    confusion = np.full((10, 10), 45) + np.diag([100] * 10)
    fields: dict[str, Any] = {
        "name": "cifar10",
        "seed": 400,
        "study_fingerprint": "5f" * 32,
        "data_fingerprint": "c1" * 32,
        "settings": SETTINGS,
        "classes": CLASSES,
        "stages": {
            "coarse": stage("coarse", coarse, interval=(-5.0, -1.0), lost=lost),
            "fine": stage("fine", fine, interval=(-3.45, -2.05), seed=2),
            "finalists": stage(
                "finalists", [-2.912, -2.5, -2.183, -3.3], replicates=5, seed=9, sd=0.003, lift=0.02
            ),
            "final": stage("final", [-2.5], replicates=5, seed=4, lift=0.025),
        },
        "selected": Selected(
            point=(-2.5,),
            rule="highest mean validation accuracy of the finalists over 5 replicates",
            score=Score(mean=0.5383, se=0.0013, n=5),
            warnings=(),
        ),
        "openings": (
            TestOpening(
                study="cifar10", study_id="a1b2c3", purpose="final score of λ = 0.00316",
                at="2026-01-02T03:04:05Z", owner="host-1:4242",
            ),
        ),
        "final": FinalScore(
            mean=0.5274, sd=0.0031, n=5, interval95=(0.5172, 0.5376), ensemble=0.5452,
            scores=(0.5241, 0.5309, 0.5262, 0.5300, 0.5258), test_images=10000,
            confusion=tuple(tuple(int(v) for v in row) for row in confusion),
        ),
        "seconds": 1873.4,
        "finished": True,
    }  # fmt: skip
    return StudyRecord(**{**fields, **changes})


def unfinished() -> StudyRecord:
    """Return a study interrupted in fine, drawn by an adaptive sampler: λs still to come."""
    whole = finished()
    rng = np.random.default_rng(5)
    fine = [trial(c, 0, -2.5 + 0.1 * c, rng, with_curve=True) for c in range(4)]
    fine.append(trial(4, 0, -2.95, rng, state=TrialState.RUNNING))
    fine += [trial(c, 0, None, rng, state=TrialState.WAITING) for c in range(5, 15)]
    stages = {
        "coarse": whole.stages["coarse"],
        "fine": StageRecord(name="fine", bounds=((-3.45, -2.05),), trials=tuple(fine)),
    }
    return finished(
        stages=stages, selected=None, openings=(), final=None, finished=False, seconds=None
    )


def planned_only() -> StudyRecord:
    """Return a study of which nothing has been trained yet."""
    rng = np.random.default_rng(5)
    waiting = tuple(trial(c, 0, None, rng, state=TrialState.WAITING) for c in range(15))
    coarse = StageRecord(name="coarse", bounds=((-5.0, -1.0),), trials=waiting)
    return finished(
        stages={"coarse": coarse}, selected=None, openings=(), final=None, finished=False,
        seconds=None,
    )  # fmt: skip


def final_only() -> StudyRecord:
    """Return a study that selects nothing: λ given, test curves asked for."""
    settings = {k: v for k, v in SETTINGS.items() if k not in ("coarse", "fine", "finalists")}
    selected = Selected(point=(-2.0,), rule="given by the study file", score=None, warnings=())
    final = FinalScore(
        mean=0.46, sd=0.0, n=1, interval95=(0.45, 0.47), ensemble=0.46, scores=(0.46,),
        test_images=10000,
    )  # fmt: skip
    return finished(
        settings={
            **settings,
            "final": {"log10_lambda": -2.0, "replicates": 1, "test_curves": True},
        },
        stages={"final": stage("final", [-2.0], test=True)},
        selected=selected,
        final=final,
    )


def many(count: int = 60) -> StudyRecord:
    """Return a large study: ``count`` coarse and fine trials, some failed, λs clustered."""
    rng = np.random.default_rng(11)
    coarse = [float(x) for x in rng.uniform(-7, 0, count)]
    fine = [float(x) for x in rng.normal(-2.6, 0.05, count)]
    lost = {
        c: (TrialState.FAIL, f"cost is no longer finite at update {c}") for c in range(0, 20, 2)
    }
    whole = finished()
    return finished(
        stages={
            **whole.stages,
            "coarse": stage("coarse", coarse, interval=(-7.0, 0.0), lost=lost),
            "fine": stage("fine", fine, interval=(-2.9, -2.3), seed=2),
        }
    )


HOSTILE = "<script>alert(1)</script>|`*[x](javascript:alert(1))&\"'"


def hostile() -> StudyRecord:
    """Return a study whose every text from outside attacks the page."""
    whole = finished()
    lost = {0: (TrialState.FAIL, HOSTILE), 1: (TrialState.PRUNED, HOSTILE + "\n\n# heading")}
    stages = {**whole.stages, "coarse": stage(
        "coarse", [-1.0, -2.0, -3.0], lost=lost, warnings=(HOSTILE,), interval=(-5.0, -1.0)
    )}  # fmt: skip
    assert whole.selected is not None
    return finished(
        name=HOSTILE,
        classes=tuple(f"{HOSTILE}{i}" for i in range(10)),
        stages=stages,
        settings={**SETTINGS, "name": HOSTILE, HOSTILE: {HOSTILE: [HOSTILE, "```\n```"]}},
        study_fingerprint=HOSTILE,
        selected=Selected(
            point=(-2.5,), rule=HOSTILE, score=Score(mean=0.5, se=0.1, n=5),
            warnings=(HOSTILE,),
        ),
        openings=(
            TestOpening(
                study=HOSTILE, study_id=HOSTILE, purpose=HOSTILE, at=HOSTILE, owner=HOSTILE
            ),
        ),
    )  # fmt: skip
