"""A search of λ, a rate, a whole number and a choice: each dimension by its own scale."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import qmc

from lamsearch.results import StageRecord, TrialRecord, TrialState
from lamsearch.search import (
    Batch,
    draw,
    expected,
    expected_updates,
    extension,
    finalists,
    further,
    narrow,
    plan_candidates,
    plan_search,
    proposals,
    samplers,
    spacing,
    winner,
)
from lamsearch.space import Point, Space, space_of
from lamsearch.statistics import model
from lamsearch.study import Fine, Study, parse_study

AXES = {
    "eta_max": {"log": [0.01, 1.0]},
    "units": {"integer": [10, 50]},
    "layers": {"choice": ["one", "two", "three"]},
}
# in the order of their names: log10 λ, eta_max, layers, units
SPACE: Space = space_of({"coarse": {"space": AXES}})
BOUNDS = ((-5.0, -1.0), (-2.0, 0.0), (0.0, 2.0), (10.0, 50.0))


def height(point: Point) -> float:
    """A made-up score: its top is λ = 10^−2.5, a rate of 0.1, two layers, 30 units."""
    x, rate, layers, units = point
    up = 0.02 * (x + 2.5) ** 2 + 0.03 * (rate + 1.0) ** 2 + 0.0001 * (units - 30) ** 2
    return 0.9 - up - 0.05 * (layers != 1.0)


def stage(points: list[Point], replicates: int = 1, name: str = "coarse") -> StageRecord:
    """Return a finished stage of candidates with their made-up scores."""
    return StageRecord(
        name=name,  # type: ignore[arg-type]  # one of the four
        bounds=BOUNDS,
        trials=tuple(
            TrialRecord(
                candidate=k, replicate=replicate, cohort=0, point=point,
                state=TrialState.COMPLETE, score=height(point) + 0.001 * replicate,
                validation_loss=1.0,
            )
            for k, point in enumerate(points) for replicate in range(replicates)
        ),
    )  # fmt: skip


def study(**changes: object) -> Study:
    """Return a study of λ, a rate and two choices, of which the network splits cohorts by two."""
    document = {
        "name": "s", "seed": 7, "cohort": 4, "training": {"step_size": 15},
        "data": {"source": "digits", "train": 300, "validation": 100},
        "coarse": {
            "trials": 12, "log10_lambda": [-5, -1], "sampler": "stratified",
            "space": {"eta_max": {"log": [0.02, 0.3]}, "hidden": {"choice": [8, 16, 32]},
                      "batch_size": {"choice": [10, 20]}},
        },
        "fine": {"trials": 6}, "finalists": {"keep": 4, "replicates": 2}, "final": {},
    }  # fmt: skip
    return parse_study({**document, **changes})


SPLITTING = frozenset({"hidden", "batch_size"})


def test_draws_of_every_scale_lie_within_their_bounds() -> None:
    """Rates are even in their logarithm, whole numbers whole, each choice has its share."""
    found = draw(30, BOUNDS, seed=(1, 0), sampler=samplers.stratified, space=SPACE)
    assert all(low <= x <= high for point in found
               for x, (low, high) in zip(point, BOUNDS, strict=True))  # fmt: skip
    rates = sorted(point[1] for point in found)
    assert [int((rate + 2) * 15) for rate in rates] == list(range(30))
    assert [sum(point[2] == k for point in found) for k in (0.0, 1.0, 2.0)] == [10, 10, 10]
    assert all(point[3] == round(point[3]) for point in found)
    assert {SPACE.values(point)[2] for point in found} == {"one", "two", "three"}


@pytest.mark.parametrize(("count", "dimensions"), [(12, 2), (20, 3), (30, 4)])
def test_stratified_draws_fill_space_more_evenly_than_sobol(count: int, dimensions: int) -> None:
    """Over ten seeds their mean centred discrepancy is below that of scrambled Sobol points."""
    means = []
    for sampler in (samplers.stratified, _sobol):
        found = [
            qmc.discrepancy(sampler(count, dimensions, np.random.default_rng(seed)))
            for seed in range(10)
        ]
        means.append(np.mean(found))
    assert means[0] < 0.95 * means[1]


@pytest.mark.filterwarnings("ignore:The balance properties of Sobol")
def _sobol(count: int, dimensions: int, rng: np.random.Generator) -> np.ndarray:
    power = int(np.ceil(np.log2(count)))
    return qmc.Sobol(dimensions, scramble=True, seed=rng).random_base2(power)[:count]


def test_one_candidate_is_drawn_in_several_dimensions() -> None:
    """A search of a single candidate has one."""
    assert len(draw(1, BOUNDS, seed=(1, 0), sampler=samplers.stratified, space=SPACE)) == 1


def test_candidates_that_share_no_cohort_are_planned_apart() -> None:
    """Each cohort has one layer size and one batch size, in their order; all candidates are
    planned once, and the plan is the study's own."""
    planned = plan_search(study(), "coarse", splitting=SPLITTING)
    keys = []
    for cohort in planned.cohorts:
        found = {(one.point[1], one.point[3]) for one in cohort.trials if one.point is not None}
        assert len(found) == 1
        assert len(cohort.trials) <= 4
        keys.append(found.pop())
    assert keys == sorted(keys)
    assert len(set(keys)) == 6
    numbers = sorted(one.candidate for cohort in planned.cohorts for one in cohort.trials)
    assert numbers == list(range(12))
    assert planned == plan_search(study(), "coarse", splitting=SPLITTING)
    together = plan_search(study(), "coarse")
    assert [len(cohort.trials) for cohort in together.cohorts] == [4, 4, 2, 2]


