"""What is searched: named, scaled dimensions, and points of the space that they span.

Enters: coordinates. Leaves: parameters by name, values, words. A coordinate is what is drawn,
modelled and compared: on a logarithmic scale log10 of the value, of a choice its index. Refuses to
know what a parameter does, and who samples it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Point = tuple[float, ...]  # coordinates, in the order of the space's dimensions
Interval = tuple[float, float]
Bounds = tuple[Interval, ...]  # an interval of coordinates for each dimension


class Scale(StrEnum):
    """How a parameter's values lie along its dimension.

    Both logarithmic scales have log10 of the value as coordinate. Under a name such as
    ``log10_lambda`` (LOG10) stands the coordinate, under one such as ``eta_max`` (LOG) the value.
    """

    LINEAR = "linear"
    LOG10 = "log10"
    LOG = "log"
    INTEGER = "integer"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """One parameter that is searched.

    ``name`` is that of what stands for it in study files, documents and Optuna's tables; ``symbol``
    names its value in text, ``about`` says what it is. ``unit`` is a change of the coordinate that
    is worth calling one (a decade, where the scale is logarithmic): how near two points may lie,
    and how fast a score may change between them, are parts of it. ``choices`` are the values of a
    choice, plain JSON values; their coordinates are 0, 1, ….
    """

    name: str
    symbol: str
    about: str
    scale: Scale = Scale.LINEAR
    unit: float = 1.0
    choices: tuple[Any, ...] = ()

    @property
    def parameter(self) -> str:
        """The parameter's own name, as part of a file's: ``lambda``."""
        return self.name.removeprefix("log10_") if self.scale is Scale.LOG10 else self.name

    @property
    def logarithmic(self) -> bool:
        """Whether the coordinate is log10 of the value."""
        return self.scale in (Scale.LOG10, Scale.LOG)

    @property
    def ordered(self) -> bool:
        """Whether there is an order, and a distance, between values."""
        return self.scale is not Scale.CHOICE

    @property
    def label(self) -> str:
        """The coordinate's name in text: ``log₁₀ λ``."""
        return f"log₁₀ {self.symbol}" if self.logarithmic else self.symbol

    @property
    def plain_label(self) -> str:
        """The label without subscripts, for terminals and axes of letters: ``log10 λ``."""
        return self.label.replace("₁₀", "10")

    def value(self, coordinate: float) -> Any:
        """Return the parameter's value at a coordinate, as a trainer gets it."""
        if self.logarithmic:
            return float(10.0**coordinate)
        if self.scale is Scale.CHOICE:
            return self.choices[round(coordinate)]
        return round(coordinate) if self.scale is Scale.INTEGER else float(coordinate)

    def shown(self, coordinate: float, form: str = ".4f") -> str:
        """Return a coordinate as text; a choice and a whole number by their value."""
        if self.scale in (Scale.INTEGER, Scale.CHOICE):
            return str(self.value(coordinate))
        return format(coordinate, form)

    def shown_value(self, coordinate: float, form: str = ".4g") -> str:
        """Return the value at a coordinate as text."""
        value = self.value(coordinate)
        return format(value, form) if isinstance(value, float) else str(value)

    def named(self, coordinate: float) -> Any:
        """Return what stands under ``name``: the value, or the coordinate of a ``log10_…``."""
        return float(coordinate) if self.scale is Scale.LOG10 else self.value(coordinate)

    def coordinate(self, named: Any) -> float:
        """Return the coordinate of what stands under ``name``; near to it on a log scale.

        Raises:
            ValueError: It is none of the choices.
        """
        if self.scale is Scale.CHOICE:
            return float(self.choices.index(named))
        return math.log10(named) if self.scale is Scale.LOG else float(named)

    def at_share(self, interval: Interval, share: float) -> float:
        """Return the coordinate at a share, in [0, 1), of an interval of coordinates.

        Whole numbers and choices, both ends included, have equal parts of it.
        """
        low, high = interval
        if self.scale in (Scale.INTEGER, Scale.CHOICE):
            return float(min(high, low + math.floor((high - low + 1) * share)))
        return low + (high - low) * share


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

    def named(self, point: Point) -> dict[str, Any]:
        """Return what stands under each name at a point: ``{"log10_lambda": -2.6}``."""
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

    def value_words(self, point: Point, form: str = ".4g") -> str:
        """Return the values at a point as text: ``0.002498``; with names where they are several."""
        if len(point) > 1:
            return self.named_values(point, form)
        return self.dimensions[0].shown_value(point[0], form)

    def named_values(self, point: Point, form: str = ".4g") -> str:
        """Return the values at a point with their names: ``λ = 0.002498``."""
        pairs = zip(self.dimensions, point, strict=True)
        return ", ".join(f"{one.symbol} = {one.shown_value(x, form)}" for one, x in pairs)


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
