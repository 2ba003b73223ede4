"""The trainer as a plain Optuna objective, under `study.optimize`."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState
from threadpoolctl import threadpool_limits

import lamsearch
from lamsearch import data as datasets
from lamsearch.errors import DataError, InputError, StudyFileError
from lamsearch.search import training_seed
from lamsearch.study import Study
from lamsearch.trainers.network import NetworkTrainer

MakeStudy = Callable[..., Study]
TWO_CYCLES = {"coarse": {"cycles": 2}}


def optimized(objective: Any, count: int, **settings: Any) -> optuna.Study:
    """Return an in-memory study after so many trials of the objective."""
    sampler = optuna.samplers.RandomSampler(seed=3)
    study = optuna.create_study(direction="maximize", sampler=sampler, **settings)
    study.optimize(objective, n_trials=count)
    return study


def test_three_trials_under_optimize(study_file: Callable[..., Path]) -> None:
    """A study file is an objective that samples log10_lambda in coarse's interval."""
    study = optimized(lamsearch.Objective(study_file(**TWO_CYCLES)), 3)
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 3
    for trial in study.trials:
        assert list(trial.params) == ["log10_lambda"]
        assert -5.0 <= trial.params["log10_lambda"] <= -1.0
        assert 0.0 <= trial.value <= 1.0
        assert trial.user_attrs.keys() == {"validation_loss", "train_accuracy"}
        assert trial.distributions["log10_lambda"] == optuna.distributions.FloatDistribution(-5, -1)


def test_every_cycle_end_is_reported(small_study: MakeStudy) -> None:
    """Validation accuracy is reported after each cycle, and the last report is the value."""
    study = optimized(lamsearch.Objective(small_study(**TWO_CYCLES)), 2)
    for trial in study.trials:
        assert list(trial.intermediate_values) == [1, 2]
        assert trial.intermediate_values[2] == trial.value


class Prune(optuna.pruners.BasePruner):
    """Prunes every trial it is asked about."""

    def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
        """Say yes."""
        return True


def test_a_pruner_ends_a_trial_at_a_cycle_end(small_study: MakeStudy) -> None:
    """Where the pruner says so, the trial is PRUNED after its first cycle, and only then."""
    study = optimized(lamsearch.Objective(small_study(**TWO_CYCLES)), 2, pruner=Prune())
    assert [trial.state for trial in study.trials] == [TrialState.PRUNED] * 2
    assert [list(trial.intermediate_values) for trial in study.trials] == [[1], [1]]


def test_the_last_cycle_is_not_pruned(small_study: MakeStudy) -> None:
    """A trial that has come to its end is COMPLETE, whatever the pruner says."""
    study = optimized(lamsearch.Objective(small_study()), 1, pruner=Prune())
    assert study.trials[0].state is TrialState.COMPLETE


def test_a_cost_that_is_no_longer_finite_fails_the_trial(small_study: MakeStudy) -> None:
    """A λ that diverges gives NaN, which Optuna turns to FAIL, with the reason kept."""
    objective = lamsearch.Objective(small_study(coarse={"log10_lambda": [8.0, 9.0]}))
    study = optimized(objective, 1)
    (trial,) = study.trials
    assert trial.state is TrialState.FAIL
    assert "no longer finite at update" in trial.user_attrs["reason"]
    assert math.isnan(objective(optuna.trial.FixedTrial({"log10_lambda": 8.5})))


def test_the_same_lambda_gives_what_the_trainer_gives(
    small_study: MakeStudy, tmp_path: Path
) -> None:
    """The objective's value is the accuracy of a trainer of one net at that λ, and repeats."""
    study = small_study(**TWO_CYCLES)
    objective = lamsearch.Objective(study)
    splits = datasets.load(study, tmp_path).split("coarse")
    for value in (-4.5, -2.0):
        trainer = NetworkTrainer(
            splits, study.training_of("coarse"), [value], hidden=8, classes=10,
            seed=training_seed(study, "coarse", 0),
        )  # fmt: skip
        with threadpool_limits(limits=1):
            for _ in trainer.run():
                pass
            (expected,) = trainer.outcomes()
        for _ in range(2):
            trial = optuna.trial.FixedTrial({"log10_lambda": value})
            assert objective(trial) == expected.score
            assert trial.user_attrs["validation_loss"] == expected.validation_loss
            assert trial.user_attrs["train_accuracy"] == expected.train_score


def test_another_stage_lends_its_settings(small_study: MakeStudy) -> None:
    """`stage` chooses whose interval and schedule are used."""
    study = small_study(coarse=None, finalists=None,
                        fine={"log10_lambda": [-3.0, -2.0], "keep": None})  # fmt: skip
    objective = lamsearch.Objective(study, stage="fine")
    assert objective.bounds[0] == (-3.0, -2.0)
    assert -3.0 <= optimized(objective, 1).trials[0].params["log10_lambda"] <= -2.0


