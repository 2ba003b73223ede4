"""A space of two dimensions: what is one-dimensional elsewhere holds in each of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamsearch.axes import axis_of
from lamsearch.results import StageRecord, TrialRecord, TrialState
from lamsearch.search import Batch, draw, extension, finalists, further, narrow, samplers, winner
from lamsearch.space import LAMBDA, SPACE, Dimension, Point, Scale, Space, space_of
from lamsearch.statistics import model
from lamsearch.study import Fine

RATE = Dimension(name="log10_rate", symbol="η", about="learning rate", scale=Scale.LOG10)
DROPOUT = Dimension(name="dropout", symbol="p", about="dropout", unit=0.1)
PLANE = Space(dimensions=(LAMBDA, RATE))
BOUNDS = ((-5.0, -1.0), (-3.0, 0.0))


def height(point: Point) -> float:
    """A made-up score with its top at (−2.5, −1)."""
    return 0.9 - 0.02 * (point[0] + 2.5) ** 2 - 0.03 * (point[1] + 1.0) ** 2


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


def test_a_point_has_names_values_and_words() -> None:
    """Coordinates go by name; values are those of the parameters, whatever their scale."""
    plane = Space(dimensions=(LAMBDA, DROPOUT))
    point = plane.point({"dropout": 0.25, "log10_lambda": -3.0, "more": 1.0})
    assert point == (-3.0, 0.25)
    assert plane.params(point) == {"log10_lambda": -3.0, "dropout": 0.25}
    assert plane.values(point) == (0.001, 0.25)
    assert plane.parameters(point) == {"lambda": 0.001, "dropout": 0.25}
    assert plane.words(point, ".2f") == "log₁₀ λ = -3.00, p = 0.25"
    assert plane.value_words(point) == plane.named_values(point) == "λ = 0.001, p = 0.25"
    assert SPACE.named_values((-3.0,)) == "λ = 0.001"
    assert (SPACE.words((-3.0,)), SPACE.value_words((-3.0,))) == ("log₁₀ λ = -3.0000", "0.001")
    assert (LAMBDA.parameter, LAMBDA.plain_label, DROPOUT.parameter) == (
        "lambda", "log10 λ", "dropout",
    )  # fmt: skip


def test_a_dimension_of_each_scale_leads_from_shares_to_values_and_back() -> None:
    """Log scales keep decades even; whole numbers and choices have equal parts, ends included."""
    rate = Dimension(name="eta_max", symbol="η_max", about="highest rate", scale=Scale.LOG)
    units = Dimension(name="hidden", symbol="hidden", about="units", scale=Scale.INTEGER)
    layers = Dimension(
        name="hidden", symbol="hidden", about="units", scale=Scale.CHOICE,
        choices=([50], [100, 50], []),
    )  # fmt: skip
    assert rate.at_share((-2.0, 0.0), 0.5) == -1.0
    assert (rate.value(-1.0), rate.named(-1.0), rate.label) == (0.1, 0.1, "log₁₀ η_max")
    assert rate.coordinate(0.1) == pytest.approx(-1.0)
    shares = np.linspace(0, 0.999, 1000)
    found = [units.at_share((2.0, 5.0), float(share)) for share in shares]
    assert [found.count(k) for k in (2.0, 3.0, 4.0, 5.0)] == pytest.approx([250] * 4, abs=1)
    assert units.value(3.0) == 3
    assert isinstance(units.value(3.0), int)
    assert {layers.at_share((0.0, 2.0), float(share)) for share in shares} == {0.0, 1.0, 2.0}
    assert [layers.coordinate(layers.value(k)) for k in (0, 1, 2)] == [0.0, 1.0, 2.0]
    both = Space(dimensions=(LAMBDA, layers))
    assert both.named((-3.0, 1.0)) == {"log10_lambda": -3.0, "hidden": [100, 50]}
    assert both.words((-3.0, 1.0), ".1f") == "log₁₀ λ = -3.0, hidden = [100, 50]"
    assert both.named_values((-3.0, 2.0)) == "λ = 0.001, hidden = []"
    flip = Dimension(
        name="flip", symbol="flip", about="mirrored", scale=Scale.CHOICE, choices=(False, "often")
    )
    assert [flip.shown_value(k) for k in (0, 1)] == ["false", "often"]  # as a study file has them
    with pytest.raises(ValueError, match="not in"):
        layers.coordinate([7])


def test_stratified_draws_have_one_point_in_each_stratum_of_each_dimension() -> None:
    """Latin hypercube sampling: n equal strata of either interval hold one draw each."""
    found = draw(20, BOUNDS, seed=(1, 0), sampler=samplers.stratified, space=PLANE)
    for (low, high), values in zip(BOUNDS, zip(*found, strict=True), strict=True):
        strata = [int((value - low) / (high - low) * 20) for value in values]
        assert sorted(strata) == list(range(20))
    assert [point[0] for point in found] == sorted(point[0] for point in found)
    assert [point[1] for point in found] != sorted(point[1] for point in found)


def test_narrowing_widens_the_span_in_each_dimension() -> None:
    """Half the mean distance of sixteen candidates in two dimensions is an eighth of the width."""
    grid = [(x, y) for x in (-4.5, -3.5, -2.5, -1.5) for y in (-2.7, -1.9, -1.1, -0.3)]
    found = narrow(stage(grid), keep=2, examples=100, space=PLANE)
    # the best are (−2.5, −1.1) and (−2.5, −0.3) or (−2.5, −1.9): no width in the first dimension
    ranked = sorted(grid, key=height, reverse=True)[:2]
    assert found[0] == pytest.approx((-2.5 - 0.5, -2.5 + 0.5))
    rates = [point[1] for point in ranked]
    assert found[1] == pytest.approx((min(rates) - 0.375, min(0.0, max(rates) + 0.375)))


def test_finalists_differ_by_a_quarter_in_some_dimension() -> None:
    """A neighbour in both dimensions is passed over, one far off in one of them is not."""
    points: list[Point] = [(-2.5, -1.0), (-2.4, -1.1), (-2.5, -1.8), (-3.6, -1.0)]
    assert finalists(stage(points), keep=4, examples=100, space=PLANE) == [
        (-2.5, -1.0), (-2.5, -1.8), (-3.6, -1.0),
    ]  # fmt: skip


def test_fine_goes_on_in_the_dimension_in_which_its_best_is_the_outermost() -> None:
    """The other dimension keeps its interval, and the draws are as dense as before."""
    inside: list[Point] = [(-3.0, -2.5), (-2.5, -2.0), (-2.0, -2.4)]
    record = stage(inside, name="fine")
    first = ((-3.5, -1.5), (-3.0, -2.0))
    fine = Fine(trials=3, keep=2, extend=True)
    found = further(record, fine, first, within=BOUNDS, examples=100, space=PLANE)
    assert found == Batch(bounds=((-3.5, -1.5), (-2.0, -1.5)), count=2, round=1, extension=1)


def test_further_finalists_lie_outside_the_best_in_one_dimension() -> None:
    """Of finalists whose best is the outermost rate, two more are tried beyond it at its λ."""
    points: list[Point] = [(-3.0, -2.0), (-2.5, -1.5), (-2.0, -1.9)]
    found = extension(
        stage(points, 2, "finalists"), step=(0.5, 0.4), within=BOUNDS, examples=100, space=PLANE
    )
    assert [point[0] for point in found] == [-2.5, -2.5]
    assert [point[1] for point in found] == pytest.approx([-1.1, -0.7])


def test_a_model_of_two_dimensions_finds_the_top() -> None:
    """The Gaussian process through 25 candidates has its best near the made-up top."""
    xs, ys = np.linspace(-4.5, -1.5, 5), np.linspace(-2.5, -0.2, 5)
    points: list[Point] = [(float(x), float(y)) for x in xs for y in ys]
    record = stage(points, 2, "finalists")
    fitted = model.fit(model.scores(record, 1000), BOUNDS, PLANE)
    assert fitted.best[0] == pytest.approx((-2.5, -1.0), abs=0.3)
    chosen = winner(record, [], examples=1000, rule="model", space=PLANE)
    assert chosen.point == pytest.approx((-2.5, -1.0), abs=0.4)
    assert chosen.warnings == ()


def test_an_edge_is_said_of_its_dimension() -> None:
    """A choice at the edge of one dimension is a warning that names it, and no other."""
    points: list[Point] = [(-4.0, -2.0), (-2.5, -1.5), (-1.5, -1.9)]
    chosen = winner(stage(points, name="fine"), [], examples=100, space=PLANE)
    assert chosen.point == (-2.5, -1.5)
    (warning,) = chosen.warnings
    assert warning.startswith("the chosen log10 η -1.5 lies at the edge of fine")


ends = st.floats(1e-12, 1e12)


@settings(deadline=None, max_examples=200, derandomize=True)
@given(ends, ends, st.lists(st.floats(0, 1, exclude_max=True), min_size=2, max_size=8))
def test_values_on_a_logarithmic_scale_keep_order_and_bounds(
    one: float, other: float, shares: list[float]
) -> None:
    """Whatever share of the bounds is drawn, its value lies within the file's own numbers, and a
    larger share never has a smaller value."""
    low, high = sorted((one, other))
    if high / low < 1.001:
        return
    rate, interval = axis_of("eta_max", {"log": [low, high]})
    values = [rate.value(rate.at_share(interval, share)) for share in sorted(shares)]
    assert values == sorted(values)
    least, most = rate.value(interval[0]), rate.value(interval[1])
    assert (least, most) == pytest.approx((low, high), rel=1e-13)
    assert all(least <= value <= most for value in values)


@pytest.mark.parametrize("numbers", [(0.02, 0.3), (1e-5, 0.1), (0.001, 3.0), (5e-4, 0.7)])
def test_bounds_are_the_file_s_own_numbers(numbers: tuple[float, float]) -> None:
    """What a person writes in a file is, to the bit, what a trainer gets at the ends."""
    rate, interval = axis_of("eta_max", {"log": list(numbers)})
    assert tuple(map(rate.value, interval)) == numbers
    assert rate.span_words(interval) == f"{numbers[0]:g} to {numbers[1]:g}"


def test_the_space_of_a_document_is_lambda_and_what_it_names() -> None:
    """Further dimensions come in the order of their names; a study of λ alone has the space that
    every study had; a study without coarse has them in fine."""
    axes = {"b": {"integer": [1, 5]}, "a": {"choice": [[1], "x", True]}}
    found = space_of({"coarse": {"space": axes}})
    assert [one.name for one in found.dimensions] == ["log10_lambda", "a", "b"]
    assert space_of({"fine": {"space": axes}}) == found
    assert space_of({}) is space_of({"coarse": {"trials": 3}}) is SPACE
    assert found.named((-3.0, 0.0, 4.0)) == {"log10_lambda": -3.0, "a": [1], "b": 4}
    assert found.plain_words((-3.0, 2.0, 4.0)) == "log10 λ -3, a true, b 4"
    for point in [(-3.0, 3.0, 1.0), (-3.0, -1.0, 1.0), (-3.0, 0.0, 1.5), (-3.0, 0.0), (400.0,) * 3]:
        with pytest.raises((ValueError, ArithmeticError)):
            found.check(point)


def test_choices_that_optuna_would_hold_alike_are_refused() -> None:
    """An array and its own text are one value in Optuna's tables."""
    with pytest.raises(ValueError, match="must have each choice once"):
        space_of({"coarse": {"space": {"hidden": {"choice": [[1], "[1]"]}}}})


def test_large_whole_numbers_are_shown_whole() -> None:
    """Bounds of an integer are the file's own."""
    units = Dimension(name="units", symbol="units", about="units", scale=Scale.INTEGER)
    assert units.span_words((1.0, 1234567.0)) == "1 to 1234567"
