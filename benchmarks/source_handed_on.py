"""What the source report's code did that lamsearch cannot be made to do: order, score, weights.

Enters: CIFAR-10's training pool. Leaves: accuracies of table 1's λs in mini-batches of a fixed
order, scored by the best epoch, and what becomes of λs that start from each other's weights.
Refuses to know the test set.

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
from benchmarks.source_chain import Accuracies, Examples, Models, handed_on, initial, train
from benchmarks.source_numbers import Floats, estimate, paired
from benchmarks.source_runs import FOLDER
from lamsearch import data as datasets
from lamsearch.cli.options import cache_directory
from lamsearch.study import Study, Training, read_study

SEARCH_EPOCHS = 16  # 784 updates: two cycles, as the coarse search has them; the third is fine's
TABLE_1 = {1.724e-4: 0.541, 1.286e-4: 0.540, 1.777e-4: 0.535}
FINE = 1.4766e-4
SEEDS = 3
ORDERS, DRAWN, REPEATED = 2, 5, 2  # chains over drawn λs, their length, chains of one λ
INTERVAL = (-5.0, -1.0)
PLATEAU = -3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Chains:
    """Chains of λs (positions, chains) with the report's score of each and its validation."""

    log10_lambdas: Floats
    scores: Floats
    validation: Floats


def main() -> None:
    """Train, then write the section of RESULTS.md."""
    options = read_options(__doc__ or "")
    began = process_time()
    with threadpool_limits(limits=1):
        study = read_study(FOLDER / "r5-as-run-second.toml")
        examples, training = _examples(study, options), _training(study, options)
        given = fresh(examples, training)
        search = training.model_copy(update={"cycles": 2})
        chains = chained(examples, search, 3 if options.quick else DRAWN)
    minutes = (process_time() - began) / 60
    text = [_head(minutes), _given(given), *_handed(chains)]
    publish("source_handed_on", "\n\n".join(text), options)


def fresh(examples: Examples, training: Training) -> list[Accuracies]:
    """Train table 1's λs, each from fresh weights, all in one pass.

    Returns one entry per λ, its models in the order of the seeds: the same initial weights for
    every λ of a seed.
    """
    lambdas = list(TABLE_1)
    models = _initial([seed for _ in lambdas for seed in range(SEEDS)], examples)
    given = np.repeat(np.log10(lambdas), SEEDS)
    found = train(models, examples, given.tolist(), training)
    return [found.of(slice(i * SEEDS, (i + 1) * SEEDS)) for i in range(len(lambdas))]


def chained(examples: Examples, training: Training, length: int) -> Chains:
    """Hand weights on from λ to λ: chains over one set of λs in other orders, and of one λ."""
    rng = np.random.default_rng(400)
    drawn = np.linspace(*INTERVAL, length)
    orders = [rng.permutation(drawn) for _ in range(ORDERS)]
    orders += [np.full(length, np.log10(FINE))] * REPEATED
    lambdas = np.column_stack(orders)
    models = _initial(range(lambdas.shape[1]), examples)
    found = handed_on(models, examples, lambdas.tolist(), training)
    return Chains(
        log10_lambdas=lambdas,
        scores=np.array([one.best() for one in found]),
        validation=np.array([one.validation_at_best() for one in found]),
    )


def _examples(study: Study, options: Options) -> Examples:
    data = datasets.load(study, options.data, cache=cache_directory())
    splits = data.split("final")
    return Examples(
        train_x=splits.train_x, train_y=splits.train_y,
        validation_x=splits.validation_x, validation_y=splits.validation_y,
    )  # fmt: skip


def _training(study: Study, options: Options) -> Training:
    training = study.training_of("final")
    if options.quick:
        return training.model_copy(update={"step_size": 25, "batch_size": 4_900})
    return training


def _initial(seeds: range | list[int], examples: Examples) -> Models:
    return initial(seeds, features=examples.train_x.shape[1], hidden=50, classes=10)


def _head(minutes: float) -> str:
    return (
        "CIFAR-10, 49,000 images to train on and 1,000 to validate, one split; 50 hidden units, "
        "mini-batches of 1,000 as contiguous slices in one order for all epochs, n_s = 196, η from "
        "1e-6 to 0.1. Score: the highest training accuracy at any epoch's end (measured where η is "
        "at most a quarter of its top). Own code, apart from lamsearch's trainer; "
        f"{minutes:.0f} minutes of one core."
    )


