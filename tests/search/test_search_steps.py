"""What a study does next, of its standing alone: no database is near."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lamsearch.errors import WorkFailedError
from lamsearch.results import STAGES, Selected, StageName, StageRecord, TrialRecord, TrialState
from lamsearch.search import (
    Choose,
    Done,
    Plan,
    StagePlan,
    Standing,
    Step,
    Test,
    next_step,
    next_steps,
)
from lamsearch.study import Study, parse_study

EXAMPLES: dict[StageName, int] = dict.fromkeys(STAGES, 100)
DOCUMENT: dict[str, Any] = {
    "name": "pure", "seed": 1, "cohort": 2,
    "data": {"source": "digits", "train": 1000, "validation": 200},
    "network": {"hidden": 10},
    "training": {"batch_size": 100, "eta_min": 1e-4, "eta_max": 0.1, "step_size": 10, "cycles": 1},
    "coarse": {"trials": 4, "log10_lambda": [-5.0, -1.0]},
    "fine": {"trials": 3, "keep": 2},
    "finalists": {"keep": 2, "replicates": 2},
    "final": {"replicates": 2},
}  # fmt: skip


def study(**changes: Any) -> Study:
    """Return a small study; a stage given as None is left out."""
    wanted = {**DOCUMENT, **changes}
    return parse_study({key: value for key, value in wanted.items() if value is not None})


def trained(plan: StagePlan, *, fails: bool = False, first: int = 0) -> tuple[TrialRecord, ...]:
    """Return a plan's trials as if they had been trained: the best lies at log10 λ = −3."""
    return tuple(
        TrialRecord(
            candidate=trial.candidate, replicate=trial.replicate, cohort=cohort.number,
            point=trial.point,
            state=TrialState.FAIL if fails else TrialState.COMPLETE,
            score=None if fails
            else 0.9 - 0.02 * ((trial.point or (0.0,))[0] + 3.0) ** 2 + 0.001 * trial.replicate,
            validation_loss=None if fails else 1.0,
        )
        for cohort in plan.cohorts[first:] for trial in cohort.trials
    )  # fmt: skip


def after(standing: Standing, step: Step, *, fails: bool = False) -> Standing:
    """Return the standing once a step has been made, and whatever it planned trained."""
    match step:
        case Choose():
            return replace(standing, selected=step.selected)
        case Test():
            return replace(standing, tested=True)
        case Plan():
            name, before = step.trials.stage, standing.stages.get(step.trials.stage)
            old = before.trials if before is not None and step.extends else ()
            stage = StageRecord(
                name=name, bounds=step.trials.bounds,
                trials=tuple(sorted((*old, *trained(step.trials, fails=fails)),
                                    key=lambda one: (one.candidate, one.replicate))),
            )  # fmt: skip
            rounds = standing.rounds.get(name, 0) + step.rounds
            return replace(
                standing,
                stages={**standing.stages, name: stage},
                rounds={**standing.rounds, name: rounds},
            )
        case Done():
            raise AssertionError


def whole(one: Study, *, failing: StageName | None = None) -> list[Step]:
    """Return the steps of a study from planning to its end; all of stage ``failing`` fails."""
    standing, steps = Standing(examples=EXAMPLES), list[Step]()
    while True:
        steps.append(step := next_step(one, standing))
        if isinstance(step, Done):
            return steps
        fails = isinstance(step, Plan) and step.trials.stage == failing
        standing = after(standing, step, fails=fails)


def shown(steps: list[Step]) -> list[str]:
    """Return steps by their kind, those that plan by their stage."""
    return [
        one.trials.stage + " again" * one.extends if isinstance(one, Plan) else type(one).__name__
        for one in steps
    ]


def test_a_study_goes_from_stage_to_stage_then_chooses_and_opens_the_test() -> None:
    """Each stage of the file is planned once, in order; the choice comes after them, the test
    after the final."""
    assert shown(whole(study())) == ["coarse", "fine", "finalists", "Choose", "final", "Test",
                                     "Done"]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        ({"fine": None, "finalists": None}, ["coarse", "Choose", "final", "Test", "Done"]),
        ({"final": None, "finalists": None}, ["coarse", "fine", "Choose", "Done"]),
        (
            {"coarse": None, "fine": None, "finalists": None,
             "final": {"replicates": 2, "log10_lambda": -2.5}},
            ["Choose", "final", "Test", "Done"],
        ),
        (
            {"fine": {"trials": 3, "keep": 2, "rounds": 2}},
            ["coarse", "fine", "fine again", "finalists", "Choose", "final", "Test", "Done"],
        ),
    ],
)  # fmt: skip
def test_stages_that_are_not_there_are_left_out(changes: dict[str, Any], steps: list[str]) -> None:
    """A file without a stage goes past it; one with further rounds comes back to it."""
    assert shown(whole(study(**changes))) == steps


def test_the_final_trains_the_chosen_lambda_alone() -> None:
    """What the final's trials are given is the choice, to the bit, for each replicate."""
    steps = whole(study())
    chosen = next(one.selected for one in steps if isinstance(one, Choose))
    final = next(one.trials for one in steps if isinstance(one, Plan) and one.trials.stage ==
                 "final")  # fmt: skip
    values = [trial.point[0] for cohort in final.cohorts for trial in cohort.trials]
    assert values == [chosen.point[0]] * 2


