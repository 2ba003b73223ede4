"""What is searched: named, scaled dimensions, and points of the space that they span.

Enters: coordinates. Leaves: parameters by name, values, words. A coordinate is what is drawn,
modelled and compared: on a logarithmic scale log10 of the value. Refuses to know what a parameter
does, and who samples it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Point = tuple[float, ...]  # coordinates, in the order of the space's dimensions
Interval = tuple[float, float]
Bounds = tuple[Interval, ...]  # an interval of coordinates for each dimension


class Scale(StrEnum):
    """How a parameter's values lie along its dimension."""

    LINEAR = "linear"
    LOG10 = "log10"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """One parameter that is searched.

    ``name`` is that of its coordinate in study files, documents and Optuna's tables; ``symbol``
    names its value in text, ``about`` says what it is. ``unit`` is a change of the coordinate that
    is worth calling one (a decade, where the scale is logarithmic): how near two points may lie,
    and how fast a score may change between them, are parts of it.
    """

    name: str
    symbol: str
    about: str
    scale: Scale = Scale.LINEAR
    unit: float = 1.0

    @property
    def parameter(self) -> str:
        """The parameter's own name, as part of a file's: ``lambda``."""
        return self.name.removeprefix(f"{self.scale.value}_")

    @property
    def label(self) -> str:
        """The coordinate's name in text: ``log₁₀ λ``."""
        return f"log₁₀ {self.symbol}" if self.scale is Scale.LOG10 else self.symbol

    @property
    def plain_label(self) -> str:
        """The label without subscripts, for terminals and axes of letters: ``log10 λ``."""
        return self.label.replace("₁₀", "10")

    def value(self, coordinate: float) -> float:
        """Return the parameter's value at a coordinate."""
        return float(10.0**coordinate) if self.scale is Scale.LOG10 else float(coordinate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """The dimensions that a study searches, in a fixed order."""

    dimensions: tuple[Dimension, ...]

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

    def values(self, point: Point) -> tuple[float, ...]:
        """Return the parameters' values at a point."""
        return tuple(one.value(x) for one, x in zip(self.dimensions, point, strict=True))

    def parameters(self, point: Point) -> dict[str, float]:
        """Return the parameters' values at a point by their own names: ``{"lambda": 0.001}``."""
        names = [one.parameter for one in self.dimensions]
        return dict(zip(names, self.values(point), strict=True))

    def numbers(self, point: Point, form: str = ".4f") -> str:
        """Return a point's coordinates as text: ``-2.6024``."""
        return ", ".join(format(x, form) for x in point)

    def words(self, point: Point, form: str = ".4f") -> str:
        """Return a point as text: ``log₁₀ λ = -2.6024``."""
        pairs = zip(self.dimensions, point, strict=True)
        return ", ".join(f"{one.label} = {x:{form}}" for one, x in pairs)

    def value_words(self, point: Point, form: str = ".4g") -> str:
        """Return the values at a point as text: ``0.002498``; with names where they are several."""
        values = self.values(point)
        return format(values[0], form) if len(values) == 1 else self.named_values(point, form)

    def named_values(self, point: Point, form: str = ".4g") -> str:
        """Return the values at a point with their names: ``λ = 0.002498``."""
        pairs = zip(self.dimensions, self.values(point), strict=True)
        return ", ".join(f"{one.symbol} = {x:{form}}" for one, x in pairs)


def span(points: Sequence[Point]) -> Bounds:
    """Return the least and the greatest coordinate of points in each dimension."""
    return tuple((min(xs), max(xs)) for xs in zip(*points, strict=True))


def are_apart(one: Point, other: Point, steps: Sequence[float]) -> bool:
    """Whether two points differ in some dimension by at least its step."""
    return any(abs(x - y) >= step for x, y, step in zip(one, other, steps, strict=True))


LAMBDA = Dimension(
    name="log10_lambda",
    symbol="λ",
    about="L2 penalty per squared weight, no unit",
    scale=Scale.LOG10,
)
SPACE = Space(dimensions=(LAMBDA,))


def space_of(_document: Mapping[str, Any]) -> Space:
    """Return the space of a study by its canonical form; every study searches λ alone, so far."""
    return SPACE
