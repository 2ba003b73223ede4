"""The range test's rule, on ramps whose bounds were worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lamsearch.diagnostics.rate_range import suggest
from lamsearch.results import RateRamp

# Twenty points at rates 0.05, 0.10, … 1.00; the untrained models have loss 2 and accuracy 0.1.
FALLING = [2.0, 2.0, 2.0] + [1.9 - 0.1 * i for i in range(17)]
RISING = [0.1 + 0.03 * i for i in range(20)]
TURNING = [*FALLING[:13], *(1.1 + 0.1 * i for i in range(7))]  # 1.0 at 0.65, then up again


def ramp(loss: Any, accuracy: Any = RISING, **changes: Any) -> RateRamp:
    """Return a ramp of one replicate, or of as many as there are rows."""
    losses, accuracies = np.atleast_2d(loss), np.atleast_2d(accuracy)
    points = losses.shape[1]
    rates = 0.05 * np.arange(1, points + 1)
    settings: dict[str, Any] = {
        "low": 0.001, "high": 1.0, "updates": np.arange(1, points + 1), "learning_rate": rates,
        "training_loss": losses, "validation_loss": losses, "validation_score": accuracies,
        "untrained_loss": 2.0, "untrained_score": 0.1,
    }  # fmt: skip
    return RateRamp(**{**settings, **changes})


def test_a_loss_that_turns_up() -> None:
    """The bounds are the last rate before the fall, and the first best of the running median.

    The loss is 2.0 up to 0.15 and 1.9 at 0.20, past a tenth of its fall of 0.9 (to the medians'
    lowest, 1.1, at 0.60, 0.65 and 0.70); medians reach 1.2, a clear rise, at 0.75.
    """
    found = suggest(ramp(TURNING))
    assert found.eta_min == pytest.approx(0.15)
    assert found.eta_max == pytest.approx(0.60)
    assert found.why == "the training loss turns up"
    assert found.diverged_at is None
    assert found.notes == ()


def test_a_ramp_that_never_gets_too_high() -> None:
    """Where the loss falls and the accuracy rises to the end, eta_max is the end, with a note."""
    found = suggest(ramp(FALLING))
    assert found.eta_max == pytest.approx(1.0)
    assert found.why == "the ramp's end"
    (note,) = found.notes
    assert note.startswith("the ramp never got too high")


def test_a_ramp_that_diverges() -> None:
    """Loss 3.5 > 1.5 · 2 at rate 0.85 is divergence, and eta_max half of that rate."""
    found = suggest(ramp([*FALLING[:16], 3.5, np.nan], RISING[:18]))
    assert found.diverged_at == pytest.approx(0.85)
    assert found.eta_max == pytest.approx(0.425)
    assert found.why == "half the rate at which models diverge"
    assert found.notes == ()


@pytest.mark.parametrize("lost", [np.nan, np.inf, 3.01])
def test_one_replicate_that_diverges_is_enough(lost: float) -> None:
    """The first point that one of two replicates does not reach well ends what is read."""
    broken = [*FALLING[:12], lost, *[np.nan] * 7]
    found = suggest(ramp([FALLING, broken], [RISING, RISING]))
    assert found.diverged_at == pytest.approx(0.65)
    assert found.eta_max == pytest.approx(0.325)


def test_a_turn_below_half_the_divergence_counts() -> None:
    """A loss that turned long before its divergence sets eta_max where it turned."""
    early = [2.0, 1.7, 1.4, 1.1, 1.1, 1.1, 1.3, 1.5, 1.7, 1.9, 2.1, 2.3, 2.5, 2.7, 2.9, 3.1]
    found = suggest(ramp(early, RISING[:16]))
    assert found.diverged_at == pytest.approx(0.80)
    assert found.eta_max == pytest.approx(0.20)  # medians 1.4, 1.1, 1.1 at 0.15, 0.20, 0.25


def test_an_accuracy_that_falls() -> None:
    """Accuracy that falls after 0.50 while the loss still falls sets eta_max."""
    accuracy = [0.1 + 0.05 * min(i, 18 - i) for i in range(20)]
    found = suggest(ramp(FALLING, accuracy))
    assert found.why == "the validation accuracy falls or becomes ragged"
    assert found.eta_max == pytest.approx(0.45)  # the first of three equal medians


def test_an_accuracy_that_becomes_ragged() -> None:
    """Accuracy that falls and recovers, three points at a time, is too ragged from its first best.

    0.6 is reached at 0.50; at 0.65 the median has fallen by 0.2, more than a tenth of its rise.
    """
    accuracy = [*np.linspace(0.1, 0.6, 10), 0.6, 0.6, *[0.4, 0.4, 0.4, 0.61, 0.61] * 2][:20]
    found = suggest(ramp(FALLING[:20], accuracy))
    assert found.why == "the validation accuracy falls or becomes ragged"
    assert 0.45 <= (found.eta_max or 0) <= 0.60


def test_single_outliers_are_no_turn() -> None:
    """One wild point in the loss, and one in the accuracy, change nothing."""
    loss, accuracy = list(FALLING), list(RISING)
    loss[8] += 0.9
    accuracy[12] -= 0.3
    assert suggest(ramp(loss, accuracy)).eta_max == pytest.approx(1.0)


def test_noise_is_no_turn() -> None:
    """A ramp that falls under noise of a twentieth of its fall has no turn, for a hundred seeds."""
    rng = np.random.default_rng(5)
    for _ in range(100):
        loss = np.array(FALLING) + rng.normal(scale=0.08, size=20)
        assert (suggest(ramp(loss)).eta_max or 0) >= 0.9


@pytest.mark.parametrize("scale", [0.0, 0.01, 0.3])
def test_a_flat_ramp_suggests_nothing(scale: float) -> None:
    """Where the loss never falls but by noise there is no suggestion, and one sentence."""
    rng = np.random.default_rng(3)
    found = suggest(ramp(2.0 + rng.normal(scale=scale, size=20), [0.1] * 20))
    assert (found.eta_min, found.eta_max, found.why) == (None, None, None)
    (note,) = found.notes
    assert note.startswith("nothing was learned on this ramp")


def test_a_ramp_that_diverges_at_once_suggests_nothing() -> None:
    """Divergence within the first five points leaves nothing to read, and says what to give."""
    found = suggest(ramp([1.9, 1.8, 4.0], RISING[:3]))
    assert (found.eta_min, found.eta_max) == (None, None)
    assert found.diverged_at == pytest.approx(0.15)
    assert found.notes == (
        "the models diverge at the ramp's very start, by rate 0.15: give a lower --to",
    )


def test_learning_at_once_is_said() -> None:
    """Where the loss has fallen at the first point, eta_min is the ramp's start, with a note."""
    found = suggest(ramp(FALLING[5:], RISING[5:]))
    assert found.eta_min == 0.001
    assert found.notes[0].startswith("the loss falls from the first point on (rate 0.05)")


def test_a_ramp_that_starts_too_high_suggests_nothing() -> None:
    """Half the rate of divergence below the rate where learning starts is no range."""
    late = [2.0] * 9 + [1.8, 1.6, 1.4, 1.2, 4.0]
    found = suggest(ramp(late, RISING[:14]))  # learns from 0.45, diverges at 0.70
    assert (found.eta_min, found.eta_max) == (None, None)
    assert "0.35 is too high already" in found.notes[0]
