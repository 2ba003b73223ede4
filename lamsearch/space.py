"""What is searched: named, scaled dimensions, and points of the space that they span.

Enters: coordinates. Leaves: parameters by name, values, words. Refuses to know what a parameter
does, and who samples it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from lamsearch.axes import axis_of
from lamsearch.dimensions import LAMBDA, Dimension, Interval, Scale

__all__ = [
    "Bounds", "Dimension", "Interval", "LAMBDA", "Point", "SPACE", "Scale", "Space", "are_apart",
    "space_of", "span",
]  # fmt: skip

Point = tuple[float, ...]  # coordinates, in the order of the space's dimensions
Bounds = tuple[Interval, ...]  # an interval of coordinates for each dimension


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """The dimensions that a study searches, in a fixed order."""

    dimensions: tuple[Dimension, ...]

    @property
    def several(self) -> bool:
        """Whether there are further dimensions beside λ."""
        return len(self.dimensions) > 1

    def check(self, point: Point) -> None:
        """Look whether a point is of this space.

        Raises:
            ValueError: It is not.
            ArithmeticError: A value there is beyond all numbers.
        """
        for dimension, x in zip(self.dimensions, point, strict=True):
            dimension.check(x)

    @property
    def label(self) -> str:
        """The coordinates' names, as the head of a column."""
        return ", ".join(one.label for one in self.dimensions)

    @property
    def symbol(self) -> str:
        """What is searched, in one word: ``λ``."""
        return ", ".join(one.symbol for one in self.dimensions)

    def point(self, params: Mapping[str, float]) -> Point:
        """Return the point with these coordinates by name.

        Raises:
            KeyError: A dimension has none.
        """
        return tuple(params[one.name] for one in self.dimensions)

    def params(self, point: Point) -> dict[str, float]:
        """Return a point's coordinates by name."""
        return {one.name: x for one, x in zip(self.dimensions, point, strict=True)}

    def named(self, point: Point) -> dict[str, Any]:
        """Return what stands under each name at a point."""
        pairs = zip(self.dimensions, point, strict=True)
        return {dimension.name: dimension.named(x) for dimension, x in pairs}

    def values(self, point: Point) -> tuple[Any, ...]:
        """Return the parameters' values at a point."""
        return tuple(one.value(x) for one, x in zip(self.dimensions, point, strict=True))

    def parameters(self, point: Point) -> dict[str, Any]:
        """Return the parameters' values at a point by their own names: ``{"lambda": 0.001}``."""
        names = [one.parameter for one in self.dimensions]
        return dict(zip(names, self.values(point), strict=True))

    def numbers(self, point: Point, form: str = ".4f") -> str:
        """Return a point's coordinates as text: ``-2.6024``."""
        pairs = zip(self.dimensions, point, strict=True)
        return ", ".join(dimension.shown(x, form) for dimension, x in pairs)

    def words(self, point: Point, form: str = ".4f") -> str:
        """Return a point as text: ``log₁₀ λ = -2.6024``."""
        pairs = zip(self.dimensions, point, strict=True)
        return ", ".join(f"{one.label} = {one.shown(x, form)}" for one, x in pairs)

    def plain_words(self, point: Point, form: str = ".4g") -> str:
        """Return a point as text for any terminal: ``log10 λ -2.6``."""
        pairs = zip(self.dimensions, point, strict=True)
        return ", ".join(f"{one.plain_label} {one.shown(x, form)}" for one, x in pairs)

    def value_words(self, point: Point, form: str = ".4g") -> str:
        """Return the values at a point as text: ``0.002498``; with names where they are several."""
        if self.several:
            return self.named_values(point, form)
        return self.dimensions[0].shown_value(point[0], form)

    def named_values(self, point: Point, form: str = ".4g") -> str:
        """Return the values at a point with their names: ``λ = 0.002498``."""
        pairs = zip(self.dimensions, point, strict=True)
        return ", ".join(f"{one.symbol} = {one.shown_value(x, form)}" for one, x in pairs)


def span(points: Sequence[Point]) -> Bounds:
    """Return the least and the greatest coordinate of points in each dimension."""
    return tuple((min(xs), max(xs)) for xs in zip(*points, strict=True))


def enclosing(some: Bounds, others: Bounds) -> Bounds:
    """Return the least bounds that hold both."""
    return tuple((min(a, c), max(b, d)) for (a, b), (c, d) in zip(some, others, strict=True))


def are_apart(one: Point, other: Point, steps: Sequence[float]) -> bool:
    """Whether two points differ in some dimension by at least its step."""
    return any(abs(x - y) >= step for x, y, step in zip(one, other, steps, strict=True))


SPACE = Space(dimensions=(LAMBDA,))
MOST_FURTHER = 15  # dimensions beside λ


def space_of(document: Mapping[str, Any]) -> Space:
    """Return the space of a study by its canonical form: λ, then what [coarse.space] names.

    Those are in the order of their names, for a table of a study file has none. A study without
    [coarse] has its further parameters in [fine.space].

    Raises:
        ValueError: The document is none that lamsearch wrote.
    """
    search = document.get("coarse") or document.get("fine")
    table = search.get("space") if isinstance(search, Mapping) else None
    if not table:
        return SPACE
    if not isinstance(table, Mapping) or len(table) > MOST_FURTHER:
        raise ValueError(f"a space must be a table of at most {MOST_FURTHER} parameters")
    return _space(json.dumps(table))


@lru_cache(maxsize=64)  # it is asked for once a row of what is read
def _space(table: str) -> Space:
    further = (axis_of(name, entry)[0] for name, entry in sorted(json.loads(table).items()))
    return Space(dimensions=(*SPACE.dimensions, *further))
