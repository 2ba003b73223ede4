"""The trainer keeps to lamsearch's protocol, and to the cost whose minimum it is to find."""

from __future__ import annotations

import numpy as np
import pytest
from own_trainer.softmax import SOFTMAX, Options
from sklearn.linear_model import LogisticRegression

from lamsearch.metrics import LOG_LOSS
from lamsearch.trainers import Training, kind_named
from lamsearch.trainers.conformance import RULES, Case, Rule
from lamsearch.trainers.conformance.case import finish


@pytest.mark.parametrize("rule", RULES, ids=lambda one: one.__name__)
def test_it_keeps_each_rule(rule: Rule) -> None:
    """Whatever lamsearch relies on holds, with a momentum of each model's own as well."""
    rule(Case(kind=SOFTMAX))
    rule(Case(kind=SOFTMAX, per_model={"momentum": (0.0, 0.3, 0.6, 0.9)}))


def test_it_is_installed_under_its_name() -> None:
    """The entry point leads to it."""
    assert kind_named("softmax") is SOFTMAX


def test_it_finds_the_minimum_that_scikit_learn_finds() -> None:
    """With C = 1/(2nλ) scikit-learn's optimum is its own: λ means what lamsearch says it means."""
    training = Training(batch_size=200, step_size=300, eta_min=1e-3, eta_max=0.5)
    case = Case(
        kind=SOFTMAX, training=training, points=((-2.0,), (-1.0,)), options=Options(momentum=0.9)
    )
    trainer, splits = case.make(), case.splits
    finish(trainer)
    for point, one in zip(case.points, trainer.outcomes(), strict=True):
        C = 1 / (2 * len(splits.train_y) * 10 ** point[0])
        peer = LogisticRegression(C=C, tol=1e-8, max_iter=5000).fit(splits.train_x, splits.train_y)
        probabilities = peer.predict_proba(splits.validation_x)
        expected = -float(np.mean(LOG_LOSS.per_example(probabilities, splits.validation_y)))
        assert one.validation_loss == pytest.approx(expected, rel=1e-4)
