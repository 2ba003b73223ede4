"""`LambdaSearchCV` against scikit-learn's own searches of a penalty, at equal numbers of fits.

Six of scikit-learn's data sets, three for LogisticRegression and three for Ridge, each standardised
in a pipeline and split into training and test examples many times: the difference of test scores
with its interval (Nadeau and Bengio 2003: the splits are of one pool). The peers are
LogisticRegressionCV with its grid of 10 values of C, and RidgeCV with one of 10 values of alpha;
with 5 folds all make 51 fits. Needs no other data, and writes its section of RESULTS.md.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_wine,
    make_classification,
    make_friedman1,
    make_regression,
)
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, Ridge, RidgeCV
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from benchmarks.common import publish, read_options, table
from lamsearch import LambdaSearchCV

Arrays = tuple[npt.NDArray[np.float64], npt.NDArray[Any]]
TEST = 0.25
CS, ALPHAS = np.logspace(-4, 4, 10), np.logspace(-4, 4, 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A data set, why it is here, and whether it has classes."""

    name: str
    why: str
    load: Callable[[], Arrays]
    classes: bool


CASES = (
    Case(name="breast cancer", why="569 × 30, nearly separable", classes=True,
         load=lambda: load_breast_cancer(return_X_y=True)),
    Case(name="wine", why="178 × 13, three classes, separable", classes=True,
         load=lambda: load_wine(return_X_y=True)),
    Case(name="noisy labels", why="300 × 100, 15 % of labels flipped: λ decides", classes=True,
         load=lambda: make_classification(300, 100, n_informative=8, n_redundant=20, flip_y=0.15,
                                          random_state=1)),
    Case(name="diabetes", why="442 × 10, λ hardly matters", classes=False,
         load=lambda: load_diabetes(return_X_y=True)),
    Case(name="Friedman 1", why="200 × 60, of which 5 matter: λ decides", classes=False,
         load=lambda: make_friedman1(200, 60, noise=2.0, random_state=1)),
    Case(name="low rank", why="240 × 100, correlated features: λ decides", classes=False,
         load=lambda: make_regression(240, 100, n_informative=100, effective_rank=20, noise=10.0,
                                      random_state=1)),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Test scores of both over the splits (splits,), and how many fits ours made."""

    ours: npt.NDArray[np.float64]
    peer: npt.NDArray[np.float64]
    fits: int


def peer_of(case: Case) -> Any:
    """Return scikit-learn's own search."""
    if not case.classes:
        return RidgeCV(alphas=ALPHAS, cv=5)
    options: dict[str, Any] = {"Cs": CS, "cv": 5, "max_iter": 2000}
    if "use_legacy_attributes" in LogisticRegressionCV().get_params():
        options |= {"use_legacy_attributes": False, "l1_ratios": (0,)}
    return LogisticRegressionCV(**options)


def run(case: Case, splits: int) -> Outcome:
    """Return the test scores of both on the same splits."""
    X, y = case.load()
    model = LogisticRegression(max_iter=2000) if case.classes else Ridge()
    pipeline = make_pipeline(StandardScaler(), model)
    ours, peers, fits = [], [], 0
    for seed in range(splits):
        strata = y if case.classes else None
        A, B, a, b = train_test_split(X, y, test_size=TEST, random_state=seed, stratify=strata)
        peers.append(make_pipeline(StandardScaler(), peer_of(case)).fit(A, a).score(B, b))
        found = LambdaSearchCV(pipeline, random_state=seed).fit(A, a)
        ours.append(found.score(B, b))
        fits = found.n_fits_
    return Outcome(ours=np.array(ours), peer=np.array(peers), fits=fits)


def interval(gaps: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Return the mean gap and half its 95 % interval over splits of one pool."""
    count = len(gaps)
    error = math.sqrt((1 / count + TEST / (1 - TEST)) * float(gaps.var(ddof=1)))
    return float(gaps.mean()), float(student.ppf(0.975, count - 1)) * error


def main() -> None:
    """Run the benchmark."""
    options = read_options(__doc__ or "")
    splits = 4 if options.quick else 24
    rows, gains = [], []
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fits at the grid's ends that do not converge
        for case in CASES:
            found = run(case, splits)
            gap, half = interval(found.ours - found.peer)
            gains.append(gap)
            rows.append([
                case.name, case.why, "accuracy" if case.classes else "R²",
                f"{found.ours.mean():.4f}", f"{found.peer.mean():.4f}", f"{gap:+.4f} ± {half:.4f}",
                "worse" if gap + half < 0 else "not worse", str(found.fits),
            ])  # fmt: skip
    head = ["data", "what", "score", "LambdaSearchCV", "peer", "difference", "", "fits"]
    text = (
        f"Mean test scores over {splits} splits, three quarters for training; peers: "
        "LogisticRegressionCV and RidgeCV with grids of 10 and 5 folds, 51 fits as well. "
        "± is half a 95 % interval of the difference (Nadeau and Bengio 2003).\n\n"
        f"{table(head, rows)}\n\nMean difference over the six: {np.mean(gains):+.4f}."
    )
    publish("search_cv", text, options)


if __name__ == "__main__":
    main()
