"""What was found in somebody's data that a study file of theirs depends on.

Enters: targets as they stand in a file. Leaves: whether they are classes or a quantity, and why;
the record of what was found. Refuses to know files and formats.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from lamsearch.data import Contents
from lamsearch.data.labels import MOST_CLASSES
from lamsearch.metrics import Task
from lamsearch.study import ImageShape

_MOST_NUMBERED = 20  # different whole numbers that are taken for classes


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """The task, and the reason as a comment has it."""

    task: Task
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A line of [data]: a key, its value, and what a reader is told of it."""

    key: str
    value: Any
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What data are: the entries of [data] that name them, their task, their sizes.

    ``examples`` are those outside the source's own test set, if ``own_test`` says that it has one;
    ``counts`` how many of them each class has, none where a quantity is predicted.
    """

    entries: tuple[Entry, ...]
    decided: Decided
    examples: int
    features: int
    own_test: bool
    counts: tuple[int, ...] = field(repr=False)
    image: ImageShape | None = None

    @classmethod
    def of(cls, entries: tuple[Entry, ...], decided: Decided, contents: Contents) -> Examined:
        """Return what was found in the contents of a source."""
        pool, classes = contents.pool, len(contents.classes)
        counts = np.bincount(pool.y, minlength=classes).tolist() if classes else []
        return cls(
            entries=entries,
            decided=decided,
            examples=len(pool),
            features=int(pool.x.shape[1]),
            own_test=contents.test is not None,
            counts=tuple(counts),
            image=contents.image,
        )

    @property
    def task(self) -> Task:
        """Whether classes are to be told apart or a quantity predicted."""
        return self.decided.task


def decided(values: npt.NDArray[Any], asked: Task | None, name: str) -> Decided:
    """Return whether targets are classes or a quantity; ``asked`` decides where it is given.

    Texts and truth values are classes; of numbers only a few different whole ones that recur.
    """
    if asked is not None:
        return Decided(task=asked, reason="as --task says")
    if values.dtype.kind not in "iuf":
        return Decided(task="classification", reason=f"classes: {name} holds texts")
    known = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    if not (known == np.floor(known)).all():
        return Decided(task="regression", reason=f"a quantity: {name} holds fractions")
    different = len(np.unique(known))
    if known.size and not (known.min() >= 0 and known.max() < MOST_CLASSES):
        reason = f"a quantity: {name} holds whole numbers that are no names of classes"
        return Decided(task="regression", reason=reason)
    if different <= _MOST_NUMBERED and different**2 <= max(4, known.size):
        reason = f"classes: {name} holds {different} different whole numbers, again and again"
        return Decided(task="classification", reason=f"{reason}; else --task regression")
    reason = f"a quantity: {name} holds {different} different numbers; else --task classification"
    return Decided(task="regression", reason=reason)
