"""Points of a space in words and in numbers: what people call them, where they lie, how far apart.

Enters: a space and its points. Leaves: text, distances. In a space of one dimension a point is
called by its parameter. Refuses to know scores.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lamsearch.space import Bounds, Dimension, Point, Scale, Space


def noun(space: Space) -> str:
    """Return what a candidate's point is called: ``λ``, ``point`` where dimensions are several."""
    return "point" if space.several else space.symbol


def nouns(space: Space) -> str:
    """Return what several are called: ``λs``, ``points``."""
    return f"{noun(space)}s"


def listed(names: Sequence[str], last: str = "and") -> str:
    """Return names as people list them: ``a, b and c``."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {last} {names[-1]}"


def in_words(space: Space, point: Point, form: str = ".4f") -> str:
    """Return a point by its coordinate in one dimension, by its parameters' values in several."""
    if not space.several:
        return space.words(point, form)
    return space.named_values(point, ".4g")


def distance(space: Space, one: Point, other: Point) -> float:
    """Return the largest difference in any dimension, in that dimension's unit.

    A decade, where the scale is logarithmic. Two choices differ by 1, whichever they are.
    """
    return max(
        float(x != y) if not dimension.ordered else abs(x - y) / dimension.unit
        for dimension, x, y in zip(space.dimensions, one, other, strict=True)
    )


def heads(space: Space) -> tuple[str, ...]:
    """Return the heads of the columns that a point has in a table."""
    if not space.several:
        return (space.label,)
    return tuple(one.symbol for one in space.dimensions)


def cells(space: Space, point: Point | None) -> tuple[str, ...]:
    """Return a point's cells: its coordinate in one dimension, its values in several."""
    if point is None:
        return ("–",) * len(space.dimensions)
    if not space.several:
        return (space.numbers(point),)
    pairs = zip(space.dimensions, point, strict=True)
    return tuple(one.shown_value(x) for one, x in pairs)


def title(space: Space, name: str) -> str:
    """Return the heading of a study's report: ``λ for NAME, with η_max and hidden``."""
    first, *others = (one.symbol for one in space.dimensions)
    return f"{first} for {name}{', with ' if others else ''}{listed(others)}"


def range_words(space: Space, points: Sequence[Point], form: str = ".3f") -> str:
    """Return where points lie: in one dimension from end to end, in several in each of them."""
    if not space.several:
        low, high = (space.numbers(end(points), form) for end in (min, max))
        return f"{space.label} = {low if len(points) == 1 else f'{low} to {high}'}"
    if len(points) == 1:
        return in_words(space, points[0])
    columns = zip(space.dimensions, zip(*points, strict=True), strict=True)
    return "; ".join(f"{one.symbol} {_span(one, xs)}" for one, xs in columns)


def interval_words(dimension: Dimension, low: float, high: float) -> str:
    """Return the values of an interval of coordinates; of choices all that lie in it."""
    if dimension.scale is Scale.CHOICE:
        return choices_words(dimension, range(round(low), round(high) + 1))
    if low == high:
        return dimension.shown_value(low, ".3g")
    return f"{dimension.shown_value(low, '.3g')} … {dimension.shown_value(high, '.3g')}"


def bounds_words(bounds: Bounds) -> str:
    """Return bounds as coordinates: ``-3.412 … -1.921``."""
    return ", ".join(f"{low:.3f} … {high:.3f}" for low, high in bounds)


def choices_words(dimension: Dimension, coordinates: Iterable[float]) -> str:
    """Return the values of some choices: ``[50] or [100]``."""
    return listed([dimension.shown_value(x) for x in sorted(set(coordinates))], "or")


def _span(dimension: Dimension, coordinates: Sequence[float]) -> str:
    if not dimension.ordered:
        return choices_words(dimension, coordinates)
    low, high = (dimension.shown_value(end(coordinates), ".3g") for end in (min, max))
    return low if low == high else f"{low} to {high}"
