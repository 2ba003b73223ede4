"""LambdaSearchClassifier against scikit-learn's MLPClassifier on digits: equal work, one core each.

Enters: scikit-learn's digits, split anew in each round. Leaves: processor seconds of one core, and
test accuracy, of both. The work is the classifier's own: every training of its search, finalists
and final, with the same λ, architecture, mini-batch size, number of epochs and examples, once more
by an MLPClassifier, one after another, the choice by the same rule and the prediction by the same
mean of probabilities. By Adam at its defaults, and by SGD with Nesterov momentum at a rate of
0.05.

    python -m benchmarks.estimators [--quick]
"""

from __future__ import annotations

import math
import warnings
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from time import process_time
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from benchmarks.common import Options, publish, ratios, read_options, spread, table, verdict
from lamsearch import LambdaSearchClassifier
from lamsearch.estimators.sizes import network_sizes

TARGET = 3.0  # times faster
ROUNDS, QUICK_ROUNDS = 20, 2
FIRST = 100  # seed of a round: the sizes were found on others
SOLVERS: dict[str, dict[str, Any]] = {
    "adam": {"solver": "adam"},
    "sgd": {"solver": "sgd", "learning_rate_init": 0.05},
}
Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """One fit, search included: its seconds, its test accuracy, the networks that it trained."""

    seconds: float
    accuracy: float
    trainings: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One training of the classifier's search: where it belongs, λ, and how long it is."""

    stage: str
    lam: float
    replicate: int
    updates: int


class Peer:
    """The same trainings by MLPClassifiers."""

    def __init__(self, model: LambdaSearchClassifier, solver: str, examples: int) -> None:
        self._model, self._solver = model, solver
        self._sizes = network_sizes(examples)

    def fit(self, X: Array, y: Array, seed: int) -> list[MLPClassifier]:
        """Search λ as the classifier did; return the final's networks."""
        a, b, c, d = train_test_split(X, y, test_size=0.2, random_state=seed, stratify=y)
        scores: dict[float, list[float]] = defaultdict(list)
        for one in trainings(self._model):
            network = self._network(one, len(a)).fit(a, c)
            if one.stage == "finalists":
                scores[one.lam].append(network.score(b, d))
        best = max(scores, key=lambda lam: float(np.mean(scores[lam])))
        return [self._network(final, len(X)).fit(X, y) for final in finals(self._model, best)]

    def _network(self, one: Training, examples: int) -> MLPClassifier:
        batch = min(self._sizes.batch_size, examples)
        return MLPClassifier(
            hidden_layer_sizes=self._sizes.hidden, batch_size=batch, alpha=2 * one.lam * batch,
            max_iter=max(1, round(one.updates * batch / examples)), tol=0.0,
            n_iter_no_change=10_000, random_state=one.replicate, **SOLVERS[self._solver],
        )  # fmt: skip


def trainings(model: LambdaSearchClassifier) -> Iterator[Training]:
    """Yield the trainings of a fitted classifier's search."""
    updates = model.result_.document["stages"]
    for stage in updates:
        planned = stage["updates"]
        each = 0 if planned is None else planned["planned"] // max(1, stage["planned"])
        for trial in stage["trials"]:
            yield Training(
                stage=stage["name"], lam=10.0 ** trial["log10_lambda"],
                replicate=trial["replicate"], updates=each,
            )  # fmt: skip


def finals(model: LambdaSearchClassifier, lam: float) -> Iterator[Training]:
    """Yield those of its final, at some λ: as long as those of the finalists."""
    updates = next(one.updates for one in trainings(model) if one.stage == "finalists")
    for replicate in range(model.ensemble_.replicates):
        yield Training(stage="final", lam=lam, replicate=replicate, updates=updates)


def ours(split: list[Array], seed: int) -> tuple[LambdaSearchClassifier, Fit]:
    """Fit the classifier, λ searched inside."""
    X, test, y, labels = split
    begun = process_time()
    model = LambdaSearchClassifier(random_state=seed).fit(X, y)
    seconds = process_time() - begun
    count = len(list(trainings(model))) + model.ensemble_.replicates
    return model, Fit(seconds=seconds, accuracy=model.score(test, labels), trainings=count)


