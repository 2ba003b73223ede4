"""What the statistics say of small tables, against sums by hand and textbook formulas."""

from __future__ import annotations

import math
import statistics
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from one_dimension import differences, dropped, fit, propose
from scipy.stats import norm, t

from lamsearch.results import StageRecord, TrialRecord, TrialState
from lamsearch.statistics import SeedNoise, bias, model, seed_noise

Table = dict[float, list[float]]
Rows = dict[float, npt.NDArray[np.bool_] | list[float]]


def stage(table: Rows | Table) -> StageRecord:
    """Return a stage with these accuracies, or right answers (replicates, examples), by log10 λ."""
    trials = []
    for candidate, (value, rows) in enumerate(table.items()):
        for replicate, row in enumerate(rows):
            correct = row if isinstance(row, np.ndarray) else None
            trials.append(
                TrialRecord(
                    candidate=candidate, replicate=replicate, cohort=0, point=(value,),
                    state=TrialState.COMPLETE, score=float(np.mean(row)),
                    validation_loss=1.0, scores=correct,
                )
            )  # fmt: skip
    return StageRecord(name="finalists", bounds=None, trials=tuple(trials))


THREE = stage({-3.0: [0.50, 0.52, 0.57], -2.0: [0.48, 0.51, 0.54]})
TWO = stage({-3.0: [0.50, 0.54], -2.0: [0.48, 0.50]})
ONE = stage({-3.0: [0.50], -2.0: [0.48]})
EMPTY = stage({})


@pytest.mark.parametrize(
    ("record", "pooled", "shared"),
    [
        # differences .02, .01, .03: Σ(d − .02)²/2 = .0001, ν = 2; means .49, .515, .555: .001075
        (THREE, (0.00005, 2), (0.001075 - 0.00005 / 2) / 3),
        # differences .02, .04: .0001, ν = 1; means .49, .52: .00045
        (TWO, (0.0001, 1), (0.00045 - 0.0001 / 2) / 2),
        # means .55, .55: what is left is below 0
        (stage({-3.0: [0.5, 0.6], -2.0: [0.6, 0.5]}), (0.01, 1), 0.0),
        (ONE, (0.0, 0), 0.0),
        (EMPTY, (0.0, 0), 0.0),
    ],
    ids=["three replicates", "two replicates", "nothing shared", "one replicate", "no candidate"],
)
def test_variances_within_and_between_replicates(
    record: StageRecord, pooled: tuple[float, int], shared: float
) -> None:
    """A two-way table splits into what single runs add and what their replicate adds to all."""
    assert model.pooled_variance(record) == pytest.approx(pooled)
    assert model.shared_variance(record) == pytest.approx(shared)


@pytest.mark.parametrize(("record", "shared"), [(THREE, 0.00035), (TWO, 0.0002)])
def test_the_error_of_a_level_adds_what_is_shared(record: StageRecord, shared: float) -> None:
    """A level is less sure than a difference by what the replicates share, added as variances."""
    assert model.level_error(0.01, 0.5, record, 100) == pytest.approx(math.sqrt(0.0001 + shared))


def test_a_level_of_one_replicate_is_no_surer_than_one_run() -> None:
    """With one run each, an accuracy of a half on 100 examples has an error of .05 or more."""
    assert model.level_error(0.001, 0.5, ONE, 100) == pytest.approx(0.05)
    assert model.level_error(0.2, 0.5, ONE, 100) == 0.2


def test_a_candidate_alone_has_the_binomial_noise_of_its_mean() -> None:
    """Four runs of one λ at .5, on 100 examples, have together the variance .25/100/4."""
    found = model.scores(stage({-3.0: [0.5] * 4}), 100)
    assert found.variances == pytest.approx([0.25 / 100 / 4])


def matern(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64], length: float) -> npt.NDArray:
    """Matérn's covariance with ν = 5/2, by its formula."""
    r = math.sqrt(5) * np.abs(a[:, None] - b[None]) / length
    return (1 + r + r**2 / 3) * np.exp(-r)