def test_replicates_of_finalists_are_planned_apart_likewise() -> None:
    """Two finalists of one architecture train together in each replicate, a third alone."""
    points: list[Point] = [(-3.0, 0.0, -1.0, 0.0), (-2.0, 1.0, -1.0, 0.0), (-4.0, 0.0, -0.7, 0.0)]
    planned = plan_candidates(study(), "finalists", points, splitting=SPLITTING)
    found = [(one.replicate, [trial.candidate for trial in one.trials]) for one in planned.cohorts]
    assert found == [(0, [0, 2]), (0, [1]), (1, [0, 2]), (1, [1])]


def test_what_is_expected_is_as_many_cohorts_as_there_can_be() -> None:
    """Of four finalists no two are expected to share a cohort, for they may all differ."""
    one = study()
    assert len(expected(one, "finalists", SPLITTING).cohorts) == 8
    assert len(expected(one, "finalists").cohorts) == 2
    stages = [expected(one, stage, SPLITTING) for stage in one.stages]
    for planned in stages:
        for cohort in planned.cohorts:
            for trial in cohort.trials:
                assert trial.point is not None
                one.space.check(trial.point)
    assert expected_updates(one, SPLITTING) == 30 * sum(len(one.cohorts) for one in stages)


def test_narrowing_goes_by_each_scale() -> None:
    """Whole numbers get whole ends, rounded outwards; a choice is narrowed to one where the best
    agree, and stays where they do not; margins are those of the candidates of one choice."""
    rng = np.random.default_rng(3)
    rest: list[Point] = [
        (float(x), -1.8, float(k % 3), 11.0) for k, x in enumerate(rng.uniform(-5, -4, 24))
    ]
    best: list[Point] = [(-2.5, -1.0, 1.0, 30.0), (-2.4, -0.9, 1.0, 33.0), (-2.6, -1.0, 1.0, 30.0)]
    found = narrow(stage([*best, *rest]), keep=3, examples=100, space=SPACE)
    per_dimension = 9 ** (1 / 3)  # 27 candidates, of each choice nine
    margin = 4.0 / (2 * per_dimension)
    assert found[0] == pytest.approx((-2.6 - margin, -2.4 + margin))
    assert found[2] == (1.0, 1.0)
    margin = 40.0 / (2 * per_dimension)
    assert found[3] == (np.floor(30 - margin), np.ceil(33 + margin))
    apart = [*best[:2], (-2.5, -1.0, 2.0, 30.0), *rest]
    assert narrow(stage(apart), keep=5, examples=100, space=SPACE)[2] == (0.0, 2.0)


def test_an_integer_s_interval_is_never_empty() -> None:
    """The best at one whole number among thousands of candidates leaves its neighbours."""
    space = space_of({"coarse": {"space": {"units": {"integer": [1, 2]}}}})
    points: list[Point] = [(-2.0 - k / 5000, 1.0 + k % 2) for k in range(4000)]
    record = StageRecord(
        name="coarse", bounds=((-5.0, -1.0), (1.0, 2.0)),
        trials=tuple(
            TrialRecord(candidate=k, replicate=0, cohort=0, point=point,
                        state=TrialState.COMPLETE, score=-point[1], validation_loss=1.0)
            for k, point in enumerate(points)
        ),
    )  # fmt: skip
    low, high = narrow(record, keep=3, examples=100, space=space)[1]
    assert (low, high) == (1.0, 2.0)


def test_finalists_of_another_choice_are_apart() -> None:
    """Two neighbours are both finalists where their layers differ; whole numbers by their step."""
    assert spacing(stage([(-2.5, -1.0, 1.0, 30.0)]), SPACE) == (1.0, 0.5, 1.0, 10.0)
    points: list[Point] = [
        (-2.5, -1.0, 1.0, 30.0), (-2.5, -1.0, 1.0, 31.0), (-2.5, -1.0, 2.0, 31.0),
        (-2.5, -1.0, 0.0, 30.0), (-2.5, -1.0, 1.0, 41.0),
    ]  # fmt: skip
    found = finalists(stage(points), keep=9, examples=100, space=SPACE)
    assert sorted(found) == sorted(set(points) - {points[1]})