def theirs(model: LambdaSearchClassifier, solver: str, split: list[Array], seed: int) -> Fit:
    """Fit MLPClassifiers as often."""
    X, test, y, labels = split
    begun = process_time()
    scaler = StandardScaler().fit(X)
    networks = Peer(model, solver, len(X)).fit(scaler.transform(X), y, seed)
    seconds = process_time() - begun
    mean = np.mean([one.predict_proba(scaler.transform(test)) for one in networks], axis=0)
    accuracy = float((networks[0].classes_[mean.argmax(axis=1)] == labels).mean())
    count = len(list(trainings(model))) + len(networks)
    return Fit(seconds=seconds, accuracy=accuracy, trainings=count)


def measured(options: Options) -> dict[str, list[Fit]]:
    """Return each contender's fits, a round each, all of a round on the same split."""
    X, y = load_digits(return_X_y=True)
    found: dict[str, list[Fit]] = defaultdict(list)
    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        # what is loaded at the first fit is nobody's time
        LambdaSearchClassifier(trials=2, keep=1, replicates=1, updates=2).fit(X[:200], y[:200])
        for seed in range(FIRST, FIRST + (QUICK_ROUNDS if options.quick else ROUNDS)):
            split = train_test_split(X, y, random_state=seed, stratify=y)
            model, fit = ours(split, seed)
            found["LambdaSearchClassifier"].append(fit)
            for solver in SOLVERS:
                found[solver].append(theirs(model, solver, split, seed))
    return found


def text(found: dict[str, list[Fit]]) -> str:
    """Return the section: a table, and the two figures."""
    mine = found.pop("LambdaSearchClassifier")
    rows = [_row("LambdaSearchClassifier", mine, mine)]
    rows += [_row(f"MLPClassifier, {solver}", fits, mine) for solver, fits in found.items()]
    head = ["", "seconds a fit", "times slower", "test accuracy (%)", "ours − theirs (points)"]
    fastest = min(
        ratios([o.seconds for o in fits], [o.seconds for o in mine]).median
        for fits in found.values()
    )
    best = max(found.values(), key=lambda fits: float(np.mean([o.accuracy for o in fits])))
    gain, error = _gain(mine, best)
    worse = gain < -2 * error
    return (
        f"{len(mine)} rounds, each a new split of digits (1,347 to fit, 450 to test), "
        f"{mine[0].trainings} trainings in each fit, processor seconds of one core. Medians and "
        f"quartiles; accuracies as means, differences paired by round ± standard error.\n\n"
        f"{table(head, rows)}\n\n"
        f"Against the faster of the two: {fastest:.1f} times ({verdict(fastest, '≥', TARGET)}). "
        f"Score against the better of the two: {100 * gain:+.2f} ± {100 * error:.2f} points "
        f"({'worse' if worse else 'not worse'})."
    )


def _row(name: str, fits: list[Fit], mine: list[Fit]) -> list[str]:
    slower = ratios([o.seconds for o in fits], [o.seconds for o in mine])
    gain, error = _gain(mine, fits)
    return [
        name,
        spread(o.seconds for o in fits).text(),
        "1" if fits is mine else slower.text(1),
        f"{100 * np.mean([o.accuracy for o in fits]):.2f}",
        "–" if fits is mine else f"{100 * gain:+.2f} ± {100 * error:.2f}",
    ]


def _gain(mine: list[Fit], fits: list[Fit]) -> tuple[float, float]:
    """How much more accurate ours are, over rounds, and the standard error of that."""
    gaps = [one.accuracy - other.accuracy for one, other in zip(mine, fits, strict=True)]
    return float(np.mean(gaps)), float(np.std(gaps, ddof=1) / math.sqrt(len(gaps)))


def main() -> None:
    """Measure, print, write."""
    options = read_options(__doc__ or "")
    publish("estimators", text(measured(options)), options)


if __name__ == "__main__":
    main()
