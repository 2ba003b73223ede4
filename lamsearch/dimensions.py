"""One parameter that is searched: its scale, from coordinates to values, and back.

Enters: coordinates. Leaves: values, words. A coordinate is what is drawn, modelled and compared: on
a logarithmic scale log10 of the value, of a choice its index. Refuses to know what a parameter
does, and the others.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Interval = tuple[float, float]


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

    @property
    def whole(self) -> bool:
        """Whether its coordinates are whole numbers."""
        return self.scale in (Scale.INTEGER, Scale.CHOICE)

    def value(self, coordinate: float) -> Any:
        """Return the parameter's value at a coordinate, as a trainer gets it.

        On a LOG scale to 15 significant digits, so that bounds are the file's own numbers: 0.02 at
        log10 of 0.02, and no value between coordinates lies outside those at them.
        """
        if self.scale is Scale.LOG:
            return float(f"{10.0**coordinate:.15g}")
        if self.scale is Scale.LOG10:
            return float(10.0**coordinate)
        if self.scale is Scale.CHOICE:
            return self.choices[self._index(coordinate)]
        return round(coordinate) if self.scale is Scale.INTEGER else float(coordinate)

    def shown(self, coordinate: float, form: str = ".4f") -> str:
        """Return a coordinate as text; a choice and a whole number by their value."""
        if self.whole:
            return _text(self.value(coordinate))
        return format(coordinate, form)

    def shown_value(self, coordinate: float, form: str = ".4g") -> str:
        """Return the value at a coordinate as text."""
        value = self.value(coordinate)
        return format(value, form) if isinstance(value, float) else _text(value)

    def span_words(self, interval: Interval) -> str:
        """Return what stands under ``name`` from one end to the other: ``-5 to -1``."""
        low, high = interval
        if not self.ordered:
            return " | ".join(map(_text, self.choices[round(low) : round(high) + 1]))
        if self.whole:
            return f"{self.shown(low)} to {self.shown(high)}"
        return f"{self.named(low):g} to {self.named(high):g}"

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
        if self.whole:
            return float(min(high, low + math.floor((high - low + 1) * share)))
        return low + (high - low) * share

    def check(self, coordinate: float) -> None:
        """Look whether a coordinate is of this dimension.

        Raises:
            ValueError: It is not.
            ArithmeticError: The value there is beyond all numbers.
        """
        self.value(coordinate)
        if self.whole and coordinate != round(coordinate):
            raise ValueError(f"{self.name}: the coordinate must be whole, got {coordinate!r}")

    def _index(self, coordinate: float) -> int:
        if not 0 <= (index := round(coordinate)) < len(self.choices):
            raise ValueError(f"{self.name}: there is no choice {index}")
        return index


def _text(value: Any) -> str:
    """A value as a study file has it, a text without its quotes: ``false``, ``[512, 256]``."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def weight_decay(lam: float) -> float:
    """Return λ as optimisers of other libraries have it: the factor of W in the gradient, 2λ."""
    return 2.0 * lam


LAMBDA = Dimension(
    name="log10_lambda",
    symbol="λ",
    about="L2 penalty per squared weight, no unit",
    scale=Scale.LOG10,
)
