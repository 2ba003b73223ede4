"""What λ is in each library: two ways of fitting meet at the same minimum.

One is the library's at the parameter that the table gives; the other, which knows nothing of the
library, minimises mean loss + λ·Σ‖W‖² as it is written.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.optimize import minimize
from scipy.special import gammaln, logsumexp, softmax
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import (
    ElasticNet,
    GammaRegressor,
    HuberRegressor,
    Lasso,
    LogisticRegression,
    LogisticRegressionCV,
    Perceptron,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    SGDRegressor,
    TweedieRegressor,
)
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR

from lamsearch.trainers.penalties import PENALTIES, Trained, batch_of, penalty_of

Array = npt.NDArray[np.float64]
Loss = Callable[[Array], Array]  # predictions (n,) or (n, K) → a loss per example (n,)
LAM = 0.02
N, F = 60, 3
ROOT = Path(__file__).parents[2]

rng = np.random.default_rng(20)
X = rng.normal(size=(N, F)) * [1.0, 0.7, 1.5]
LINEAR = X @ [1.0, -0.5, 0.3] + 0.4
LABELS = (LINEAR + rng.normal(size=N) > 0).astype(int)
SIGNS = 2.0 * LABELS - 1
THREE = np.digitize(LINEAR + rng.normal(size=N), [-0.5, 1.0])
VALUES = LINEAR + 0.5 * rng.normal(size=N)
COUNTS = rng.poisson(np.exp(0.5 * LINEAR)).astype(float)
POSITIVE = rng.gamma(2.0, np.exp(0.5 * LINEAR) / 2)


def minimum(
    loss: Loss, *, outputs: int = 1, lam: float = LAM, bias_too: bool = False,
    weights: Array | None = None, extra: int = 0,
) -> Array:  # fmt: skip
    """Return the weights (F, outputs), then the bias, that minimise mean loss + λ·Σ‖W‖²."""

    def cost(flat: Array) -> float:
        W, b = flat[: F * outputs].reshape(F, outputs), flat[F * outputs :][:outputs]
        scores = X @ W + b
        rest = flat[(F + 1) * outputs :]
        losses = loss(scores if outputs > 1 else scores[:, 0], *([rest] if extra else []))
        square = (W**2).sum() + (b**2).sum() * bias_too
        return float(np.average(losses, weights=weights) + lam * square)

    start = np.zeros((F + 1) * outputs + extra)
    found = minimize(cost, start, jac="3-point", method="BFGS", options={"gtol": 1e-7})
    return np.asarray(found.x)


def fitted(estimator: Any, y: Array, *, trained: Trained | None = None, **fit: Any) -> Any:
    """Return the estimator, fitted at the table's value of its parameter."""
    row = penalty_of(type(estimator))
    assert row is not None
    assert row.rule(estimator.get_params()) is None
    value = row.value(LAM, trained or Trained.on(N), estimator.get_params())
    return estimator.set_params(**{row.parameter: value}).fit(X, y, **fit)


def flat(estimator: Any) -> Array:
    """Return a linear estimator's weights, then its bias."""
    return np.concatenate([np.ravel(estimator.coef_.T), np.ravel(estimator.intercept_)])


def log_loss(scores: Array) -> Array:
    """Of labels 0 and 1."""
    return np.logaddexp(0, -SIGNS * scores)


def cross_entropy(scores: Array) -> Array:
    """Of three classes."""
    return np.asarray(logsumexp(scores, axis=1) - scores[np.arange(N), THREE])


def squared(target: Array) -> Loss:
    """Return (f − y)²."""
    return lambda scores: (scores - target) ** 2


def squared_hinge(scores: Array) -> Array:
    """Return max(0, 1 − yf)²."""
    return np.maximum(0, 1 - SIGNS * scores) ** 2


def huber(scores: Array, rest: Array) -> Array:
    """σ + H((f − y)/σ)·σ with ε = 1.35, where log σ is sought as well."""
    scale = np.exp(rest[0])
    z = np.abs(scores - VALUES) / scale
    inner = np.where(z < 1.35, z**2, 2 * 1.35 * z - 1.35**2)
    return np.asarray(scale + inner * scale)


