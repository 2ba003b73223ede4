"""What the source report's code did that lamsearch cannot be made to do: order, score, weights.

Enters: CIFAR-10's training pool. Leaves: what λs score when each starts from the weights that the
one before it left, with mini-batches in a fixed order and the best epoch as the score. Refuses to
know the test set.

    python -m benchmarks.source_handed_on [--quick] [--data-dir DIR]

One process, one BLAS thread, some minutes.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import process_time

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from benchmarks.common import Options, publish, read_options, table
from benchmarks.source_chain import Examples, Floats, handed_on, initial
from benchmarks.source_numbers import estimate
from benchmarks.source_runs import FOLDER
from lamsearch import data as datasets
from lamsearch.cli.options import cache_directory
from lamsearch.study import Study, Training, read_study

SAME = -3.83072  # log10 of 1.4766e-4, trained again and again
LAMBDAS = (-4.5, -4.0, -3.5, -3.0)  # in this order, and in the opposite one
SEEDS = 3  # chains of the one λ; the two orders have the weights of the first


@dataclass(frozen=True, slots=True, kw_only=True)
class Chains:
    """What K chains scored, each (positions, K): up, down, then one λ under each seed.

    ``scores`` are the highest training accuracies at any epoch's end, ``validation`` the
    accuracies at the same epoch.
    """

    log10_lambdas: Floats
    scores: Floats
    validation: Floats


def main() -> None:
    """Train, then write the section of RESULTS.md."""
    options = read_options(__doc__ or "")
    began = process_time()
    with threadpool_limits(limits=1):
        study = read_study(FOLDER / "r4-as-run-three.toml")
        chains = chained(_examples(study, options), _training(study, options))
    text = [_head((process_time() - began) / 60), _table(chains), " ".join(_readings(chains))]
    publish("source_handed_on", "\n\n".join(text), options)


def chained(examples: Examples, training: Training) -> Chains:
    """Hand weights on from λ to λ in all chains, which share a pass over the mini-batches."""
    orders = [LAMBDAS, LAMBDAS[::-1], *([(SAME,) * len(LAMBDAS)] * SEEDS)]
    lambdas = np.column_stack(orders)
    classes = int(examples.train_y.max()) + 1
    features = examples.train_x.shape[1]
    models = initial([0, 0, *range(SEEDS)], features=features, hidden=50, classes=classes)
    found = handed_on(models, examples, lambdas.tolist(), training)
    return Chains(
        log10_lambdas=lambdas,
        scores=np.array([one.best() for one in found]),
        validation=np.array([one.validation_at_best() for one in found]),
    )


def _examples(study: Study, options: Options) -> Examples:
    splits = datasets.load(study, options.data, cache=cache_directory()).split("coarse")
    return Examples(
        train_x=splits.train_x, train_y=splits.train_y,
        validation_x=splits.validation_x, validation_y=splits.validation_y,
    )  # fmt: skip


def _training(study: Study, options: Options) -> Training:
    training = study.training_of("coarse")
    return training.model_copy(update={"step_size": 25}) if options.quick else training


def _head(minutes: float) -> str:
    return (
        "CIFAR-10, 49,000 images to train on and 1,000 to validate, one split; 50 hidden units, "
        "mini-batches of 1,000 as contiguous slices in one order for all epochs, n_s = 196, two "
        "cycles (784 updates), η from 1e-6 to 0.1. Every λ starts from the weights that the one "
        "before it left, the schedule from its start. Score: the highest training accuracy at any "
        "epoch's end (measured where η is at most a quarter of its top). Own code, apart from "
        f"lamsearch's trainer; {minutes:.0f} minutes of one core."
    )


def _table(chains: Chains) -> str:
    head = ("position", "log₁₀ λ rising: score; validation", "log₁₀ λ falling: score; validation",
            f"λ = 1.4766e-4 each time, {SEEDS} seeds: score", "validation")  # fmt: skip
    rows = [
        (
            str(position + 1),
            *(_cell(chains, position, column) for column in (0, 1)),
            _spread(chains.scores[position, 2:]),
            _spread(chains.validation[position, 2:]),
        )
        for position in range(len(LAMBDAS))
    ]
    return table(head, rows)


def _cell(chains: Chains, position: int, column: int) -> str:
    lam = f"{chains.log10_lambdas[position, column]:.1f}".replace("-", "−")
    score, validation = (
        100 * values[position, column] for values in (chains.scores, chains.validation)
    )
    return f"{lam}: {score:.1f} %; {validation:.1f} %"


def _readings(chains: Chains) -> list[str]:
    gains = estimate(chains.scores[-1, 2:] - chains.scores[0, 2:])
    validation = estimate(chains.validation[-1, 2:] - chains.validation[0, 2:])
    last = len(LAMBDAS)
    best = [int(chains.scores[:, column].argmax()) for column in (0, 1)]
    judged = [int(chains.validation[:, column].argmax()) for column in (0, 1)]
    return [
        f"From position 1 to {last} the same λ gains {100 * gains.mean:+.1f} ± "
        f"{100 * gains.sd:.1f} points of training accuracy and {100 * validation.mean:+.1f} ± "
        f"{100 * validation.sd:.1f} of validation accuracy.",
        f"Rising, the score chooses log10 λ = {_chosen(chains, best, 0)}, falling "
        f"{_chosen(chains, best, 1)}; validation accuracy {_chosen(chains, judged, 0)} and "
        f"{_chosen(chains, judged, 1)}.",
    ]


def _chosen(chains: Chains, positions: list[int], column: int) -> str:
    position = positions[column]
    return f"{chains.log10_lambdas[position, column]:.1f} (position {position + 1})"


def _spread(values: npt.NDArray[np.floating]) -> str:
    one = estimate(values.astype(np.float64))
    return f"{100 * one.mean:.2f} ± {100 * one.sd:.2f} %"


if __name__ == "__main__":
    main()
