"""Any trainer as a plain Optuna objective, for `study.optimize` in people's own scripts.

Enters: a study file and an Optuna trial. Leaves: its validation score. Knows no storage, plan
or test set: budgets, pruning and parallelism are the caller's.
"""

from __future__ import annotations

from pathlib import Path

import optuna
from threadpoolctl import threadpool_limits

from lamsearch import data as datasets
from lamsearch import defaults
from lamsearch.errors import InputError
from lamsearch.results import StageName, Trained, TrialState
from lamsearch.search import training_seed
from lamsearch.space import LAMBDA, Bounds, Point
from lamsearch.storage.distributions import suggested
from lamsearch.study import Study, read_study
from lamsearch.trainers import TrainerFailedError, check, device_for, trainer_for


class Objective:
    """An objective that samples a point of the study's space and maximises its validation score.

    Every call trains one model with the same initial weights and mini-batches (common random
    numbers), at the settings of the study's ``[coarse]`` (or of ``stage``). The score is
    reported at every cycle end, and the trial pruned where its study's pruner says so. A cost that
    is no longer finite, or a trainer that raises, makes the trial FAIL (NaN is returned, the reason
    is a user attribute).

    Args:
        study: a study, or the path of a study file.
        data_dir: the directory of the data; else ``LAMSEARCH_DATA``, else the user's cache
            directory, as for the command line. digits need none.
        stage: the stage whose settings and interval are used.

    Raises:
        InputError: The study file has issues, or the stage no bounds; at the first call, that the
            Optuna study minimises.
        DataError: The data cannot be used.

    Example:
        >>> import lamsearch, optuna  # doctest: +SKIP
        >>> study = optuna.create_study(direction="maximize")
        >>> study.optimize(lamsearch.Objective("studies/digits.toml"), n_trials=10)
    """

    def __init__(
        self,
        study: Study | str | Path,
        *,
        data_dir: str | Path | None = None,
        stage: StageName = "coarse",
    ) -> None:
        origin = None if isinstance(study, Study) else Path(study).parent
        self.study = check(study if isinstance(study, Study) else read_study(study))
        section = getattr(self.study, stage)
        bounds: Bounds | None = getattr(section, "bounds", None)
        if bounds is None:
            raise InputError(f"{stage}.{LAMBDA.name}: is required for an objective")
        self.bounds = bounds
        self.stage = stage
        directory = defaults.data_directory(data_dir)
        data = datasets.load(self.study, directory, origin=origin)
        self.study = data.study  # whose shares of the examples are numbers
        self._device = device_for(self.study, defaults.device())
        self._classes, self._splits = len(data.classes), data.split(stage)

    def __call__(self, trial: optuna.trial.Trial) -> float:
        """Train at the trial's point and return the validation score.

        Raises:
            InputError: The trial's study minimises, or has several directions.
        """
        _check_direction(trial)
        point = suggested(trial, self.study.space, self.bounds)
        try:
            with threadpool_limits(limits=1):
                trained = self._trained(point, trial)
        except TrainerFailedError as error:
            trial.set_user_attr("reason", str(error))
            return float("nan")
        if trained.state is TrialState.FAIL or trained.score is None:
            trial.set_user_attr("reason", trained.reason)
            return float("nan")
        trial.set_user_attr("validation_loss", trained.validation_loss)
        trial.set_user_attr(f"train_{self.study.metric}", trained.train_score)
        return trained.score

    def _trained(self, point: Point, trial: optuna.trial.Trial) -> Trained:
        trainer = trainer_for(
            self.study,
            self.stage,
            [point],
            splits=self._splits,
            classes=self._classes,
            seed=training_seed(self.study, self.stage, 0),
            device=self._device,
        )
        for progress in trainer.run():
            if progress.cycle_end and progress.scores is not None:
                trial.report(float(progress.scores[0]), progress.cycles)
                if progress.updates < progress.total and trial.should_prune():
                    raise optuna.TrialPruned(f"pruned after cycle {progress.cycles}")
        return trainer.outcomes()[0]


def _check_direction(trial: optuna.trial.Trial) -> None:
    """Refuse a study that would end at the worst λ."""
    study = getattr(trial, "study", None)  # a FixedTrial has none
    directions = None if study is None else study.directions
    if directions is not None and directions != [optuna.study.StudyDirection.MAXIMIZE]:
        got = ", ".join(one.name.lower() for one in directions)
        rule = "the Optuna study must maximise (direction='maximize'), for a higher score is better"
        raise InputError(f"objective: {rule}, got {got}")