def poisson(scores: Array) -> Array:
    """Half the deviance is the negative log-likelihood, but for what no weight changes."""
    return np.asarray(np.exp(scores) - COUNTS * scores + gammaln(COUNTS + 1))


def gamma(scores: Array) -> Array:
    """Half the deviance of a gamma distribution."""
    return np.asarray(POSITIVE * np.exp(-scores) + scores - np.log(POSITIVE) - 1)


EXACT: list[tuple[Any, Array, Loss, dict[str, Any]]] = [
    (LogisticRegression(tol=1e-9, max_iter=1000), LABELS, log_loss, {}),
    (LogisticRegression(tol=1e-9, max_iter=1000, solver="newton-cholesky"), LABELS, log_loss, {}),
    (LogisticRegression(tol=1e-9, max_iter=9000, solver="saga"), LABELS, log_loss, {}),
    (LogisticRegression(tol=1e-9, max_iter=1000), THREE, cross_entropy, {"outputs": 3}),
    (LinearSVC(tol=1e-9, max_iter=100_000), LABELS, squared_hinge, {"bias_too": True}),
    (Ridge(), VALUES, squared(VALUES), {}),
    (RidgeClassifier(), LABELS, squared(SIGNS), {}),
    (HuberRegressor(tol=1e-9, max_iter=1000), VALUES, huber, {"extra": 1}),
    (PoissonRegressor(tol=1e-9, max_iter=1000), COUNTS, poisson, {}),
    (GammaRegressor(tol=1e-9, max_iter=1000), POSITIVE, gamma, {}),
    (TweedieRegressor(power=0, tol=1e-9, max_iter=1000), VALUES, squared(VALUES), {}),
    (TweedieRegressor(power=1, link="log", tol=1e-9, max_iter=1000), COUNTS, poisson, {}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("estimator", "y", "loss", "options"), EXACT,
    ids=[f"{type(row[0]).__name__}{number}" for number, row in enumerate(EXACT)],
)  # fmt: skip
def test_two_fits_meet_at_the_same_minimum(
    estimator: Any, y: Array, loss: Loss, options: dict[str, Any]
) -> None:
    """The library at the table's value ends where mean loss + λ·Σ‖W‖² is least."""
    found, expected = flat(fitted(estimator, y)), minimum(loss, **options)
    if options.get("outputs"):  # adding a constant to all biases changes no probability
        expected[-3:] -= expected[-3:].mean()
        found[-3:] -= found[-3:].mean()
    assert found == pytest.approx(expected[: len(found)], rel=2e-3, abs=2e-4)


def test_kernel_ridge_meets_ridge_without_a_bias() -> None:
    """With a linear kernel the penalty of the function is that of its weights."""
    model = fitted(KernelRidge(kernel="linear"), VALUES)
    expected = np.linalg.solve(X.T @ X / N + LAM * np.eye(F), X.T @ VALUES / N)
    assert X.T @ model.dual_coef_ == pytest.approx(expected)


def slack(count: int, above: Callable[[Array], Array], bias_too: bool = False) -> Array:
    """Return the weights that minimise mean ξ + λ·Σ‖W‖² for ξ ≥ 0 and what ``above`` has ≥ 0."""
    start = np.concatenate([np.zeros(F + 1), np.full(count, 3.0)])
    penalised = np.r_[np.ones(F), float(bias_too), np.zeros(count)]

    def cost(v: Array) -> float:
        return float(v[F + 1 :].mean() + LAM * (penalised * v**2).sum())

    def gradient(v: Array) -> Array:
        return np.asarray(2 * LAM * penalised * v + np.r_[np.zeros(F + 1), np.ones(count) / count])

    found = minimize(
        cost, start, jac=gradient, method="SLSQP", options={"maxiter": 1000, "ftol": 1e-12},
        constraints=[{"type": "ineq", "fun": above}, {"type": "ineq", "fun": lambda v: v[F + 1 :]}],
    )  # fmt: skip
    return np.asarray(found.x[: F + 1])


def test_support_vector_machines_meet_a_quadratic_programme() -> None:
    """Hinge and ε-insensitive losses, which have kinks, are least where their slack is."""

    def hinge(v: Array) -> Array:
        return SIGNS * (X @ v[:F] + v[F]) - 1 + v[F + 1 :]

    def tube(v: Array) -> Array:
        gap = X @ v[:F] + v[F] - VALUES
        return np.r_[v[F + 1 :] + 0.1 - gap, v[F + 1 :] + 0.1 + gap]

    close = {"rel": 1e-2, "abs": 5e-3}
    machine = fitted(SVC(kernel="linear", tol=1e-8), LABELS)
    assert flat(machine) == pytest.approx(slack(N, hinge), **close)
    linear = fitted(LinearSVC(loss="hinge", dual=True, tol=1e-9, max_iter=10**6), LABELS)
    assert flat(linear) == pytest.approx(slack(N, hinge, bias_too=True), **close)
    regressor = fitted(SVR(kernel="linear", epsilon=0.1, tol=1e-8), VALUES)
    assert flat(regressor) == pytest.approx(slack(N, tube), **close)
    linear = fitted(LinearSVR(epsilon=0.1, dual=True, tol=1e-9, max_iter=10**6), VALUES)
    assert flat(linear) == pytest.approx(slack(N, tube, bias_too=True), **close)


def test_stochastic_descent_meets_the_same_minimum() -> None:
    """SGD's mean over many small steps ends near the least cost: of log loss, of squared error."""
    steps = {"average": 10_000, "max_iter": 3000, "tol": None, "random_state": 0,
             "learning_rate": "constant", "eta0": 2e-3}  # fmt: skip
    close = {"rel": 0.02, "abs": 0.01}
    logistic = fitted(SGDClassifier(loss="log_loss", **steps), LABELS)
    assert flat(logistic) == pytest.approx(minimum(log_loss), **close)
    linear = fitted(SGDRegressor(**steps), VALUES)
    assert flat(linear) == pytest.approx(minimum(squared(VALUES)), **close)
    hinges = fitted(SGDClassifier(loss="squared_hinge", **steps), LABELS)
    assert flat(hinges) == pytest.approx(minimum(squared_hinge), **close)


def test_a_perceptron_is_descent_on_its_loss() -> None:
    """Perceptron takes SGD's steps with the perceptron's loss, whose row is proven above."""
    common = {"penalty": "l2", "max_iter": 20, "tol": None, "random_state": 0}
    one = fitted(Perceptron(eta0=0.1, **common), LABELS)
    same = fitted(
        SGDClassifier(loss="perceptron", learning_rate="constant", eta0=0.1, **common), LABELS
    )
    assert flat(one) == pytest.approx(flat(same))


def layer(model: Any) -> Array:
    """Return an MLP's only layer, then its bias."""
    return np.concatenate([np.ravel(model.coefs_[0]), model.intercepts_[0]])


def test_a_multilayer_perceptron_meets_the_same_minimum() -> None:
    """Without hidden layers an MLP is a linear model: by lbfgs, and by mini-batches of any size."""
    whole = {"hidden_layer_sizes": (), "solver": "lbfgs", "tol": 1e-10, "max_iter": 5000,
             "max_fun": 10**6}  # fmt: skip
    close = {"rel": 3e-3, "abs": 3e-3}
    assert layer(fitted(MLPClassifier(**whole), LABELS)) == pytest.approx(
        minimum(log_loss), **close
    )
    assert layer(fitted(MLPRegressor(**whole), VALUES)) == pytest.approx(
        minimum(squared(VALUES)), **close
    )


@pytest.mark.parametrize("batch", [20, 40])
def test_an_mlp_s_mini_batches_divide_its_penalty(batch: int) -> None:
    """Small steps over mini-batches end near the least cost, where the last one is smaller too."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a fixed number of epochs
        model = fitted(
            MLPRegressor(hidden_layer_sizes=(), solver="sgd", momentum=0.0, batch_size=batch,
                         tol=0.0, learning_rate_init=3e-3, max_iter=1500, n_iter_no_change=1500,
                         random_state=0),
            VALUES,
        )  # fmt: skip
    assert layer(model) == pytest.approx(minimum(squared(VALUES)), rel=0.03, abs=0.01)
    # the mean of 1/size over an epoch: of 60 examples three of 20, or one of 40 and one of 20
    assert batch_of({"batch_size": batch}, N) == pytest.approx({20: 20.0, 40: 2 / 0.075}[batch])


def test_a_step_with_pytorch_s_weight_decay_descends_the_same_cost() -> None:
    """Steps w ← w − η(g + 2λ·w), as torch.optim.SGD has them, end where the cost is least."""
    W, b = np.zeros((F, 3)), np.zeros(3)
    for _ in range(6000):
        residual = (softmax(X @ W + b, axis=1) - np.eye(3)[THREE]) / N
        W, b = W - 0.3 * (X.T @ residual + 2 * LAM * W), b - 0.3 * residual.sum(axis=0)
    expected = minimum(cross_entropy, outputs=3)
    assert np.ravel(W) == pytest.approx(expected[: 3 * F], rel=1e-3, abs=1e-4)


def test_weights_count_as_their_sum() -> None:
    """The table's n is the sum of examples' and classes' weights; SGD averages over the number."""
    weights = np.r_[np.full(N // 2, 3.0), np.full(N - N // 2, 0.5)]
    trained = Trained(examples=N, weight=float(weights.sum()))
    model = fitted(Ridge(), VALUES, trained=trained, sample_weight=weights)
    assert flat(model) == pytest.approx(minimum(squared(VALUES), weights=weights), rel=1e-3)
    by_class = np.where(LABELS == 1, 2.0, 0.7)
    trained = Trained(examples=N, weight=float(by_class.sum()))
    logistic = LogisticRegression(tol=1e-9, max_iter=1000, class_weight={0: 0.7, 1: 2.0})
    expected = minimum(log_loss, weights=by_class)
    assert flat(fitted(logistic, LABELS, trained=trained)) == pytest.approx(expected, rel=1e-3)
    stochastic = SGDClassifier(
        loss="log_loss", class_weight={0: 0.7, 1: 2.0}, average=10_000, max_iter=3000, tol=None,
        learning_rate="constant", eta0=2e-3, random_state=0,
    )  # fmt: skip
    found = flat(fitted(stochastic, LABELS, trained=trained))
    assert found == pytest.approx(expected, rel=0.02, abs=0.01)


def test_what_has_no_such_penalty_has_no_row() -> None:
    """Absolute values, leaves of trees, and classes that search their penalty have no row."""
    for kind in (Lasso, ElasticNet, HistGradientBoostingClassifier, LogisticRegressionCV, object):
        assert penalty_of(kind) is None

    class Derived(Ridge):  # type: ignore[misc]  # scikit-learn ships no types
        pass

    assert penalty_of(Derived) is PENALTIES["Ridge"]


@pytest.mark.parametrize(
    ("estimator", "rule"),
    [
        (SGDClassifier(penalty="l1"), 'penalty="l2"'),
        (Perceptron(), 'penalty="l2"'),
        (LinearSVC(penalty="l1"), 'penalty="l2"'),
        pytest.param(
            LogisticRegression(l1_ratio=0.5, solver="saga"),
            "l1_ratio=0",
            marks=pytest.mark.skipif(
                LogisticRegression().penalty != "deprecated", reason="penalty says it"
            ),
        ),
        (LogisticRegression(), None),
    ],
)
def test_another_penalty_is_not_taken_for_it(estimator: Any, rule: str | None) -> None:
    """Where an estimator's own settings make its penalty another one, the row says what they must
    be."""
    row = penalty_of(type(estimator))
    assert row is not None
    assert row.rule(estimator.get_params()) == rule


def test_the_table_in_the_documents_is_the_code_s() -> None:
    """docs/concepts.md has every row with its parameter and formula."""
    text = (ROOT / "docs/concepts.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (`\w+` = [^|]+?) \|", text, re.M))
    expected = {name: f"`{row.parameter}` = {row.formula}" for name, row in PENALTIES.items()}
    assert {name: rows.get(name) for name in expected} == expected
