"""Decisions that were stored lead on as those that are derived from the trials again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lamsearch.results import STAGES, Decision, StageRecord, TrialRecord, TrialState
from lamsearch.search import Choose, Done, Plan, Standing, Step, Test, next_step
from lamsearch.study import Study, parse_study

TOPS = (-5.5, -3.0, -1.2, 0.4)  # where the best λ lies: mostly at an edge


def study(**fine: Any) -> Study:
    """Return a study whose fine stage and finalists go on."""
    return parse_study({
        "name": "small", "seed": 7, "cohort": 3,
        "data": {"source": "digits", "train": 300, "validation": 100, "test": 200},
        "network": {"hidden": 8},
        "training": {"batch_size": 20, "step_size": 15, "cycles": 2},
        "coarse": {"trials": 5, "log10_lambda": [-6.0, 1.0]},
        "fine": {"trials": 4, "keep": 2, **fine},
        "finalists": {"keep": 3, "replicates": 2, "rounds": 2, "rule": "model", "extend": True},
        "final": {"replicates": 2},
    })  # fmt: skip


def trained(step: Plan, top: float) -> tuple[TrialRecord, ...]:
    """Return a plan's trials as if they had been trained; every seventh failed."""
    return tuple(
        TrialRecord(
            candidate=trial.candidate, replicate=trial.replicate, cohort=cohort.number,
            point=trial.point,
            state=TrialState.FAIL if trial.candidate % 7 == 6 else TrialState.COMPLETE,
            score=None if trial.candidate % 7 == 6
            else 0.9 - 0.01 * ((trial.point or (0.0,))[0] - top) ** 2 + 0.001 * trial.replicate,
            validation_loss=None if trial.candidate % 7 == 6 else 1.0,
        )
        for cohort in step.trials.cohorts for trial in cohort.trials
    )  # fmt: skip


def steps(one: Study, top: float, *, stored: bool) -> list[Step]:
    """Return the steps of a study, whose decisions are ``stored`` or not."""
    standing, made = Standing(examples=dict.fromkeys(STAGES, 100)), list[Step]()
    while True:
        made.append(step := next_step(one, standing))
        match step:
            case Done():
                return made
            case Choose():
                standing = replace(standing, selected=step.selected)
            case Test():
                standing = replace(standing, tested=True)
            case Plan():
                standing = _after(standing, step, top, stored=stored)


def _after(standing: Standing, step: Plan, top: float, *, stored: bool) -> Standing:
    name = step.trials.stage
    before = standing.stages.get(name)
    bounds, decisions = step.trials.bounds, tuple[Decision, ...]()
    if before is not None:
        decisions = before.decisions
        if bounds is not None and before.bounds is not None:
            ends = (*bounds[0], *before.bounds[0])
            bounds = ((min(ends), max(ends)),)
    trials = (*(before.trials if before is not None else ()), *trained(step, top))
    stage = StageRecord(
        name=name,
        bounds=bounds,
        trials=tuple(sorted(trials, key=lambda trial: (trial.candidate, trial.replicate))),
        decisions=(*decisions, step.decision) if stored else (),
    )
    rounds = {**standing.rounds, name: standing.rounds.get(name, 0) + step.rounds}
    return replace(standing, stages={**standing.stages, name: stage}, rounds=rounds)


@pytest.mark.parametrize("top", TOPS)
@pytest.mark.parametrize("extend", [True, False])
@pytest.mark.parametrize("rounds", [1, 3])
def test_stored_decisions_lead_to_the_steps_that_are_derived(
    top: float, extend: bool, rounds: int
) -> None:
    """With and without stored decisions every step of a study is the same, to the last bit."""
    one = study(extend=extend, rounds=rounds)
    derived = steps(one, top, stored=False)
    assert steps(one, top, stored=True) == derived
    fine = [one for one in derived if isinstance(one, Plan) and one.trials.stage == "fine"]
    assert len(fine) >= rounds


def test_decisions_of_a_part_of_the_candidates_do_not_count() -> None:
    """Decisions that leave candidates out, or have some twice, are derived again instead."""
    one = study(rounds=3)
    plans = [step for step in steps(one, -3.0, stored=True) if isinstance(step, Plan)]
    standing = Standing(examples=dict.fromkeys(STAGES, 100))
    for step in plans[:3]:
        standing = _after(standing, step, -3.0, stored=True)
    whole = standing.stages["fine"]
    assert len(whole.decisions) == 2
    expected = next_step(one, standing)
    wrong = replace(whole.decisions[0], bounds=((-1.0, -0.5),))
    for decisions in ((wrong,), (wrong, wrong), (replace(wrong, candidates=(0, 9)),)):
        changed = {**standing.stages, "fine": replace(whole, decisions=decisions)}
        assert next_step(one, replace(standing, stages=changed)) == expected
