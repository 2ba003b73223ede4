"""Accuracy beside the log loss, evaluated in the one opening of the test set."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from test_worker_snapshots import paths, probabilities
from worker_bench import Bench, noted_openings


def test_it_is_what_the_exported_models_score_by_hand(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accuracies of the replicates, their snapshots' means and both ensembles are what NumPy makes
    of the model files on the raw test images, which were opened once, for both."""
    one = bench(metric="log_loss", final={"snapshots": True, "cycles": 3, "replicates": 2})
    opened = noted_openings(monkeypatch)
    one.worker().run()
    (examples,), record = opened, one.record()
    x, y = np.asarray(examples.x, np.float32), examples.y
    says = np.array([probabilities(path, x) for path in paths(one)]).reshape(2, 2, len(y), -1)
    final = record.final
    assert final is not None
    assert final.beside is not None
    assert final.snapshots is not None
    assert final.snapshots.beside is not None
    for found, expected in (
        (final.beside, says[:, 1]), (final.snapshots.beside, says.mean(axis=1)),
    ):  # fmt: skip
        right = (expected.argmax(axis=-1) == y).mean(axis=1)
        assert found.scores == tuple(right)
        assert found.mean == right.mean()
        assert found.sd == pytest.approx(right.std(ddof=1))
        assert found.interval95[0] < found.mean < found.interval95[1]
        assert found.ensemble == (expected.mean(axis=0).argmax(axis=-1) == y).mean()
    likelihoods = np.log(says[:, 1, np.arange(len(y)), y]).mean(axis=1)
    assert final.scores == pytest.approx(likelihoods, rel=1e-5)
    (opening,) = record.openings
    assert opening.purpose.startswith("test log loss and accuracy of the selected λ")
