from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from one_dimension import at, draw, plan_candidates, plan_search

from lamsearch.search import training_seed
from lamsearch.study import Study, parse_study

Build = Callable[..., Study]
counts = st.integers(1, 60)
seeds = st.tuples(st.integers(0, 2**63 - 1), st.integers(0, 3))
GOLDEN = [-3.2270796093190848, -3.0663402886330675, -3.2358026800114064, -2.8583889946874206]
intervals = st.tuples(st.floats(-30, 10), st.floats(-30, 10)).filter(lambda i: i[0] < i[1])


@settings(deadline=None, max_examples=60, derandomize=True)
@given(counts, intervals, seeds, st.booleans())
def test_draws_lie_in_their_interval(
    count: int, interval: tuple[float, float], seed: tuple[int, int], stratified: bool
) -> None:
    """Every drawn log10 λ lies within the interval."""
    drawn = draw(count, interval, seed=seed, stratified=stratified)
    assert len(drawn) == count
    assert all(interval[0] <= value <= interval[1] for value in drawn)


@settings(deadline=None, max_examples=30, derandomize=True)
@given(counts, counts, seeds)
def test_a_longer_random_search_begins_with_the_shorter_one(
    one: int, other: int, seed: tuple[int, int]
) -> None:
    """The first n draws of a longer random search are those of a search of n."""
    few, many = sorted((one, other))
    short = draw(few, (-5.0, -1.0), seed=seed, stratified=False)
    assert draw(many, (-5.0, -1.0), seed=seed, stratified=False)[:few] == short


@settings(deadline=None, max_examples=30, derandomize=True)
@given(counts, seeds)
def test_a_stratified_search_draws_one_in_each_stratum(count: int, seed: tuple[int, int]) -> None:
    """Of the n equal strata of the interval each holds exactly one draw, in ascending order."""
    drawn = draw(count, (0.0, float(count)), seed=seed, stratified=True)
    assert [int(value) for value in drawn] == list(range(count))


def test_random_draws_cover_the_interval_evenly() -> None:
    """A thousand draws put about a tenth into each tenth of the interval."""
    drawn = draw(1000, (-5.0, -1.0), seed=(400, 0), stratified=False)
    tenths = [int((value + 5.0) / 0.4) for value in drawn]
    assert all(70 <= tenths.count(tenth) <= 130 for tenth in range(10))


@pytest.mark.parametrize("sampler", ["random", "stratified", "tpe"])
def test_the_plan_is_a_function_of_the_study(sampler: str, small_study: Build) -> None:
    """The same study gives the same plan; another seed gives other candidates, if any are drawn."""
    study = small_study(coarse={"sampler": sampler})
    again = small_study(coarse={"sampler": sampler})
    other = small_study(coarse={"sampler": sampler}, seed=8)
    assert plan_search(study, "coarse") == plan_search(again, "coarse")
    assert (plan_search(study, "coarse") == plan_search(other, "coarse")) == (sampler == "tpe")


def test_stages_draw_differently(small_study: Build) -> None:
    """Coarse and fine with the same interval and number do not draw the same candidates."""
    study = small_study(fine={"trials": 5})
    coarse = plan_search(study, "coarse")
    fine = plan_search(study, "fine", (-5.0, -1.0))
    assert coarse.bounds[0] == fine.bounds[0]
    assert coarse.cohorts != fine.cohorts


def test_a_narrowed_interval_is_where_fine_draws(small_study: Build) -> None:
    """Fine draws its candidates from the interval that coarse left."""
    planned = plan_search(small_study(), "fine", (-3.25, -2.75))
    assert planned.bounds[0] == (-3.25, -2.75)
    assert planned.trials == 4
    drawn = [trial.point[0] for cohort in planned.cohorts for trial in cohort.trials]
    assert all(value is not None and -3.25 <= value <= -2.75 for value in drawn)


def test_the_first_draws_of_fine_are_these(small_study: Build) -> None:
    """What a study with one round drew before there were rounds, it draws to the bit."""
    planned = plan_search(small_study(fine={"rounds": 3, "extend": True}), "fine", (-3.25, -2.75))
    assert planned == plan_search(small_study(), "fine", (-3.25, -2.75))
    drawn = [trial.point[0] for cohort in planned.cohorts for trial in cohort.trials]
    assert drawn == GOLDEN