def test_a_given_lambda_is_chosen_without_a_score() -> None:
    """A λ that the file gives for the final is the choice, and nothing was selected by a score."""
    given = study(coarse=None, fine=None, finalists=None,
                  final={"replicates": 1, "log10_lambda": -2.5})  # fmt: skip
    step = next_step(given, Standing(examples=EXAMPLES))
    assert step == Choose(
        selected=Selected(point=(-2.5,), rule="given in the study file", score=None)
    )


def test_the_same_standing_gives_the_same_step() -> None:
    """Asked twice, every step of a study with further rounds and a model is the same again."""
    one = study(
        fine={"trials": 3, "keep": 2, "rounds": 2, "extend": True},
        finalists={"keep": 2, "replicates": 2, "rounds": 2, "rule": "model", "extend": True},
    )
    assert whole(one) == whole(one)


def test_further_rounds_never_number_a_candidate_or_cohort_twice() -> None:
    """What a stage gets later is numbered after all that it has."""
    one = study(
        fine={"trials": 3, "keep": 2, "rounds": 3, "extend": True},
        finalists={"keep": 3, "replicates": 2, "rounds": 2, "extend": True},
    )
    by_stage: dict[str, list[StagePlan]] = {}
    for step in whole(one):
        if isinstance(step, Plan):
            by_stage.setdefault(step.trials.stage, []).append(step.trials)
    assert len(by_stage["fine"]) >= 3
    for plans in by_stage.values():
        numbers = [cohort.number for plan in plans for cohort in plan.cohorts]
        assert numbers == list(range(len(numbers)))
        trials = [
            (trial.candidate, trial.replicate)
            for plan in plans for cohort in plan.cohorts for trial in cohort.trials
        ]  # fmt: skip
        assert len(trials) == len(set(trials))


@pytest.mark.parametrize("stage", ["coarse", "fine", "finalists", "final"])
def test_a_stage_of_which_nothing_ended_well_ends_the_study(stage: StageName) -> None:
    """Where all of a stage failed there is nothing to go on with, and that is said."""
    with pytest.raises(WorkFailedError, match=f"^{stage}: "):
        whole(study(), failing=stage)


def test_a_choice_and_what_it_leads_to_can_be_made_at_once() -> None:
    """After the choice comes the final's plan, known without another look at the storage."""
    standing = Standing(examples=EXAMPLES)
    while not isinstance(step := next_step(study(), standing), Choose):
        assert list(next_steps(study(), standing)) == [step]
        standing = after(standing, step)
    assert shown(list(next_steps(study(), standing))) == ["Choose", "final"]


def ended(standing: Standing) -> Standing:
    """The same after somebody has ended the search: what was not trained is pruned."""
    return replace(standing, search_ended="finish was asked for")


def test_a_search_that_has_ended_goes_on_to_the_finalists() -> None:
    """After coarse, fine is left out where the search has ended; so are its extensions."""
    wanted = study(fine={"trials": 3, "keep": 2, "rounds": 3, "extend": True})
    first = next_step(wanted, Standing(examples=EXAMPLES))
    standing = after(Standing(examples=EXAMPLES), first)
    assert isinstance(following := next_step(wanted, standing), Plan)
    assert following.trials.stage == "fine"
    assert isinstance(following := next_step(wanted, ended(standing)), Plan)
    assert following.trials.stage == "finalists"


def test_a_stage_without_results_is_passed_over_when_the_search_has_ended() -> None:
    """Finalists come from coarse where nothing of fine was complete."""
    wanted = study()
    standing = after(Standing(examples=EXAMPLES), next_step(wanted, Standing(examples=EXAMPLES)))
    coarse = standing.stages["coarse"]
    standing = after(standing, next_step(wanted, standing))
    fine = standing.stages["fine"]
    pruned = replace(fine, trials=tuple(
        replace(one, state=TrialState.PRUNED, score=None, validation_loss=None)
        for one in fine.trials
    ))  # fmt: skip
    standing = replace(standing, stages={**standing.stages, "fine": pruned})
    step = next_step(wanted, ended(standing))
    assert isinstance(step, Plan)
    points = {one.point for cohort in step.trials.cohorts for one in cohort.trials}
    assert points <= {one.point for one in coarse.trials}


def test_a_study_without_finalists_chooses_from_what_was_complete() -> None:
    """Where the search has ended the choice is made of the last stage that has results."""
    wanted = study(finalists=None)
    standing = after(Standing(examples=EXAMPLES), next_step(wanted, Standing(examples=EXAMPLES)))
    step = next_step(wanted, ended(standing))
    assert isinstance(step, Choose)
    assert step.selected.point == max(
        standing.stages["coarse"].trials, key=lambda one: one.score or 0.0
    ).point  # fmt: skip


def test_finalists_are_not_extended_when_the_search_has_ended() -> None:
    """The choice follows the finalists that there are."""
    wanted = study(finalists={"keep": 2, "replicates": 2, "rounds": 3, "extend": True})
    standing = Standing(examples=EXAMPLES)
    for _ in range(3):
        standing = after(standing, next_step(wanted, standing))
    assert isinstance(next_step(wanted, standing), Plan)
    assert isinstance(next_step(wanted, ended(standing)), Choose)
