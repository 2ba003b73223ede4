"""The [augment] table: how training images are varied, and for which images that can be.

Enters: the table's keys, the shape of the images, which sections train on principal components.
Leaves: a frozen `Augment`, or issues. Refuses to know pixels and random numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from lamsearch.errors import Issue
from lamsearch.study.data import ImageShape
from lamsearch.study.sections import MOST, Section

SHAPES = "(n, height, width), or (n, height, width, channels) with 1 to 4 channels, last or first"


class Augment(Section):
    """How each training image of a mini-batch is varied; what is evaluated never is."""

    flip: bool = Field(False, description="mirror each left to right with probability 1/2")
    shift: Annotated[int, Field(ge=0, le=MOST)] = Field(
        0, description="move each by up to so many pixels, across and down, drawn anew"
    )

    @property
    def varies(self) -> bool:
        """Whether any image is varied."""
        return self.flip or self.shift > 0

    @property
    def _first(self) -> tuple[str, bool | int]:
        """The first key that asks for something, with its value."""
        return ("flip", True) if self.flip else ("shift", self.shift)

    def image_issues(self, image: ImageShape | None, source: str) -> Iterator[Issue]:
        """Yield what these images cannot do; ``image`` is None where the data are no images."""
        if not self.varies:
            return
        if image is None:
            key, value = self._first
            rule = f"needs images, but those of {source} are rows of features without a shape; "
            rule += f"an .npz file's X has one as {SHAPES}"
            yield Issue(where=f"augment.{key}", rule=rule, value=value)
        elif self.shift >= (side := min(image.height, image.width)):
            rule = f"must be less than the {side} pixels of the images' shorter side"
            yield Issue(where="augment.shift", rule=rule, value=self.shift)

    def trainer_issues(self, trainer: str, *, augments: bool) -> Iterator[Issue]:
        """Yield that a trainer varies no images, where that is so."""
        if self.varies and not augments:
            key, value = self._first
            rule = f"needs a trainer that varies its training images, which {trainer!r} does not"
            yield Issue(where=f"augment.{key}", rule=rule, value=value)