@pytest.mark.parametrize("sampler", ["random", "stratified", "tpe"])
def test_further_draws_are_new_and_numbered_on(sampler: str, small_study: Build) -> None:
    """Further rounds and extensions have their own count, interval, numbers and draws."""
    study = small_study(fine={"sampler": sampler})
    parts: list[tuple[int, ...]] = [(), (2,), (3,), (1, 1), (1, 2), (2, 1)]
    plans = [
        plan_search(study, "fine", (-3.25, -2.75), count=5, part=part, after=(4, 2))
        for part in parts
    ]
    for planned in plans:
        assert planned.bounds[0] == (-3.25, -2.75)
        assert [cohort.number for cohort in planned.cohorts] == [2, 3]
        trials = [trial for cohort in planned.cohorts for trial in cohort.trials]
        assert [trial.candidate for trial in trials] == [4, 5, 6, 7, 8]
    drawn = [at(trial.point) for one in plans for c in one.cohorts for trial in c.trials]
    assert len(set(drawn)) == (1 if sampler == "tpe" else 5 * len(parts))


def test_tpe_leaves_the_choice_to_the_sampler(small_study: Build) -> None:
    """An adaptive sampler's candidates have no λ in the plan."""
    planned = plan_search(small_study(coarse={"sampler": "tpe"}), "coarse")
    assert {trial.point for cohort in planned.cohorts for trial in cohort.trials} == {None}


def test_given_values_are_the_candidates_in_their_order(small_study: Build) -> None:
    """A fixed list is planned as it stands, without an interval."""
    values = [-2.0, -4.0, -3.0, -1.0]
    coarse = {"values": values, "trials": None, "log10_lambda": None}
    planned = plan_search(small_study(coarse=coarse), "coarse")
    assert planned.bounds is None
    trials = [trial for cohort in planned.cohorts for trial in cohort.trials]
    assert [trial.point[0] for trial in trials] == values
    assert [trial.candidate for trial in trials] == [0, 1, 2, 3]


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.integers(1, 40), st.integers(1, 5), st.integers(1, 12))
def test_cohorts_hold_every_trial_once_and_evenly(
    candidates: int, replicates: int, size: int
) -> None:
    """Every (candidate, replicate) is in one cohort, of one replicate, no larger than allowed and
    within one of each other, but for a last one that was halved to make their number even."""
    study = parse_study({
        "name": "p", "seed": 7, "cohort": size, "training": {"step_size": 15},
        "data": {"source": "digits", "train": 300, "validation": 100},
        "coarse": {"trials": 5, "log10_lambda": [-5, -1]}, "finalists": {"replicates": replicates},
    })  # fmt: skip
    planned = plan_candidates(study, "finalists", [-float(c) for c in range(candidates)])
    trials = [trial for cohort in planned.cohorts for trial in cohort.trials]
    pairs = [(trial.candidate, trial.replicate) for trial in trials]
    assert sorted(pairs) == [(c, r) for c in range(candidates) for r in range(replicates)]
    assert all(trial.point[0] == -trial.candidate for trial in trials)
    assert planned.trials == candidates * replicates
    assert [cohort.number for cohort in planned.cohorts] == list(range(len(planned.cohorts)))
    for cohort in planned.cohorts:
        assert {trial.replicate for trial in cohort.trials} == {cohort.replicate}
    sizes = [len(cohort.trials) for cohort in planned.cohorts]
    assert max(sizes) <= size
    fewest = replicates * -(-candidates // size)
    if len(sizes) > fewest:
        assert fewest % 2 == 1
        sizes[-2:] = [sizes[-2] + sizes[-1]]
    else:
        assert fewest % 2 == 0 or sizes[-1] == 1
    assert max(sizes) - min(sizes) <= 1
    assert len(sizes) == fewest


def test_further_candidates_are_numbered_after_those_there_are(small_study: Build) -> None:
    """Candidates that extend a stage keep its replicates and are numbered on, cohorts as well."""
    planned = plan_candidates(small_study(), "finalists", [-2.0, -1.5], after=(2, 2))
    assert [(c.number, c.replicate) for c in planned.cohorts] == [(2, 0), (3, 1)]
    assert [[(s.candidate, s.point[0]) for s in c.trials] for c in planned.cohorts] == [
        [(2, -2.0), (3, -1.5)], [(2, -2.0), (3, -1.5)],
    ]  # fmt: skip


def test_every_replicate_has_seeds_of_its_own(small_study: Build) -> None:
    """A replicate's entropy is [seed, stage, replicate], so no two of a study are the same."""
    study = small_study()
    assert training_seed(study, "coarse", 0) == (7, 0, 0)
    assert training_seed(study, "finalists", 1) == (7, 2, 1)
    every = {training_seed(study, stage, r) for stage in study.stages for r in range(5)}
    assert len(every) == 4 * 5


def test_a_stage_that_the_study_lacks_is_not_planned(small_study: Build) -> None:
    """Asking for a stage that the study does not have is an error of the caller."""
    with pytest.raises(ValueError, match="no stage 'fine'"):
        plan_search(small_study(fine=None), "fine")
