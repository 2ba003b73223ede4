"""The benchmark that trains as the source report's code did, on handwritten digits."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from benchmarks.source_chain import Accuracies, Examples, Models, handed_on, initial, step, train
from benchmarks.source_handed_on import LAMBDAS, Chains, chained
from lamsearch.schedules import schedule_of
from lamsearch.study import Training

TRAINING = Training(
    batch_size=100, eta_min=1e-6, eta_max=1e-1, step_size=16, cycles=2, sample_every="epoch"
)


@pytest.fixture(scope="module")
def examples() -> Examples:
    """400 digits to train on and 400 to validate."""
    x, y = load_digits(return_X_y=True)
    x = (x - x.mean(axis=0)) / (x.std(axis=0) + (x.std(axis=0) == 0))
    return Examples(
        train_x=x[:400], train_y=y[:400], validation_x=x[400:800], validation_y=y[400:800]
    )


def models(*seeds: int) -> Models:
    """Return one small network in float64 per seed."""
    return initial(seeds, features=64, hidden=8, classes=10, dtype=np.float64)


def copied(one: Models) -> Models:
    """Return a copy that shares nothing."""
    return Models(W1=one.W1.copy(), b1=one.b1.copy(), W2=one.W2.copy(), b2=one.b2.copy())


def cost(one: Models, x: np.ndarray, y: np.ndarray, lam: float) -> float:
    """Return loss + λ·Σ‖W‖² of a single model, written a second time."""
    scores = np.maximum(x @ one.W1 + one.b1, 0) @ one.W2[0] + one.b2[0]
    scores = scores - scores.max(axis=1, keepdims=True)
    log_p = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    loss = -log_p[np.arange(len(y)), y].mean()
    return float(loss + lam * ((one.W1**2).sum() + (one.W2**2).sum()))


@pytest.mark.parametrize("name", ["W1", "b1", "W2", "b2"])
def test_a_step_goes_down_the_gradient(examples: Examples, name: str) -> None:
    """What a step takes off each array is η times the cost's central difference."""
    x, y, eta, lam = examples.train_x[:20], examples.train_y[:20], 1e-3, 0.3
    before = models(1)
    after = copied(before)
    step(after, x, y, eta=eta, lam=np.array([lam]))
    flat = getattr(before, name).reshape(-1)
    for i in range(0, flat.size, max(1, flat.size // 12)):
        kept, ends = flat[i], []
        for h in (1e-5, -1e-5):
            flat[i] = kept + h
            ends.append(cost(before, x, y, lam))
        flat[i] = kept
        slope = (ends[0] - ends[1]) / 2e-5
        taken = (kept - getattr(after, name).reshape(-1)[i]) / eta
        assert taken == pytest.approx(slope, rel=1e-5, abs=1e-8)


def test_models_side_by_side_are_models_alone(examples: Examples) -> None:
    """Networks that share a pass over the mini-batches end as each ends alone."""
    together = models(1, 2)
    found = train(together, examples, [-3.0, -1.0], TRAINING)
    for i, (seed, lam) in enumerate(((1, -3.0), (2, -1.0))):
        alone = models(seed)
        one = train(alone, examples, [lam], TRAINING)
        assert np.allclose(alone.W2[0], together.W2[i], rtol=1e-9, atol=1e-12)
        assert one.train[:, 0].tolist() == found.train[:, i].tolist()


def test_mini_batches_are_slices_in_one_order(examples: Examples) -> None:
    """Eight updates on 400 examples are two passes over four slices, first to last."""
    twice = TRAINING.model_copy(update={"step_size": 4, "cycles": 1})
    found, by_hand = models(1), models(1)
    train(found, examples, [-3.0], twice)
    for update, start in enumerate((0, 100, 200, 300) * 2):
        rows = slice(start, start + 100)
        rate = schedule_of(twice)(update)
        x, y = examples.train_x[rows], examples.train_y[rows]
        step(by_hand, x, y, eta=rate, lam=np.array([1e-3]))
    assert np.array_equal(found.W1, by_hand.W1)


def test_the_score_is_the_highest_training_accuracy_of_any_epoch() -> None:
    """The score is a maximum over epochs, and validation is read where it stands."""
    one = Accuracies(
        epochs=(1, 7, 8),
        train=np.array([[0.1, 0.5], [0.4, 0.3], [0.3, 0.6]]),
        validation=np.array([[0.2, 0.1], [0.9, 0.3], [0.5, 0.7]]),
    )
    assert one.best().tolist() == [0.4, 0.6]
    assert one.validation_at_best().tolist() == [0.9, 0.7]


def test_a_lambda_starts_from_what_the_one_before_it_left(examples: Examples) -> None:
    """Two λs handed on are one training whose weights are never made anew."""
    chain, alone = models(1), models(1)
    first, second = handed_on(chain, examples, [[-3.0], [-4.0]], TRAINING)
    assert train(alone, examples, [-3.0], TRAINING).train.tolist() == first.train.tolist()
    assert train(alone, examples, [-4.0], TRAINING).train.tolist() == second.train.tolist()
    assert np.array_equal(chain.W1, alone.W1)


def test_the_later_the_better_it_looks(examples: Examples) -> None:
    """The same λ scores higher each time it comes, and an order decides which λ looks best."""
    brief = TRAINING.model_copy(update={"step_size": 4, "cycles": 1})
    chains: Chains = chained(examples, brief)
    assert (np.diff(chains.scores[:, 2:], axis=0) > 0).all()
    best = [chains.log10_lambdas[chains.scores[:, i].argmax(), i] for i in (0, 1)]
    assert best == [LAMBDAS[-1], LAMBDAS[0]]
