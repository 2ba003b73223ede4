"""A cohort of one's own that predicts a quantity: one that diverges leaves alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from trainers_textbook import diabetes

from lamsearch.metrics.mse import MSE
from lamsearch.results import TrialState
from lamsearch.study import Training
from lamsearch.trainers import CohortTrainer, Guarded, NoOptions, Task, TrainerKind

Array = npt.NDArray[Any]


class Line(CohortTrainer):
    """A line through the features, of which the first model's is far off all examples."""

    def begin(self) -> dict[str, Array]:
        """Begin at 1e22 and at 0."""
        W = np.zeros((len(self.alive), self.task.splits.train_x.shape[1]))
        W[0] = 1e22
        return {"W": W}

    def step(self, update: int) -> Array:
        """Stay there: no loss is anything but finite."""
        return np.ones(len(self.alive))

    def predict(self, x: Array) -> Array:
        """Predict."""
        return np.asarray(self.arrays["W"] @ x.T)


def test_a_model_whose_errors_have_no_room_fails_alone() -> None:
    """Its predictions are finite, and their squares are not what float32 can keep; the other one
    of its cohort is scored as by itself."""
    task = Task(points=((-3.0,), (-2.0,)), splits=diabetes(), classes=0, seed=(1, 0, 0), metric=MSE,
                training=Training(step_size=2, batch_size=10), options=NoOptions())  # fmt: skip
    trainer = Guarded(TrainerKind(name="line", make=Line, resumable=True), task)
    progress = list(trainer.run())
    bad, good = trainer.outcomes()
    assert (bad.state, good.state) == (TrialState.FAIL, TrialState.COMPLETE)
    assert bad.reason == "score no longer finite at update 4"
    assert progress[-1].scores is not None
    assert np.isfinite(progress[-1].scores).tolist() == [False, True]
    again = Guarded(TrainerKind(name="line", make=Line, resumable=True), task)
    again.restore(trainer.state())
    assert [one.state for one in again.outcomes()] == [bad.state, good.state]
