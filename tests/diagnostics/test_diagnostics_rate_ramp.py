"""The range test's ramp, run on the digits."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lamsearch import data as datasets
from lamsearch.diagnostics import rate_ramp
from lamsearch.diagnostics.rate_range import suggest
from lamsearch.results import RateRamp
from lamsearch.study import Study, parse_study

Small = Callable[..., Study]


def run(study: Study, **changes: Any) -> RateRamp:
    """Run a short ramp of two replicates."""
    settings: dict[str, Any] = {
        "low": 0.01, "high": 0.5, "epochs": 8, "replicates": 2, "classes": 10, **changes,
    }  # fmt: skip
    splits = settings.pop("splits", None) or datasets.load(study, Path()).split("finalists")
    return rate_ramp.run_ramp(splits, study, point=(-3.0,), **settings)


def test_the_rate_rises_linearly_over_the_ramp(small_study: Small) -> None:
    """300 images in batches of 20 make 15 updates an epoch; the last sample is at the end."""
    ramp = run(small_study())
    assert list(ramp.updates) == list(range(1, 121))
    np.testing.assert_allclose(ramp.learning_rate, 0.01 + 0.49 * np.arange(1, 121) / 120)
    assert ramp.training_loss.shape == ramp.validation_score.shape == (2, 120)
    assert np.isfinite(ramp.training_loss).all()


def test_the_models_follow_the_ramp(small_study: Small) -> None:
    """A ramp of vanishing rates changes nothing, and one of useful rates learns."""
    still = run(small_study(), low=1e-12, high=2e-12)
    assert still.validation_loss == pytest.approx(still.validation_loss[:, :1].repeat(120, 1))
    assert still.validation_loss.mean() == pytest.approx(still.untrained_loss)
    learning = run(small_study())
    assert learning.validation_score[:, -1].min() > 0.7


def test_the_ramp_is_the_rate_that_trains(
    small_study: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a ramp that stays at 0 nothing is learned: the settings' own schedule is not used."""
    monkeypatch.setattr(rate_ramp, "linear", lambda *_, **__: 0.0)
    still = run(small_study())
    assert still.validation_loss == pytest.approx(still.validation_loss[:, :1].repeat(120, 1))


def test_the_ramp_s_images_are_varied_as_the_study_s(small_study: Small) -> None:
    """A study that mirrors images has another ramp, and the same untrained models."""
    plain, mirrored = run(small_study()), run(small_study(augment={"flip": True}))
    assert (plain.training_loss != mirrored.training_loss).any()
    assert plain.untrained_loss == mirrored.untrained_loss


def test_replicates_differ_and_repeat(small_study: Small) -> None:
    """Replicates have seeds of their own; the same study gives the same bits twice."""
    one, two = run(small_study()), run(small_study())
    assert (one.training_loss[0] != one.training_loss[1]).all()
    for field in dataclasses.fields(RateRamp):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(two, field.name))


def test_divergence_ends_the_ramp(small_study: Small) -> None:
    """A ramp to a huge rate ends where all have diverged, without a warning, and says where."""
    ramp = run(small_study(), low=1e-5, high=1000.0, epochs=40)
    assert 0 < len(ramp.updates) < 200
    assert not np.isfinite(ramp.training_loss[:, -1]).any()
    assert suggest(ramp).diverged_at is not None


def test_the_test_images_are_out_of_reach(small_study: Small, tmp_path: Path) -> None:
    """With other test images the ramp has the same bits (rule 1)."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(400, 6)).astype(np.float32), np.arange(400) % 3
    study = small_study(data={"source": "own.npz", "test": None})
    ramps = []
    for factor in (1, -50):
        np.savez(tmp_path / "own.npz", X=x, y=y, X_test=factor * x[:90], y_test=y[:90])
        found = datasets.load(study, tmp_path)
        ramps.append(run(study, splits=found.split("finalists"), classes=3))
    assert found.test_images == 90
    np.testing.assert_array_equal(ramps[0].validation_loss, ramps[1].validation_loss)


SEARCH: dict[str, Any] = {"trials": 3, "log10_lambda": [-4.0, -3.0]}
GIVEN: dict[str, Any] = {"log10_lambda": -1.5}


@pytest.mark.parametrize(
    ("stages", "log10_lambda", "stage"),
    [
        (
            {"coarse": SEARCH, "fine": {"trials": 2}, "finalists": {}, "final": {}},
            -3.5,
            "finalists",
        ),
        ({"coarse": SEARCH, "fine": {"trials": 2}, "final": {}}, -3.5, "fine"),
        ({"coarse": {"values": [-4.0, -1.0, -2.0]}}, -2.5, "coarse"),
        ({"fine": SEARCH, "finalists": {}}, -3.5, "finalists"),
        ({"final": GIVEN}, -1.5, "final"),
    ],
)
def test_what_a_study_file_gives(stages: dict[str, Any], log10_lambda: float, stage: str) -> None:
    """λ is the final's, else the middle of the first search; the stage is the last that judges."""
    data = {"source": "digits", "train": 300, "validation": 100}
    document = {"name": "a", "seed": 1, "data": data, "training": {"step_size": 9}, **stages}
    study = parse_study(document)
    assert rate_ramp.point_of(study) == pytest.approx((log10_lambda,))
    assert rate_ramp.stage_of(study) == stage


@pytest.mark.parametrize(
    ("per_epoch", "epochs"), [(450, 8), (23, 44), (125, 8), (124, 9), (1, 1000)]
)
def test_short_epochs_make_more_of_them(per_epoch: int, epochs: int) -> None:
    """A ramp is eight epochs, or as many as hold 1,000 updates."""
    assert rate_ramp.epochs_of(per_epoch) == epochs
