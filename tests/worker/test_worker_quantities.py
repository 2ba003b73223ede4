"""A study of a quantity from its first cohort to its test, whoever trains it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import load_file
from same_bits import assert_same_bits
from sklearn.datasets import load_diabetes
from worker_bench import Bench, noted_openings

from lamsearch.report import document
from lamsearch.results import FinalScore, TrialState

Array = npt.NDArray[Any]
MakeBench = Callable[..., Bench]


@pytest.fixture
def quantity(bench: MakeBench, tmp_path: Path) -> MakeBench:
    """Plan the small study on scikit-learn's diabetes data, with changes."""
    x, y = load_diabetes(return_X_y=True, scaled=False)
    np.savez(tmp_path / "diabetes.npz", X=x, y=y)
    data = {"source": str(tmp_path / "diabetes.npz"), "train": 200, "validation": 100, "test": 142}

    def plan(url: str | None = None, **changes: Any) -> Bench:
        own = {**data, **changes.pop("data", {})}
        final = {"train": 200, "validation": 100, **changes.pop("final", {})}
        return bench(url, **{"metric": "mse", "data": own, "final": final, **changes})

    return plan


def predicted(path: Path, x: Array) -> Array:
    """Return what a model file says of raw examples, in NumPy alone."""
    a = load_file(path)
    hidden = np.maximum((x - a["mean"]) / a["std"] @ a["W1"] + a["b1"], 0)
    return np.asarray((hidden @ a["W2"] + a["b2"])[:, 0])


def final_of(bench: Bench) -> FinalScore:
    """Return the final's score of a study that is over."""
    found = bench.record().final
    assert found is not None
    return found


def test_the_test_is_that_of_the_saved_files(
    quantity: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Test scores, the ensemble's and the snapshots' are NumPy's of the files, in the own unit."""
    one = quantity(final={"snapshots": True, "cycles": 3, "replicates": 3})
    opened = noted_openings(monkeypatch)
    one.worker().run()
    final, (test,) = final_of(one), opened
    files = sorted((one.directory / "files").glob("*/models/final-?.safetensors"))
    answers = [predicted(path, test.x) for path in files]
    errors = [np.mean((answer - test.y) ** 2) for answer in answers]
    assert len(files) == final.n == 3
    np.testing.assert_allclose(final.scores, np.negative(errors), rtol=1e-4)
    together = np.mean((np.mean(answers, axis=0) - test.y) ** 2)
    assert final.ensemble == pytest.approx(-together, rel=1e-4)
    assert final.ensemble >= final.mean  # a mean of predictions is no worse than theirs: Jensen
    assert final.interval95[0] < final.mean < final.interval95[1]
    assert final.confusion == ()
    assert final.beside is None
    assert final.snapshots is not None
    assert final.snapshots.beside is None
    assert final.snapshots.members[-1] == pytest.approx(final.mean, rel=1e-9)
    assert final.snapshots.ensemble < 0
    opening = one.record().openings[0]
    assert "accuracy" not in opening.purpose


def test_it_ends_with_the_same_bits_whoever_trains_it(
    quantity: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A finalists' cohort that is left and gone on with, fresh workers for each cohort, and two
    workers that take turns end with every score and the test of one undisturbed worker."""
    own = {"network": {"batch_norm": True, "dropout": 0.1}}
    assert_same_bits(lambda: quantity(**own), monkeypatch)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"coarse": {"halving": True, "cycles": 2}}, "sqlite"),
        ({"data": {"resplit": True}}, "sqlite"),
        ({"data": {"components": 4, "whiten": True}, "metric": "r2"}, "sqlite"),
        ({"network": {"hidden": []}, "training": {"optimiser": "adam"}, "metric": "mae"}, "sqlite"),
    ],
    ids=["halving", "splits redrawn", "components", "a linear model by Adam"],
)
def test_every_option_has_its_quantities(
    quantity: MakeBench, changes: dict[str, Any], where: str
) -> None:
    """Halving, splits of replicates' own, components and other metrics end with a test score."""
    one = quantity(**changes)
    one.worker().run()
    record = one.record()
    assert record.finished
    assert np.isfinite(final_of(one).mean)
    states = {trial.state for stage in record.stages.values() for trial in stage.trials}
    assert states <= {TrialState.COMPLETE, TrialState.PRUNED}


def test_test_curves_are_of_standardised_targets(quantity: MakeBench) -> None:
    """A study that selects nothing has test curves, whose loss is the score without its unit."""
    one = quantity(
        coarse=None, fine=None, finalists=None,
        final={"log10_lambda": -2.0, "test_curves": True, "replicates": 1},
    )  # fmt: skip
    one.worker().run()
    (trial,) = one.record().stages["final"].trials
    assert trial.curve is not None
    assert trial.score is not None
    assert trial.validation_loss is not None
    assert "test_accuracy" not in trial.curve.values
    unit = trial.score / trial.validation_loss
    last = trial.curve.values["test_loss"][-1]
    assert final_of(one).mean == pytest.approx(unit * last, rel=1e-3)


def test_documents_have_no_accuracies(quantity: MakeBench) -> None:
    """The result document has scores, and null wherever accuracy is named."""
    one = quantity()
    one.worker().run()
    found = document(one.record())
    assert found["metric"] == "mse"
    assert found["final"]["test_accuracy"] is None
    assert found["final"]["accuracies"] is None
    assert found["final"]["ensemble_test_accuracy"] is None
    assert found["selected"]["validation_accuracy"] is None
    assert found["selected"]["score"]["mean"] < 0
    for stage in found["stages"]:
        for trial in stage["trials"]:
            assert trial["score"] < 0 < trial["validation_loss"]
            assert trial["validation_accuracy"] is trial["train_accuracy"] is None
