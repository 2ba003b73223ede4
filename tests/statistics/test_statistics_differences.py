"""What the data say of a choice: differences with intervals, rules, a model."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from one_dimension import differences, proposals

from lamsearch.results import StageRecord, TrialRecord, TrialState
from lamsearch.search import winner
from lamsearch.statistics import drops, gain_of, model


def trial(
    candidate: int, value: float, replicate: int, correct: npt.NDArray[np.bool_] | None = None,
    accuracy: float | None = None, state: TrialState = TrialState.COMPLETE,
) -> TrialRecord:  # fmt: skip
    """Return a trial whose accuracy is that of its images, or as given."""
    if accuracy is None:
        accuracy = float(np.mean(correct)) if correct is not None else 0.5
    return TrialRecord(
        candidate=candidate, replicate=replicate, cohort=0, point=(value,), state=state,
        score=accuracy if state is TrialState.COMPLETE else None,
        validation_loss=1.0, scores=correct,
    )  # fmt: skip


def crossed(
    rng: np.random.Generator, effects: tuple[float, ...], *, replicates: int = 5,
    images: int = 1000, seeds: float = 0.01,
) -> StageRecord:  # fmt: skip
    """Return finalists whose true accuracies are 0.5 + effect; images and seeds add their luck."""
    hardness = rng.normal(0.0, 0.25, images)
    noise = rng.normal(0.0, seeds, (len(effects), replicates))
    trials = []
    for candidate, effect in enumerate(effects):
        own = rng.normal(0.0, 0.1, images)  # what this λ is good at
        for replicate in range(replicates):
            chance = 0.5 + effect + noise[candidate, replicate] + hardness - hardness.mean() + own
            correct = rng.random(images) < np.clip(chance, 0, 1)
            trials.append(trial(candidate, -4.0 + candidate, replicate, correct))
    return StageRecord(name="finalists", bounds=None, trials=tuple(trials))


@pytest.mark.parametrize("seeds", [0.0, 0.03], ids=["images decide", "seeds decide"])
def test_the_interval_of_a_gain_holds_as_often_as_it_says(seeds: float) -> None:
    """Over 300 made-up pairs of ways to use the same five trainings, one 0.02 better, the interval
    holds that in about 95 %."""
    rng, covered = np.random.default_rng(3), 0
    for _ in range(300):
        chance = rng.uniform(0.3, 0.7, 400)  # of each example, far from 0 and 1
        draws = rng.random((5, 400))
        gain = 0.02 + rng.normal(0.0, seeds, (5, 1)) + rng.normal(0.0, 0.05, 400)
        found = gain_of(draws < chance + gain, draws < chance)
        assert found.interval95 is not None
        low, high = found.interval95
        assert low < found.mean < high
        covered += low <= 0.02 <= high
    assert 0.91 <= covered / 300 <= 0.99


@pytest.mark.usefixtures("drawn_once")
@pytest.mark.parametrize("seeds", [0.0, 0.03], ids=["images decide", "seeds decide"])
def test_the_intervals_hold_together_as_often_as_they_say(seeds: float) -> None:
    """Over 300 made-up stages whose candidates are equally good, the intervals of all differences
    hold 0 at the same time in about 95 %: not below 91 %, nor nearly always."""
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(300):
        stage = crossed(rng, (0.0, 0.0, 0.0, 0.0), images=200, seeds=seeds)
        found = differences(stage, -4.0)
        covered += all(one.interval95[0] <= 0 <= one.interval95[1] for one in found)
    assert 0.91 <= covered / 300 <= 0.99


def redrawn(
    rng: np.random.Generator, *, pool: int, images: int, seeds: float, replicates: int = 5
) -> StageRecord:
    """Return four equal finalists, each replicate of which is scored on images of its own."""
    kinds = rng.normal(0.0, 0.3, (4, pool))  # what each λ is good at
    hardness = rng.normal(0.0, 0.2, pool)
    rows = {}
    for replicate in range(replicates):
        seen = rng.permutation(pool)[:images]
        noise = rng.normal(0.0, seeds, (4, 1))
        chance = 0.5 + noise + hardness[seen] + kinds[:, seen]
        for candidate, right in enumerate(rng.random((4, images)) < chance):
            rows[candidate, replicate] = right
    return StageRecord(name="finalists", bounds=None, trials=tuple(
        trial(candidate, -4.0 + candidate, replicate, right)
        for (candidate, replicate), right in rows.items()))  # fmt: skip


@pytest.mark.usefixtures("drawn_once")
@pytest.mark.parametrize("seeds", [0.0, 0.03], ids=["images decide", "seeds decide"])
def test_with_a_split_per_replicate_the_intervals_hold_as_often_as_they_say(seeds: float) -> None:
    """Over 60 made-up stages of equal candidates on redrawn splits of one pool, the intervals hold
    0 together in at least 94 %; they are wider than on one split by what the splits share."""
    rng, covered = np.random.default_rng(5), 0
    for _ in range(60):
        found = differences(redrawn(rng, pool=1200, images=200, seeds=seeds), -4.0, resplit=0.2)
        covered += all(one.interval95[0] <= 0 <= one.interval95[1] for one in found)
    assert covered / 60 >= 0.94
    stage = redrawn(rng, pool=1200, images=200, seeds=seeds)
    for own, shared in zip(
        differences(stage, -4.0, resplit=0.2), differences(stage, -4.0), strict=True
    ):
        assert own.mean == shared.mean
        widths = [one.interval95[1] - one.interval95[0] for one in (own, shared)]
        assert widths[0] == pytest.approx(np.sqrt(1 + 5 * 0.2) * widths[1])  # five replicates


def test_splits_of_different_sizes_are_compared_by_the_replicates_means() -> None:
    """By hand: differences 0.1, 0.2 and 0.3 have the variance 0.01, so with one validation example
    for two training ones Student's interval is 0.2 ± t(2)·√(0.01·(1/3 + 1/2)); and without
    `resplit`, where examples are the same, nothing is said of such a stage."""
    sizes = (10, 20, 40)
    trials = [
        trial(candidate, -4.0 + candidate, replicate, np.arange(size) < share * size)
        for replicate, (size, gap) in enumerate(zip(sizes, (0.1, 0.2, 0.3), strict=True))
        for candidate, share in enumerate((0.5 + gap, 0.5))
    ]
    stage = StageRecord(name="finalists", bounds=None, trials=tuple(trials))
    (found,) = differences(stage, -4.0, resplit=0.5)
    half = 4.302653 * math.sqrt(0.01 * (1 / 3 + 1 / 2))
    assert found.mean == pytest.approx(0.2)
    assert found.interval95 == pytest.approx((0.2 - half, 0.2 + half), rel=1e-6)
    assert not found.distinguishable
    assert differences(stage, -4.0) == ()


def test_what_is_worse_is_distinguished_and_what_is_equal_is_not() -> None:
    """Ten points of difference are seen, and a tenth of a point is not."""
    stage = crossed(np.random.default_rng(2), (0.0, -0.001, -0.1))
    close, far = differences(stage, -4.0)
    assert (close.point[0], close.distinguishable) == (-3.0, False)
    assert (far.point[0], far.distinguishable) == (-2.0, True)
    assert far.interval95[0] < far.mean < far.interval95[1]
    assert far.interval95[0] > 0.03


def test_the_same_stage_gives_the_same_intervals() -> None:
    """The resampling has a seed of its own: a report written twice says the same."""
    stage = crossed(np.random.default_rng(3), (0.0, -0.01))
    assert differences(stage, -4.0) == differences(stage, -4.0)


def test_nothing_is_said_where_nothing_can_be() -> None:
    """One replicate, no images, a candidate that failed, a λ that was not tried: no difference."""
    rng = np.random.default_rng(4)
    assert differences(crossed(rng, (0.0, 0.0), replicates=1), -4.0) == ()
    stage = crossed(rng, (0.0, 0.0))
    assert differences(stage, -9.0) == ()
    blind = tuple(trial(c, -4.0 + c, r) for c in range(2) for r in range(2))
    assert differences(StageRecord(name="finalists", bounds=None, trials=blind),
                                 -4.0) == ()  # fmt: skip
    broken = (*stage.trials[:-1], trial(1, -3.0, 4, state=TrialState.FAIL))
    assert differences(StageRecord(name="finalists", bounds=None, trials=broken),
                                 -4.0) == ()  # fmt: skip


def test_the_curse_is_the_fall_from_the_score_that_was_picked() -> None:
    """A candidate picked at 0.54 that scores 0.51 and 0.53 on fresh seeds has fallen by 0.02."""
    fine = StageRecord(name="fine", bounds=((-4.0, -2.0),), trials=(
        trial(0, -3.0, 0, accuracy=0.54), trial(1, -2.5, 0, accuracy=0.50)))  # fmt: skip
    fresh = StageRecord(name="finalists", bounds=None, trials=(
        trial(0, -3.0, 0, accuracy=0.51), trial(0, -3.0, 1, accuracy=0.53),
        trial(1, -2.0, 0, accuracy=0.5), trial(1, -2.0, 1, accuracy=0.5)))  # fmt: skip
    (drop,) = drops(fine, fresh)
    assert (drop.point[0], drop.picked) == (-3.0, 0.54)
    assert drop.fresh == pytest.approx(0.52)


def scored(table: dict[float, list[float]]) -> StageRecord:
    """Return finalists with these accuracies per replicate."""
    return StageRecord(name="finalists", bounds=None, trials=tuple(
        trial(candidate, value, replicate, accuracy=accuracy)
        for candidate, (value, row) in enumerate(table.items())
        for replicate, accuracy in enumerate(row)))  # fmt: skip


def test_one_standard_error_takes_the_largest_lambda_that_is_close() -> None:
    """Of λs whose paired difference to the best is within its standard error, the largest wins.

    By hand: best minus second is .01, .00, −.002: mean .00267, standard error .00371, so within;
    best minus third is .03 each time with no spread, so not.
    """
    stage = scored({
        -3.0: [0.53, 0.52, 0.51], -2.5: [0.52, 0.52, 0.512], -2.0: [0.50, 0.49, 0.48],
        -3.5: [0.529, 0.519, 0.511],
    })  # fmt: skip
    best = winner(stage, [], examples=1000)
    simple = winner(stage, [], examples=1000, rule="one_standard_error")
    assert best.point[0] == -3.0
    assert simple.point[0] == -2.5
    assert "largest λ within one paired standard error" in simple.rule
    assert simple.score is not None
    assert simple.score.mean == pytest.approx(0.5173, abs=1e-4)


def parabola(value: float) -> float:
    """Return an accuracy with its top at log10 λ = −2.6."""
    return 0.53 - 0.01 * (value + 2.6) ** 2


def test_the_model_finds_a_top_between_what_was_tried() -> None:
    """Noisy scores on a parabola lead the model's winner to within a fifth of a decade of its top,
    on average nearer than the best of the scores themselves."""
    rng = np.random.default_rng(5)
    values = [-4.0, -3.5, -3.0, -2.2, -1.8, -1.4]
    gaps = {"best": 0.0, "model": 0.0}
    for _ in range(20):
        common = rng.normal(0, 0.004, 5)
        stage = scored({v: list(parabola(v) + common + rng.normal(0, 0.002, 5)) for v in values})
        for rule in ("best", "model"):
            chosen = winner(stage, [], examples=5000, rule=rule)  # type: ignore[arg-type]
            gaps[rule] += abs(chosen.point[0] + 2.6) / 20
    assert gaps["model"] < 0.2 < gaps["best"]


def test_an_effect_that_all_candidates_share_is_no_noise() -> None:
    """A replicate that is better for every λ alike leaves the model's variances at their floor."""
    stage = scored({v: [parabola(v) + shift for shift in (0.0, 0.05, -0.05)]
                    for v in (-4.0, -3.0, -2.0)})  # fmt: skip
    assert model.scores(stage, 100_000).variances == pytest.approx(np.full(3, 1e-8))


def test_proposals_are_new_apart_and_near_the_top() -> None:
    """The model proposes as many new λs as asked, a tenth of a decade apart, and looks both at
    the top and at what nobody has looked at."""
    stage = scored({v: [parabola(v) + s for s in (0.0, 0.001, -0.001)]
                    for v in (-4.5, -3.5, -2.0, -1.0)})  # fmt: skip
    found = proposals(stage, count=4, examples=5000)
    assert len(found) == 4
    everything = sorted([*found, -4.5, -3.5, -2.0, -1.0])
    assert min(b - a for a, b in pairwise(everything)) >= 0.1 - 1e-9
    assert sum(abs(value + 2.6) < 0.5 for value in found) >= 2
    assert all(-4.5 < value < -1.0 for value in found)
    assert proposals(scored({-3.0: [0.5, 0.5], -2.0: [0.5, 0.5]}), count=4,
                               examples=100) == []  # fmt: skip
