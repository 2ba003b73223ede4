"""What the tables of docs/source-report.md share: numbers of a run, and how they are written.

Enters: what the runs printed. Leaves: numbers, links, table cells. Refuses to hand out a test
accuracy of a study whose λ was not given beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.source_numbers import Estimate, Floats, estimate
from benchmarks.source_runs import Done
from lamsearch.results import Curve

Found = Mapping[str, Sequence[Done]]  # by file; the repeats of one in the order of their seeds
FINAL_HEAD = ("", "study", "λ", "training", "validation", "test", "ensemble's test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of the document, the studies it needs, and what writes it."""

    name: str
    needs: tuple[str, ...]
    write: Callable[[Found], str]


def written(found: Found, sections: Sequence[Section]) -> dict[str, str]:
    """Return the Markdown of each section that all runs are there for."""
    return {
        one.name: one.write(found) for one in sections if all(name in found for name in one.needs)
    }


def values(done: Done, stage: str, key: str) -> list[float]:
    """Return one number of every trial of a stage, in the order of candidates and replicates."""
    return [trial[key] for trial in trials_of(done, stage)]


def tests(done: Done) -> list[float]:
    """Return the test accuracy of every replicate of a study whose λ was given beforehand."""
    given(done)
    accuracies: list[float] = done.document["final"]["accuracies"]
    return accuracies


def chosen(done: Done, stage: str, key: str) -> dict[str, Any]:
    """Return the trial of a stage with the highest ``key``."""
    return max(trials_of(done, stage), key=lambda trial: float(trial[key]))


def trials_of(done: Done, stage: str) -> list[dict[str, Any]]:
    """Return a stage's trials, in the order of candidates and replicates."""
    found = next(one for one in done.document["stages"] if one["name"] == stage)
    trials: list[dict[str, Any]] = found["trials"]
    return trials


def curves_of(done: Done) -> list[Curve]:
    """Return the curves of a study's final, one per replicate."""
    trials = done.record().stages["final"].trials
    return [one.curve for one in trials if one.curve is not None]


def final_row(label: str, done: Done) -> tuple[str, ...]:
    """Return the row under `FINAL_HEAD` of a study whose λ was given beforehand."""
    return (
        label,
        link(done.run.name),
        f"{given(done):.4g}",
        spread(values(done, "final", "train_accuracy")),
        spread(values(done, "final", "validation_accuracy")),
        spread(tests(done)),
        f"{100 * done.document['final']['ensemble_test_accuracy']:.2f} %",
    )


def first_three(done: Done) -> list[tuple[float, float, float | None]]:
    """Return λ, training and validation accuracy of a search's best three by training accuracy."""
    ordered = sorted(trials_of(done, "coarse"), key=lambda one: -float(one["train_accuracy"]))
    return [
        (10 ** one["log10_lambda"], one["train_accuracy"], one["validation_accuracy"])
        for one in ordered[:3]
    ]


def best_three(label: str, best: Sequence[tuple[float, float, float | None]]) -> tuple[str, ...]:
    """Return a row of λs with their training, and where known validation, accuracies."""
    return (
        label,
        *(
            f"{lam:.3g} ({100 * train:.1f} %" + (")" if val is None else f"; {100 * val:.1f} %)")
            for lam, train, val in best
        ),
    )


def link(name: str) -> str:
    """Return a link from the document to a study file."""
    return f"[{name}](../studies/report/{name}.toml)"


def spread(accuracies: Sequence[float] | Floats) -> str:
    """Return mean ± standard deviation in per cent."""
    one = estimate(accuracies)
    return f"{100 * one.mean:.2f} ± {100 * one.sd:.2f} %"


def interval(one: Estimate, scale: float = 1.0, unit: str = "") -> str:
    """Return ``mean [low, high]``, signed."""
    low, mean, high = (f"{scale * x:+.2f}".replace("-", "−") for x in (one.low, one.mean, one.high))
    return f"{mean}{unit} [{low}, {high}]"


def minus(number: float, digits: int = 2) -> str:
    """Return a number with a true minus sign."""
    return f"{number:.{digits}f}".replace("-", "−")


def given(done: Done) -> float:
    """Return the λ that a study was given; no other study has a test accuracy to be read here."""
    final = done.run.study.final
    assert final is not None
    assert final.point is not None
    return float(10 ** final.point[0])