def test_fine_goes_on_by_whole_numbers_and_never_in_a_choice() -> None:
    """Beyond 30 units come 31 and more, as dense as before; the outermost choice is no edge."""
    present = ((-3.0, -2.0), (-1.5, -0.5), (1.0, 2.0), (20.0, 27.0))
    points: list[Point] = [
        (-2.5, -1.0, 1.0, 27.0), (-2.6, -1.1, 1.0, 25.0), (-2.4, -0.9, 2.0, 22.0),
        (-2.7, -1.2, 1.0, 20.0),
    ]  # fmt: skip
    fine = Fine(trials=4, extend=True)
    found = further(
        stage(points, name="fine"), fine, present, within=BOUNDS, examples=100, space=SPACE
    )
    assert found == Batch(
        bounds=(*present[:3], (28.0, 31.0)), count=2, round=1, extension=1
    )  # four of eight
    choice: list[Point] = [(-2.5, -1.0, 1.0, 25.0), *points[1:]]
    inside = [(x, y, k, min(units, 26.0)) for x, y, k, units in choice]
    inside += [(-2.55, -1.05, 0.0, 26.5 // 1), (-2.5, -1.0, 2.0, 27.0)]
    assert (
        further(stage(inside, name="fine"), fine, present, within=BOUNDS, examples=100, space=SPACE)
        is None
    )


def test_further_finalists_go_by_whole_steps() -> None:
    """Beyond the best finalist's 45 units only what the search's bounds hold is tried."""
    points: list[Point] = [
        (-2.5, -1.0, 1.0, 40.0), (-2.6, -1.1, 0.0, 48.0), (-2.4, -0.9, 0.0, 46.0)
    ]  # fmt: skip
    step = (0.5, 0.3, 1.0, 4.0)
    found = extension(
        stage(points, 2, "finalists"), step=step, within=BOUNDS, examples=100, space=SPACE
    )
    assert found == [(-2.5, -1.0, 1.0, 36.0), (-2.5, -1.0, 1.0, 32.0)]


def test_a_model_with_choices_finds_the_top_and_proposes_valid_points() -> None:
    """The Gaussian process through 108 candidates has its best near the made-up top, of the best
    layers; proposals are whole where they must be, within the bounds, and of tried choices."""
    axes = (-4.0, -2.6, -1.5), (-1.6, -0.9, -0.3), (0.0, 1.0), (12.0, 28.0, 40.0)
    points = [tuple(map(float, point)) for point in itertools.product(*axes)]
    record = stage(points, 2, "finalists")
    fitted = model.fit(model.scores(record, 1000), BOUNDS, SPACE)
    best = fitted.best[0]
    assert best[2] == 1.0
    assert best[0] == pytest.approx(-2.5, abs=0.4)
    assert best[3] == pytest.approx(30, abs=5)
    assert {point[2] for point in fitted.grid} == {0.0, 1.0}
    found = proposals(record, count=5, examples=1000, space=SPACE)
    assert len(found) == 5
    for point in found:
        SPACE.check(point)
        assert point not in points
        assert -4.0 <= point[0] <= -1.5
        assert 12 <= point[3] <= 40
    chosen = winner(record, [], examples=1000, rule="model", space=SPACE)
    assert chosen.point[2] == 1.0
    assert height(chosen.point) > 0.89


def test_one_standard_error_asks_for_the_same_choices() -> None:
    """Of candidates as good as the best the largest λ wins among those of its architecture."""
    points: list[Point] = [
        (-2.5, -1.0, 1.0, 30.0), (-2.4, -1.0, 1.0, 30.0), (-1.5, -1.0, 2.0, 30.0)
    ]  # fmt: skip
    means = {points[0]: 0.9, points[1]: 0.899, points[2]: 0.8995}
    trials = tuple(
        TrialRecord(
            candidate=k, replicate=r, cohort=0, point=point, state=TrialState.COMPLETE,
            score=means[point] + (0.01 if (k + r) % 2 else -0.01), validation_loss=1.0,
        )
        for k, point in enumerate(points) for r in range(4)
    )  # fmt: skip
    record = StageRecord(name="finalists", bounds=None, trials=trials)
    found = winner(record, [], examples=1000, rule="one_standard_error", space=SPACE)
    assert found.point == points[1]


def test_an_edge_of_a_choice_is_no_warning() -> None:
    """The first of three choices is no edge; a whole number that is the largest tried is."""
    points: list[Point] = [
        (-2.5, -1.0, 0.0, 30.0), (-3.0, -1.5, 1.0, 2.0), (-1.5, -0.5, 2.0, 12.0),
        (-2.0, -0.9, 2.0, 13.0),
    ]  # fmt: skip
    record = stage(points, name="fine")
    (warning,) = winner(record, [], examples=100, space=SPACE).warnings
    assert warning.startswith("the chosen units 30 lies at the edge of fine")