def process(
    found: model.Scores, at: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The Gaussian process with the likeliest amplitude in [0.1, 100] and length in [0.3, 3]."""
    spread = max(found.means.std(), 1e-4)
    y, x = (found.means - found.means.mean()) / spread, found.points[:, 0]
    best, answer = -math.inf, None
    for amplitude in np.geomspace(0.1, 100, 101):
        for length in np.geomspace(0.3, 3, 101):
            k = amplitude * matern(x, x, length) + np.diag(found.variances / spread**2)
            likelihood = -0.5 * (y @ np.linalg.solve(k, y) + np.linalg.slogdet(k)[1])
            if likelihood > best:
                across = amplitude * matern(at, x, length)
                mean = across @ np.linalg.solve(k, y)
                variance = amplitude - (across @ np.linalg.inv(k) * across).sum(axis=1)
                best, answer = likelihood, (mean, np.sqrt(np.maximum(variance, 0)))
    assert answer is not None
    return found.means.mean() + spread * answer[0], spread * answer[1]


@pytest.mark.parametrize(
    ("means", "error"),
    [([0.50, 0.52, 0.53, 0.525, 0.51, 0.47], 0.004), ([0.50, 0.501, 0.499, 0.502, 0.5, 0.5], 0.01)],
    ids=["a curve", "noise alone"],
)
def test_the_model_is_the_likeliest_gaussian_process(means: list[float], error: float) -> None:
    """Mean and standard deviation on the grid are those of a Matérn 5/2 process whose amplitude
    and length are the likeliest in their bounds, worked out by its textbook formulas."""
    found = model.Scores(
        points=np.array([[-4.0], [-3.5], [-3.0], [-2.2], [-1.8], [-1.0]]),
        means=np.array(means), variances=np.full(6, error**2),
    )  # fmt: skip
    fitted = fit(found, (-4.0, -1.0))
    mean, sd = process(found, fitted.grid[:, 0])
    assert fitted.mean == pytest.approx(mean, abs=0.03 * np.ptp(found.means))
    assert fitted.sd == pytest.approx(sd, rel=0.05)


def test_the_grid_holds_both_ends() -> None:
    """The model is asked each hundredth of a decade, and at both ends of an interval of less."""
    found = model.scores(THREE, 100)
    assert fit(found, (-3.0, -2.0)).grid[:, 0] == pytest.approx(np.linspace(-3, -2, 101))
    assert fit(found, (-3.0, -2.996)).grid[:, 0] == pytest.approx([-3.0, -2.996])


def test_proposals_of_a_level_model_come_from_below() -> None:
    """Where all points are as promising, the smallest λs are proposed that are a tenth of a decade
    apart from each other and from what was tried, with three digits."""
    grid = np.linspace(-3.00049, 2.99951, 201)
    level = model.Fitted(grid=grid[:, None], mean=np.full(201, 0.5), sd=np.full(201, 0.01))
    assert propose(level, [-2.7], 3) == pytest.approx([-3.0, -2.88, -2.58])
    assert all(value == round(value, 3) for value in propose(level, [], 9))
    exact = model.Fitted(grid=np.array([[0.0], [0.1]]), mean=np.zeros(2), sd=np.ones(2))
    assert propose(exact, [0.0], 1) == [0.1]


def anova(gap: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    """Variances of the mean of (replicates, examples): seeds, draw of examples, single answers."""
    replicates, examples = gap.shape
    seeds = statistics.variance(gap.mean(axis=1)) / replicates
    draws = statistics.variance(gap.mean(axis=0)) / examples
    rest = gap - gap.mean(axis=1)[:, None] - gap.mean(axis=0)[None] + gap.mean()
    freedom = (replicates - 1) * (examples - 1)
    return seeds, draws, float((rest**2).sum()) / freedom / (replicates * examples)


def half_widths(gaps: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Half-widths of simultaneous intervals of the mean gaps, resampled with another seed."""
    rng, (_, replicates, examples) = np.random.default_rng(99), gaps.shape
    means = gaps.mean(axis=(1, 2))
    resampled = np.array([
        gaps[:, rng.integers(0, replicates, replicates)][
            :, :, rng.integers(0, examples, examples)].mean(axis=(1, 2)) - means
        for _ in range(4000)
    ])  # fmt: skip
    bound = np.quantile((np.abs(resampled) / resampled.std(axis=0)).max(axis=1), 0.95)
    parts = [anova(gap) for gap in gaps]
    seeds = statistics.mean(part[0] for part in parts)
    found = []
    for _, draws, single in parts:
        variance = max(seeds + draws - single, single)
        freedom = (replicates - 1) * (variance / seeds) ** 2
        found.append(bound * math.sqrt(variance) * t.ppf(0.975, freedom) / norm.ppf(0.975))
    return np.array(found)


def answers(
    rng: np.random.Generator, replicates: int, hard: float, seeds: float, worse: float
) -> Rows:
    """Right answers of three λs to 120 examples; each λ finds others of them ``hard``, and is so
    much ``worse`` than the one before it."""
    found: Rows = {}
    for value in (-4.0, -3.0, -2.0):
        chance = (
            0.6
            - worse * (value + 4.0)
            + hard * rng.choice([-1, 1], 120)
            + seeds * rng.normal(size=(replicates, 1))
        )
        found[value] = rng.random((replicates, 120)) < chance
    return found


@pytest.mark.parametrize(
    ("replicates", "hard", "seeds", "worse"),
    [
        (2, 0.0, 0.0, 0.0),
        (2, 0.3, 0.05, 0.0),
        (3, 0.1, 0.2, 0.0),
        (5, 0.3, 0.0, 0.0),
        (2, 0.0, 0.0, 0.3),
    ],
)
def test_intervals_of_differences_are_as_wide_as_their_parts_say(
    replicates: int, hard: float, seeds: float, worse: float
) -> None:
    """The half-width is that of max-t over resampled replicates and examples, times the error of
    the analysis of variance, times Student's quantile over the normal one."""
    rng = np.random.default_rng(int(100 * hard) + replicates)
    rows = answers(rng, replicates, hard, seeds, worse)
    first, *others = (np.asarray(row).astype(float) for row in rows.values())
    expected = half_widths(np.stack([first - other for other in others]))
    found = differences(stage(rows), -4.0)
    assert [one.point[0] for one in found] == [-3.0, -2.0]
    halves = [(one.interval95[1] - one.interval95[0]) / 2 for one in found]
    assert halves == pytest.approx(expected, rel=0.06)
    assert [one.mean for one in found] == pytest.approx(
        [float((first - other).mean()) for other in others], abs=1e-7
    )


def test_a_candidate_with_a_replicate_whose_answers_are_missing_is_not_compared() -> None:
    """Differences are taken, and candidates dropped, of those alone whose every replicate has its
    answers."""
    whole = stage({-3.0: right("1110", "1011", "0110"), -2.0: right("0110", "1010", "0111")})
    (found,) = differences(whole, -3.0)
    assert found.point[0] == -2.0
    lacking = (*whole.trials[:-1], replace(whole.trials[-1], scores=None))
    assert differences(replace(whole, trials=lacking), -3.0) == ()
    assert dropped(replace(whole, trials=lacking), [-3.0], None) == ()
    third = stage({-1.0: right("1110", "1011", "0110")}).trials
    (found,) = differences(replace(whole, trials=(*lacking, *third)), -3.0)
    assert found.point[0] == -1.0


PICKED = {-3.0: [0.54, 0.56], -2.0: [0.52, 0.50], -1.0: [0.30, 0.30]}


def test_selection_bias_by_hand() -> None:
    """Two λs picked at .55 and .51 that score .53 and .50 afresh were too high by .015; a replicate
    of theirs has the means .51, .515 and .52, so the interval is t(2)·.005·√(1/2 + 1/3) wide."""
    fresh = {-3.0: [0.52, 0.53, 0.54], -2.0: [0.50, 0.50, 0.50]}
    found = bias(stage(PICKED), stage(fresh))
    assert found is not None
    assert (found.count, found.mean) == (2, pytest.approx(0.015))
    half = 4.302653 * 0.005 * math.sqrt(1 / 2 + 1 / 3)
    assert found.interval95 == pytest.approx((0.015 - half, 0.015 + half))


def test_selection_bias_of_two_fresh_replicates_has_an_interval() -> None:
    """Two fresh replicates are enough for one, with Student's quantile for one degree."""
    found = bias(stage(PICKED), stage({-3.0: [0.52, 0.54]}))
    assert found is not None
    half = 12.706205 * math.sqrt(0.0002) * math.sqrt(1 / 2 + 1 / 2)
    assert found.interval95 == pytest.approx((0.02 - half, 0.02 + half))


def test_selection_bias_without_a_spread_has_no_interval() -> None:
    """One fresh replicate, or a λ with fewer replicates than another: a mean and no interval;
    where no λ was picked, nothing at all."""
    uneven = {-3.0: [0.54, 0.56], -2.0: [0.52]}
    even, single = {-3.0: [0.52, 0.54], -2.0: [0.5, 0.5]}, {-3.0: [0.53], -2.0: [0.5]}
    for picked, fresh, mean in (
        (PICKED, single, 0.015), (uneven, even, 0.02), (PICKED, uneven, -0.005),
        (uneven, uneven, 0.0),
    ):  # fmt: skip
        found = bias(stage(picked), stage(fresh))
        assert found is not None
        assert (found.count, found.interval95) == (2, None)
        assert found.mean == pytest.approx(mean)
    assert bias(stage(PICKED), stage({-2.5: [0.5, 0.5]})) is None


def right(*rows: str) -> npt.NDArray[np.bool_]:
    """Right answers (replicates, examples), a 1 for each."""
    return np.array([[letter == "1" for letter in row] for row in rows])


def test_seed_noise_has_the_part_of_single_answers() -> None:
    """Two λs of two replicates: the variance beyond what is shared, and of a difference what
    belongs to single answers, mean square of the interaction over the examples."""
    one, other = right("11101101", "10101111"), right("00111001", "11110000")
    found = seed_noise(stage({-3.0: one, -2.0: other}))
    assert found is not None
    gap = one.astype(float) - other
    assert found.single == pytest.approx(anova(gap)[2] * 2)
    # accuracies 6/8, 6/8 and 4/8, 4/8 agree: the variance is what nobody saw in 8 comparisons
    rate = 0.5 / 9
    assert (found.variance, found.freedom) == (pytest.approx(rate * (1 - rate) / 8), 1)


def test_seed_noise_of_agreeing_runs_shrinks_with_all_comparisons() -> None:
    """Three λs whose three replicates agree on 10 examples: unseen in 4 · 10 comparisons."""
    rows = {value: right(*["1111100000"] * 3) for value in (-3.0, -2.0, -1.0)}
    found, rate = seed_noise(stage(rows)), 0.5 / 41
    assert found is not None
    assert found.variance == pytest.approx(rate * (1 - rate) / 10)


def test_seed_noise_leaves_out_what_cannot_be_paired() -> None:
    """A λ without its answers, or with those to other examples, adds none to the part of single
    answers, which is 0 where nothing is left."""
    rows = right("11101101", "10101111")
    for other in ([0.5, 0.6], right("1110", "1010")):
        found = seed_noise(stage({-3.0: rows, -2.0: other}))
        assert found is not None
        assert found.single == 0.0
    last = right("00111001", "11110000")
    paired = seed_noise(stage({-3.0: rows, -2.0: right("1110", "1010"), -1.0: last}))
    assert paired is not None
    assert paired.single == pytest.approx(anova(rows.astype(float) - last)[2] * 2)


BEST, WORSE, WORST = right("1111011101"), right("1110011001"), right("0100010000")
DROPS = stage({-3.0: BEST, -2.0: WORSE, -1.0: WORST})


def test_what_is_dropped_by_examples_alone() -> None:
    """Without seed noise the critical difference is the normal quantile at 1 − .05/(K − 1) times
    the standard error of the paired difference over the examples."""
    found = dropped(DROPS, [-3.0], None)
    for one, row in zip(found, (WORSE, WORST), strict=True):
        gap = BEST[0].astype(float) - row[0]
        error = math.sqrt(statistics.variance(gap) / 10)
        assert one.difference == pytest.approx(gap.mean())
        assert one.critical_difference == pytest.approx(norm.ppf(1 - 0.05 / 2) * error)


@pytest.mark.parametrize(
    ("variance", "single"), [(0.01, 0.004), (0.0001, 0.0), (0.002, 0.5), (0.05, 0.5)],
    ids=["seeds", "examples", "less than examples", "less than seeds"],
)  # fmt: skip
def test_what_is_dropped_by_seeds_and_examples(variance: float, single: float) -> None:
    """With seed noise the variance is that of the examples and twice that of a seed, less what
    both hold, never below either, and the quantile Student's with Satterthwaite's degrees."""
    noise = SeedNoise(variance=variance, freedom=4, single=single)
    for one, row in zip(dropped(DROPS, [-3.0], noise), (WORSE, WORST), strict=True):
        draws = statistics.variance(BEST[0].astype(float) - row[0]) / 10
        total = max(draws + 2 * variance - single, draws, 2 * variance)
        freedom = 4 * (total / (2 * variance)) ** 2
        expected = t.ppf(1 - 0.05 / 2, freedom) * math.sqrt(total)
        assert one.critical_difference == pytest.approx(expected)


@pytest.mark.parametrize(
    ("best", "other", "variance"), [("1", "0", 0.25), ("11", "11", 0.0)], ids=["one", "two"]
)
def test_what_is_dropped_on_hardly_an_example(best: str, other: str, variance: float) -> None:
    """One example says nothing of its variance, which is taken to be the largest one of an
    accuracy; two do."""
    (found,) = dropped(stage({-3.0: right(best), -2.0: right(other)}), [-3.0], None)
    assert found.critical_difference == pytest.approx(norm.ppf(0.95) * math.sqrt(variance))