def _given(given: list[Accuracies]) -> str:
    rows = []
    for (lam, said), one in zip(TABLE_1.items(), given, strict=True):
        coarse = one.until(SEARCH_EPOCHS)
        rows.append((
            f"{lam:.4g}", f"{100 * said:.1f} %", _spread(coarse.best()),
            _spread(coarse.validation_at_best()), _spread(one.train[-1]),
            _spread(one.validation[-1]),
        ))  # fmt: skip
    head = ("λ", "the report", "score after 784 updates", "validation there",
            "training after 1,176 updates", "validation there")  # fmt: skip
    scores = np.array([one.until(SEARCH_EPOCHS).best() for one in given])  # (λs, seeds)
    apart = paired(scores[0].tolist(), scores[2].tolist())
    late = [
        one.epochs[row] for one in given for row in one.until(SEARCH_EPOCHS).train.argmax(axis=0)
    ]
    return (
        f"Fresh weights for every λ, {SEEDS} seeds of initial weights:\n\n{table(head, rows)}\n\n"
        f"The best epoch is number {min(late)} to {max(late)} of {SEARCH_EPOCHS}. Standard "
        f"deviation of the score over the λs of one seed: "
        f"{100 * scores.std(axis=0, ddof=1).mean():.2f} points; over the seeds of one λ: "
        f"{100 * scores.std(axis=1, ddof=1).mean():.2f}. First λ of table 1 minus third, paired: "
        f"{100 * apart.mean:+.2f} points [{100 * apart.low:+.2f}, {100 * apart.high:+.2f}]; in "
        f"the report +0.6."
    )


def _handed(chains: Chains) -> list[str]:
    lambdas, scores = chains.log10_lambdas, 100 * chains.scores
    head = ("position", *(f"order {i + 1}: log₁₀ λ, score" for i in range(ORDERS)),
            *(f"one λ, weights {i + 1}" for i in range(REPEATED)))  # fmt: skip
    rows = [
        (
            str(position + 1),
            *(f"{lambdas[position, i]:.2f}, {scores[position, i]:.1f} %" for i in range(ORDERS)),
            *(
                f"{scores[position, ORDERS + i]:.1f} %; validation "
                f"{100 * chains.validation[position, ORDERS + i]:.1f} %"
                for i in range(REPEATED)
            ),
        )
        for position in range(len(lambdas))
    ]
    return [
        f"Weights handed from λ to λ, each trained for 784 updates from what the one before it "
        f"left: {ORDERS} orders of the same {len(lambdas)} λs, and λ = {FINE:g} again and again:",
        table(head, rows).replace("-", "−").replace("−−−", "---"),
        " ".join(_readings(chains)),
    ]


def _readings(chains: Chains) -> list[str]:
    lambdas, scores = chains.log10_lambdas, chains.scores
    last = len(lambdas)
    gains = scores[-1, ORDERS:] - scores[0, ORDERS:]
    trained = chains.validation[-1, ORDERS:] - chains.validation[0, ORDERS:]
    best = [sorted((np.argsort(-scores[:, i])[:3] + 1).tolist()) for i in range(ORDERS)]
    judged = [
        sorted((np.argsort(-chains.validation[:, i])[:3] + 1).tolist()) for i in range(ORDERS)
    ]
    return [
        f"The same λ gains {100 * gains.mean():+.1f} points of training accuracy from position 1 "
        f"to position {last}, and {100 * trained.mean():+.1f} of validation accuracy.",
        "The best three by score stand at the positions "
        + "; ".join(", ".join(map(str, one)) for one in best)
        + f" of {last}; by validation accuracy at "
        + "; ".join(", ".join(map(str, one)) for one in judged)
        + ".",
        _slope(chains),
    ]


def _slope(chains: Chains) -> str:
    """Say what a later position is worth to a small λ."""
    slopes = []
    for i in range(ORDERS):
        small = np.flatnonzero(chains.log10_lambdas[:, i] <= PLATEAU)
        slopes.append(100 * np.polyfit(small, chains.scores[small, i], 1)[0])
    one = estimate(slopes)
    return (
        f"Among the λs up to {10**PLATEAU:g} one position later is worth {one.mean:+.2f} ± "
        f"{one.sd:.2f} points (slope per order, mean ± standard deviation over orders)."
    )


def _spread(values: npt.NDArray[np.floating]) -> str:
    one = estimate(values.astype(np.float64))
    return f"{100 * one.mean:.2f} ± {100 * one.sd:.2f} %"


if __name__ == "__main__":
    main()
