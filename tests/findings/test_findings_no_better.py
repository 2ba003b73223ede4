"""Whether a study learned anything: what is said of random labels, and of others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import study_records as made

from lamsearch.findings import baseline, baseline_sentences, warnings
from lamsearch.metrics import constant_of, constant_scores, metric_of
from lamsearch.report import document, markdown, page, summary
from lamsearch.results import (
    BaselineScore,
    DataFacts,
    StageRecord,
    StudyRecord,
    TrialRecord,
    TrialState,
    packed,
)
from lamsearch.web.annotations import Annotations

Guess = Callable[[np.random.Generator, np.ndarray], np.ndarray]
TASKS = {"accuracy": 2, "balanced_accuracy": 2, "macro_f1": 2, "log_loss": 2, "brier": 2,
         "r2": 0, "mae": 0, "mse": 0}  # fmt: skip


def drawn(name: str, rng: np.random.Generator, examples: int) -> np.ndarray:
    """Return targets of a metric's task."""
    return rng.integers(0, 2, examples) if TASKS[name] else rng.normal(5.0, 2.0, examples)


def guessed(name: str, rng: np.random.Generator, targets: np.ndarray, skill: float) -> np.ndarray:
    """Return predictions that know of the targets as much as ``skill`` says, from 0 to 1."""
    if TASKS[name]:
        signal = skill * 3 * (2 * targets - 1) + rng.normal(size=len(targets)) * (1 - skill)
        p = 1 / (1 + np.exp(-signal / 3))
        return np.stack([1 - p, p], axis=1)
    return 5.0 + skill * (targets - 5.0) + 0.3 * (1 - skill) * rng.normal(size=len(targets))


def study(name: str, seed: int, *, skill: float = 0.0, candidates: int = 12) -> StudyRecord:
    """Return a study whose candidates guess the targets of 80 validation examples.

    The best 3 of its coarse candidates are its finalists, of 2 replicates that guess much alike.
    """
    metric, rng = metric_of(name), np.random.default_rng(seed)
    train, y = drawn(name, rng, 200), drawn(name, rng, 80)
    constant = constant_of(metric, train, TASKS[name])
    always = constant_scores(metric, constant, y)
    said = [guessed(name, rng, y, skill) for _ in range(candidates)]
    scored = [metric.per_example(one, y) for one in said]
    coarse = [_trial(metric, one, candidate, 0) for candidate, one in enumerate(scored)]
    best = sorted(range(candidates), key=lambda one: -scored[one].mean())[:3]
    finalists = []
    for number, one in enumerate(best):
        for replicate in range(2):
            again = 0.8 * said[one] + 0.2 * guessed(name, rng, y, skill)
            numbers = metric.per_example(again, y)
            trial = _trial(metric, numbers, number, replicate)
            finalists.append(replace(trial, point=coarse[one].point))
    text = packed(always)
    assert text is not None
    facts = DataFacts(
        majority="1", baseline={"finalists": float(always.mean())},
        constants={"finalists": constant}, per_example={"finalists": (text,)},
    )  # fmt: skip
    stages: dict[Any, StageRecord] = {
        "coarse": StageRecord(name="coarse", bounds=((-5.0, -1.0),), trials=tuple(coarse)),
        "finalists": StageRecord(name="finalists", bounds=None, trials=tuple(finalists)),
    }
    settings = {**made.SETTINGS, "metric": name, "data": {"train": 200, "validation": 80}}
    return made.finished(
        settings=settings, stages=stages, data=facts, classes=("0", "1")[: TASKS[name]],
        final=None, openings=(),
    )  # fmt: skip


def _trial(metric: Any, numbers: np.ndarray, candidate: int, replicate: int) -> TrialRecord:
    kept = numbers if metric.proportion else numbers.astype(np.float32)
    error = None if metric.proportion else float(numbers.std() / 80**0.5)
    return TrialRecord(
        candidate=candidate, replicate=replicate, cohort=0, point=(-1.0 - 0.1 * candidate,),
        state=TrialState.COMPLETE, score=float(numbers.mean()), score_error=error,
        validation_loss=1.0, scores=kept,
    )  # fmt: skip


def said(record: StudyRecord) -> bool:
    """Return whether it is warned that no candidate is better."""
    return any("no candidate of finalists is better on validation" in one
               for one in warnings(record))  # fmt: skip


