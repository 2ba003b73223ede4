"""How much each dimension matters, by Optuna's own evaluators."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest

sys.path.append(str(Path(__file__).parent.parent / "report"))  # the made-up records
import several_records as several

from lamsearch.results import StageRecord
from lamsearch.statistics import importances, searched
from lamsearch.statistics.importances import least_trials


def test_a_dimension_that_decides_the_score_has_the_largest_share() -> None:
    """Of a score that is λ's alone λ has nearly all of the variance, the other less than chance
    may give; shares sum to 1."""
    record = several.finished(several.PLANE, coarse=30)
    coarse = record.stages["coarse"]
    trials = tuple(
        one if one.score is None else replace(one, score=0.1 - 0.01 * one.point[0])
        for one in coarse.trials
    )
    found = importances(replace(record, stages={"coarse": replace(coarse, trials=trials)}))
    assert found.order == (0, 1)
    assert found.stages == ("coarse",)
    assert found.trials == 28
    for one in found.evaluated:
        assert sum(one.shares) == pytest.approx(1.0)
        assert one.shares[0] > one.chance
    fanova = found.evaluated[0]
    assert fanova.shares[0] > 0.95
    assert fanova.shares[1] <= fanova.chance


def test_importances_are_optunas_own() -> None:
    """The shares are what Optuna's evaluators say of a study with the same trials."""
    record = several.finished(several.PLANE)
    table = searched(record)
    assert table is not None
    study = optuna.create_study(direction="maximize")
    names = [one.name for one in several.PLANE.dimensions]
    kinds = {
        name: optuna.distributions.FloatDistribution(*ends)
        for name, ends in zip(names, table.bounds, strict=True)
    }
    for point, score in zip(table.points, table.scores, strict=True):
        params = dict(zip(names, point, strict=True))
        study.add_trial(optuna.create_trial(params=params, distributions=kinds, value=score))
    evaluators: list[Any] = [
        optuna.importance.FanovaImportanceEvaluator(n_trees=32, seed=20140621),
        optuna.importance.PedAnovaImportanceEvaluator(target_quantile=8 / 44),
    ]
    for one, evaluator in zip(importances(record).evaluated, evaluators, strict=True):
        theirs = optuna.importance.get_param_importances(study, evaluator=evaluator)
        assert one.shares == tuple(theirs[name] for name in names)


def test_what_is_lacking_is_said() -> None:
    """Without a complete trial, with too few, or with equal scores there are no importances, and
    each says why."""
    record = several.finished()
    assert least_trials(several.THREE) == 15
    assert importances(replace(record, stages={})).why == ("no trial of the search is complete yet")
    coarse = record.stages["coarse"]
    few = replace(coarse, trials=coarse.trials[:16])
    assert importances(replace(record, stages={"coarse": few})).why == (
        "at least 15 complete trials are needed for 3 dimensions, got 14 trials of coarse"
    )
    equal = tuple(one if one.score is None else replace(one, score=0.5) for one in coarse.trials)
    flat = importances(replace(record, stages={"coarse": replace(coarse, trials=equal)}))
    assert flat.why == "all 28 trials have the same score"
    assert flat.order == ()


def test_a_stage_that_is_trained_otherwise_is_left_out() -> None:
    """Scores of another schedule do not compare: only coarse counts, and fine is named."""
    record = several.finished()
    settings = {**record.settings, "fine": {"trials": 16, "cycles": 7}}
    found = searched(replace(record, settings=settings))
    assert found is not None
    assert (found.stages, found.left_out) == (("coarse",), ("fine",))
    assert len(found.points) == len(found.scores) == 28
    both = searched(record)
    assert both is not None
    assert (both.stages, len(both.points)) == (("coarse", "fine"), 44)


def test_finalists_that_were_given_count_where_nothing_was_drawn() -> None:
    """A study without coarse and fine is described by its finalists."""
    record = several.finished()
    only: dict[Any, StageRecord] = {"finalists": record.stages["finalists"]}
    found = searched(replace(record, stages=only))
    assert found is not None
    assert (found.stages, len(found.points)) == (("finalists",), 4)