@pytest.mark.parametrize("stage", ["fine", "finalists", "final"])
def test_a_stage_without_an_interval_is_refused(small_study: MakeStudy, stage: Any) -> None:
    """A stage whose interval earlier results decide, or that has none, cannot be an objective."""
    with pytest.raises(InputError, match=rf"^{stage}\.log10_lambda: is required for an objective$"):
        lamsearch.Objective(small_study(), stage=stage)


def test_a_stage_that_is_not_there_is_refused(small_study: MakeStudy) -> None:
    """A stage that the study does not have cannot be an objective."""
    with pytest.raises(InputError, match=r"^coarse\.log10_lambda: is required for an objective$"):
        lamsearch.Objective(small_study(coarse=None, fine=None, finalists=None,
                                        final={"log10_lambda": -3.0}))  # fmt: skip


def test_a_study_file_with_mistakes_is_refused(
    study_file: Callable[..., Path], tmp_path: Path
) -> None:
    """A bad interval, a missing file and missing data are each said before any trial."""
    with pytest.raises(StudyFileError, match="the lower bound must be below the upper one"):
        lamsearch.Objective(study_file(coarse={"log10_lambda": [-1.0, -5.0]}))
    with pytest.raises(InputError, match="cannot be read"):
        lamsearch.Objective(tmp_path / "gone.toml")
    with pytest.raises(DataError, match="there is none at"):
        lamsearch.Objective(study_file(data={"source": "gone.npz"}))


def test_arrays_beside_the_study_file_are_found(
    study_file: Callable[..., Path], tmp_path: Path
) -> None:
    """A relative .npz path is looked for beside the study file."""
    x = np.random.default_rng(2).normal(size=(450, 5)).astype(np.float32)
    np.savez(tmp_path / "own.npz", X=x, y=np.arange(450) % 2)
    study = optimized(lamsearch.Objective(study_file(data={"source": "own.npz", "test": 50})), 1)
    assert study.trials[0].state is TrialState.COMPLETE


def test_any_trainer_can_be_an_objective(small_study: MakeStudy) -> None:
    """A study that names another registered trainer is sampled with it; one that raises is FAIL."""
    changes: dict[str, Any] = {"network": None, "fine": None, "finalists": None, "final": None}
    good = lamsearch.Objective(small_study(**changes, trainer={"name": "softmax"}))
    assert good(optuna.trial.FixedTrial({"log10_lambda": -3.0})) > 0.6
    bad = lamsearch.Objective(small_study(**changes, trainer={"name": "raising"}))
    bad.bounds = ((0.5, 1.0),)
    study = optuna.create_study(direction="maximize")
    study.optimize(bad, n_trials=1)
    assert study.trials[0].state is TrialState.FAIL
    assert study.trials[0].user_attrs["reason"].startswith("trainer raised ZeroDivisionError")


def test_an_objective_of_several_parameters_suggests_each_on_its_own_scale(
    small_study: MakeStudy,
) -> None:
    """Whole numbers, choices and λ are Optuna's own suggestions, and the network that is trained is
    that of the choice."""
    axes = {"hidden": {"choice": [4, 32]}, "batch_size": {"integer": [10, 40]}}
    study = optimized(lamsearch.Objective(small_study(coarse={"cycles": 1, "space": axes})), 6)
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 6
    kinds = optuna.distributions
    for trial in study.trials:
        assert trial.distributions == {
            "log10_lambda": kinds.FloatDistribution(-5.0, -1.0),
            "batch_size": kinds.IntDistribution(10, 40),
            "hidden": kinds.CategoricalDistribution([4, 32]),
        }
    assert {trial.params["hidden"] for trial in study.trials} == {4, 32}
    wide = [trial.value for trial in study.trials if trial.params["hidden"] == 32]
    narrow = [trial.value for trial in study.trials if trial.params["hidden"] == 4]
    assert np.mean(wide) > np.mean(narrow)


def test_a_study_that_minimises_is_refused(small_study: MakeStudy) -> None:
    """An Optuna study that would end at the worst λ is refused at the first call."""
    objective = lamsearch.Objective(small_study())
    minimising = optuna.create_study(direction="minimize")
    with pytest.raises(InputError, match=r"must maximise .*got minimize"):
        minimising.optimize(objective, n_trials=2)
    assert len(minimising.trials) == 1
    both = optuna.create_study(directions=["maximize", "maximize"])
    with pytest.raises(InputError, match="got maximize, maximize"):
        both.optimize(objective, n_trials=1)


def test_data_are_where_the_environment_says(
    small_study: MakeStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without data_dir an objective reads LAMSEARCH_DATA, as the command line does."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)).astype(np.float32), np.arange(60) % 2
    np.savez(tmp_path / "own.npz", X=X, y=y)
    document = {"source": "own.npz", "train": 30, "validation": 20, "test": 10}
    study = small_study(data=document, final=None)
    with pytest.raises(DataError, match="there is none"):
        lamsearch.Objective(study)
    monkeypatch.setenv("LAMSEARCH_DATA", str(tmp_path))
    assert lamsearch.Objective(study).study == study