@pytest.mark.parametrize("name", TASKS)
def test_random_targets_are_noticed(name: str) -> None:
    """In at least 38 of 40 studies whose candidates know nothing it is said so, for each metric."""
    assert sum(said(study(name, seed)) for seed in range(40)) >= 38


@pytest.mark.parametrize("name", TASKS)
def test_what_was_learned_is_not_doubted(name: str) -> None:
    """No study whose candidates know the targets well is warned of."""
    assert not any(said(study(name, seed, skill=0.7)) for seed in range(20))


def test_numbers_that_are_not_there_or_damaged_are_done_without() -> None:
    """Without the constant answer's numbers both errors count, and damage is no crash."""
    for name in ("accuracy", "log_loss"):
        right, wrong = study(name, 1, skill=0.9), study(name, 1)
        for texts in ({}, {"finalists": ("damaged",)}, {"finalists": (packed(np.ones(7)) or "",)}):
            for record, expected in ((right, False), (wrong, True)):
                assert record.data is not None
                facts = replace(record.data, per_example=texts)
                assert said(replace(record, data=facts)) is expected


def with_final(name: str, gain: tuple[float, float]) -> StudyRecord:
    """Return a study whose final's gain over a constant answer has that interval."""
    record = study(name, 3, skill=0.9)
    whole = made.finished().final
    assert whole is not None
    assert record.data is not None
    middle = sum(gain) / 2
    beside = BaselineScore(mean=-0.69, gain=middle, gain_interval95=gain)
    constants = {**record.data.constants, "final": (0.4, 0.6) if TASKS[name] else (152.125,)}
    final = replace(whole, mean=-0.69 + middle, interval95=(-0.8, -0.2), baseline=beside,
                    confusion=((40, 20), (10, 30)) if TASKS[name] else ())  # fmt: skip
    return replace(record, final=final, data=replace(record.data, constants=constants))


def test_the_final_is_compared_by_the_paired_gain() -> None:
    """Not its own interval but that of the gain over the constant answer decides."""
    assert not any(
        "the final is not better" in one for one in warnings(with_final("log_loss", (0.1, 0.3)))
    )
    (found,) = [one for one in warnings(with_final("log_loss", (-0.01, 0.3))) if "final" in one]
    assert found.startswith(
        "the final is not better on test than always answering with the classes' shares of the "
        "training split, 0.6900 nats, beyond its 95 % interval: it has 0.5450 nats"
    )


def test_each_metric_s_constant_answer_is_said_in_every_form() -> None:
    """In words and in the metric's unit: terminal, Markdown, page, note and document."""
    record = with_final("log_loss", (0.1, 0.3))
    lines = list(baseline_sentences(record))
    known = baseline(record)
    assert known is not None
    assert known.validation is not None
    assert lines == [
        "Baseline: always answering with the classes' shares of the training split gets "
        f"{-known.validation:.4f} nats on validation and 0.6900 nats on test.",
        "Always answering with the most frequent class (1) has a test accuracy of 40.00 %.",
    ]
    note = Annotations().note(record, "finalists", {"finalists": 1})
    for text in (summary(record), markdown(record), page(record, []), note):
        flat = " ".join(text.replace("\\", "").split()).replace("&#39;", "'")
        assert "always answering with the classes' shares of the training split gets" in flat
    found = document(record)["baseline"]
    assert found == {
        "class": None, "validation": known.validation, "test": -0.69, "answer": "shares",
        "value": None, "test_gain": {"mean": 0.2, "interval95": [0.1, 0.3]}, "test_accuracy": 0.4,
    }  # fmt: skip


def test_of_a_quantity_the_mean_or_median_is_said_with_its_value() -> None:
    """In the target's own unit; no class is spoken of."""
    record = with_final("mae", (0.1, 0.3))
    (line,) = baseline_sentences(record)
    assert "always answering with the median of the training targets (" in line
    found = document(record)["baseline"]
    assert (found["class"], found["answer"], found["test_accuracy"]) == (None, "median", None)
    assert found["value"] == pytest.approx(5.0, abs=0.6)


def test_an_earlier_version_s_baseline_of_another_metric_is_not_taken_for_it() -> None:
    """It wrote the accuracy of the most frequent class whatever the metric."""
    record = with_final("log_loss", (-0.1, 0.3))
    old = DataFacts(majority="1", baseline={"finalists": 0.55})
    assert record.final is not None
    record = replace(record, data=old, final=replace(record.final, baseline=None))
    assert baseline(record) is None
    assert document(record)["baseline"] is None
    assert not said(record)
