"""The tables of docs/source-report.md on R4, R5 and R6 with the settings that the code ran.

Enters: what the runs printed, and their learning curves. Leaves: Markdown per section, for those
whose runs are all there. Refuses to choose anything by a test accuracy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.common import table
from benchmarks.source_numbers import Floats, estimate, paired
from benchmarks.source_rows import (
    FINAL_HEAD,
    Found,
    Section,
    best_three,
    chosen,
    curves_of,
    final_row,
    first_three,
    interval,
    link,
    minus,
    spread,
    tests,
    trials_of,
    values,
)
from benchmarks.source_runs import Done
from lamsearch.results import Curve

TABLE_1 = (("1.724e-4", 0.541), ("1.286e-4", 0.54), ("1.777e-4", 0.535))
PLATEAU = -3.0  # log10 λ, below which the penalty hardly matters in a search this short
THIRDS = (("first", "7–9"), ("second", "10–12"), ("third", "13–15"))


def _coarse(found: Found) -> str:
    searches = found["r4-as-run"]
    rows = [best_three("the report", [(float(lam), top, None) for lam, top in TABLE_1])]
    rows += [best_three(f"ours, seed {one.run.seed}", first_three(one)) for one in searches]
    head = ("best three by training accuracy", "first", "second", "third")
    top = [max(values(one, "coarse", "train_accuracy")) for one in searches]
    return "\n\n".join([
        f"The search, repeated whole under {len(searches)} seeds ({link('r4-as-run')}). "
        "λ (training accuracy; ours also: validation accuracy)",
        table(head, rows),
        f"Highest training accuracy among 15 λs: {spread(top)}; the report's: 54.1 %.",
        _three(found["r4-as-run-three"]),
        _noise(searches),
        _judges(searches),
    ])  # fmt: skip


def _three(runs: Sequence[Done]) -> str:
    """Set the three λs of table 1 beside what they give here."""
    train = np.array([values(one, "coarse", "train_accuracy") for one in runs])
    validation = np.array([values(one, "coarse", "validation_accuracy") for one in runs])
    rows = [
        (lam, f"{100 * top:.1f} %", spread(train[:, i]), spread(validation[:, i]))
        for i, (lam, top) in enumerate(TABLE_1)
    ]
    head = ("λ of table 1", "the report's training accuracy", "ours", "ours, validation")
    kept = sum(bool((np.diff(row) < 0).all()) for row in train)
    apart = interval(paired(train[:, 0], train[:, 2]), 100, " points")
    return (
        f"The three λs of table 1, each under {len(runs)} seeds ({link('r4-as-run-three')}):\n\n"
        f"{table(head, rows)}\n\n"
        f"First against third, training accuracy paired over seeds: {apart}; the report's are 0.6 "
        f"apart. Their order is the report's under {kept} of {len(runs)} seeds."
    )


def _noise(searches: Sequence[Done]) -> str:
    rows = _by_lambda(searches, "train_accuracy")
    within = [100 * y[x <= PLATEAU].std(ddof=1) for x, y in rows]
    level = estimate([100 * y[x <= PLATEAU].mean() for x, y in rows])
    ranges = [100 * np.ptp(y[x <= PLATEAU]) for x, y in rows]
    return (
        f"Noise: among the λs up to {10**PLATEAU:g} of one search, which share their initial "
        f"weights and mini-batches, training accuracy has a standard deviation of "
        f"{np.mean(within):.2f} points ({min(ranges):.2f} to {max(ranges):.2f} from lowest to "
        f"highest); their mean has one of {level.sd:.2f} points over seeds."
    )


def _judges(searches: Sequence[Done]) -> str:
    """Say what each of training and validation accuracy chooses, and how they rank λs."""
    picks = {
        key: [chosen(one, "coarse", f"{key}_accuracy") for one in searches]
        for key in ("train", "validation")
    }
    said = {
        key: ", ".join(minus(one["log10_lambda"]) for one in trials)
        for key, trials in picks.items()
    }
    same = sum(
        one["log10_lambda"] == other["log10_lambda"]
        for one, other in zip(picks["train"], picks["validation"], strict=True)
    )
    lost = paired(
        [one["validation_accuracy"] for one in picks["validation"]],
        [one["validation_accuracy"] for one in picks["train"]],
    )
    return (
        f"Training accuracy chooses log₁₀ λ = {said['train']}; validation accuracy "
        f"{said['validation']}: the same λ under {same} of {len(searches)} seeds. In validation "
        f"accuracy on 1,000 images (binomial standard error 1.6 points) the two choices lie "
        f"{100 * lost.mean:.2f} points apart on average, never below 0 since it is the "
        f"larger of the two that is chosen."
    )


def _by_lambda(searches: Sequence[Done], key: str) -> list[tuple[Floats, Floats]]:
    return [
        (np.array(values(one, "coarse", "log10_lambda")), np.array(values(one, "coarse", key)))
        for one in searches
    ]


def _fine(found: Found) -> str:
    rows = [
        final_row(f"λ of figures {figures}", found[f"r5-as-run-{name}"][0])
        for name, figures in THIRDS
    ]
    second, third = (tests(found[f"r5-as-run-{name}"][0]) for name in ("second", "third"))
    given = (
        "The report's three λs, given beforehand. Its picture for the second: 55.5 % in training, "
        "52.2 % in validation, 50.1 % in the test, after 1,160 of the 1,176 updates.\n\n"
        f"{table(FINAL_HEAD, rows)}\n\n"
        f"Second against third, test accuracy paired over seeds: "
        f"{interval(paired(second, third), 100, ' points')}."
    )
    return "\n\n".join([given, *map(_search, found.get("r5-as-run", ()))])


def _search(done: Done) -> str:
    trials = trials_of(done, "fine")
    train, validation = (
        100 * np.array([one[key] for one in trials])
        for key in ("train_accuracy", "validation_accuracy")
    )
    best = {
        key: 10 ** chosen(done, "fine", key)["log10_lambda"]
        for key in ("train_accuracy", "validation_accuracy")
    }
    return (
        f"The search itself ({link('r5-as-run')}): over its 15 λs training accuracy spans "
        f"{train.min():.2f}–{train.max():.2f} %, validation accuracy "
        f"{validation.min():.2f}–{validation.max():.2f} %. Training accuracy is highest at λ = "
        f"{best['train_accuracy']:.4g}, validation accuracy at {best['validation_accuracy']:.4g}."
    )


def _best_run(found: Found) -> str:
    done = found["r6-as-run"][0]
    curves = curves_of(done)
    ends = [
        (
            f"cycle {cycle}",
            *(spread(_at(curves, f"{split}_accuracy", 3920 * cycle)) for split in _SPLITS),
        )
        for cycle in (1, 2, 3)
    ]
    tops = {
        split: spread([max(one.values[f"{split}_accuracy"]) for one in curves])
        for split in ("validation", "test")
    }
    gap = paired(values(done, "final", "train_accuracy"), tests(done))
    return "\n\n".join([
        table(FINAL_HEAD, [final_row("R6", done)]),
        "The report's picture ends at 65.0 % in training, 52.6 % in validation, 51.4 % in the "
        f"test. Training accuracy is here {100 * gap.mean:.1f} points above test accuracy: the "
        "overfitting that the report saw. Its curves at the ends of the cycles (training: mean "
        "over the mini-batches of the last epoch):",
        table(("at the end of", *_SPLITS), ends),
        f"Highest point of a curve over its {len(curves[0].updates)} samples: validation "
        f"{tops['validation']} (the report's picture: 53.3 %), test {tops['test']} (the report's "
        "picture: 52.1 %, at the end of cycle 1). Such a top is read off the test set, and so "
        "too high; it stands here for the comparison alone.",
    ])  # fmt: skip


_SPLITS = ("training", "validation", "test")


def _at(curves: Sequence[Curve], column: str, updates: int) -> list[float]:
    """Return one column of every curve after so many updates."""
    row = list(curves[0].updates).index(updates)
    return [float(one.values[column][row]) for one in curves]


def _overview(found: Found) -> str:
    top = [max(values(one, "coarse", "train_accuracy")) for one in found["r4-as-run"]]
    finals: Mapping[str, Done] = {
        "R5": found["r5-as-run-second"][0],
        "R6": found["r6-as-run"][0],
    }
    said = {
        which: ", ".join(
            f"{split} {spread(accuracies)}"
            for split, accuracies in (
                ("training", values(one, "final", "train_accuracy")),
                ("validation", values(one, "final", "validation_accuracy")),
                ("test", tests(one)),
            )
        )
        for which, one in finals.items()
    }
    rows = [
        ("R4", "coarse search, 784 updates", f"best training accuracy {spread(top)}", "54.1 %"),
        ("R5", "fine search, λ = 1.4766e-4, 1,176 updates", said["R5"],
         "training 55.5 %, validation 52.2 %, test 50.1 %"),
        ("R6", "best run, λ = 1.4766e-4, 11,760 updates", said["R6"],
         "training 65.0 %, validation 52.6 %, test 51.4 %"),
    ]  # fmt: skip
    head = ("", "what its code ran", "ours, mean ± standard deviation over seeds",
            "the report's table and figures")  # fmt: skip
    return table(head, rows)


_R5 = tuple(f"r5-as-run-{name}" for name, _ in THIRDS)
SECTIONS = (
    Section(name="r4-as-run", needs=("r4-as-run", "r4-as-run-three"), write=_coarse),
    Section(name="r5-as-run", needs=_R5, write=_fine),
    Section(name="r6-as-run", needs=("r6-as-run",), write=_best_run),
    Section(
        name="overview-as-run", needs=("r4-as-run", *_R5, "r6-as-run"), write=_overview
    ),
)  # fmt: skip
