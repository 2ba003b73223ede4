"""The [data] table: what all sources share, and what a source's own table says of itself.

Enters: a table's keys. Leaves: a frozen `Data`, or issues. Refuses to know any source: a source's
own table is a subclass that its module registers, with the keys that it alone understands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from lamsearch.errors import Issue
from lamsearch.study.sections import Positive, Section
from lamsearch.study.shares import Size, whole

_MOST_CHANNELS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageShape:
    """How the features of an example make an image.

    They stand row by row, channel by channel within a pixel; with ``planar``, a whole image for
    each channel.
    """

    height: int
    width: int
    channels: int = 1
    planar: bool = False

    @classmethod
    def of(cls, shape: Sequence[int]) -> ImageShape | None:
        """Return what an array of examples of this shape holds; None where it is no images.

        The axis of the channels is the last one, or the first where only that is short enough.
        """
        if len(shape) == 2:
            return cls(height=shape[0], width=shape[1])
        if len(shape) == 3 and shape[2] <= _MOST_CHANNELS:
            return cls(height=shape[0], width=shape[1], channels=shape[2])
        if len(shape) == 3 and shape[0] <= _MOST_CHANNELS:
            return cls(height=shape[1], width=shape[2], channels=shape[0], planar=True)
        return None

    @property
    def axes(self) -> tuple[int, int, int, int]:
        """The shape (planes, height, width, values of a pixel in a plane) of an example."""
        outer, inner = (self.channels, 1) if self.planar else (1, self.channels)
        return outer, self.height, self.width, inner


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What is known of a source before it is read; ``examples`` are those outside its test set.

    ``image`` is None where the examples are no images, or that is known only once they are read.
    """

    examples: int
    features: int
    classes: int
    image: ImageShape | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """A split that the table itself makes, the same in all stages, as rows of the pool.

    ``key`` is the table's key that does; ``pool`` is how many examples the pool then has.
    """

    key: str
    train: tuple[range, ...]
    validation: tuple[range, ...]
    pool: int

    @property
    def train_size(self) -> int:
        """How many examples are trained on."""
        return sum(map(len, self.train))

    @property
    def validation_size(self) -> int:
        """How many examples are validated on."""
        return sum(map(len, self.validation))


class Data(Section):
    """Where the examples come from and how the training pool is split.

    ``test`` is how many examples are set aside as the test set where the source has none of its
    own (digits, people's arrays without ``X_test``); unless given, all that no split needs. Sizes
    are whole numbers, or shares of all examples outside the source's own test set.
    """

    written = frozenset({"stratified"})
    sizes: ClassVar[Sizes | None] = None
    has_test: ClassVar[bool] = False  # a test set of its own, known before anything is read
    has_columns: ClassVar[bool] = False  # by name, of which one can be ``groups``

    source: Annotated[str, Field(description="a registered source, or the path of an .npz file")]
    train: Size | None = Field(None, description="examples to train on, or their share")
    validation: Size | None = Field(None, description="examples to select by, or their share")
    test: Size | None = Field(
        None, description="examples set aside where the source has none, or their share"
    )
    stratified: bool = Field(False, description="keep the classes' shares in every split")
    groups: str | None = Field(
        None, min_length=1, max_length=100,
        description="the column, or array, of groups of examples that stay on one side of a split",
    )  # fmt: skip
    components: Positive | None = Field(None, description="principal components to train on")
    whiten: bool = Field(False, description="divide each component by its standard deviation")
    resplit: bool = Field(
        False, description="draw the split of each replicate of finalists and final anew"
    )
    folds: Annotated[int, Field(ge=2, le=100)] | None = Field(
        None, description="each replicate of finalists and final validates with one of so many"
    )

    weight: Literal["balanced"] | None = Field(
        None, description="'balanced' weights training examples so that classes count alike"
    )

    @property
    def file(self) -> str | None:
        """The path of a file that the table names; a worker opens it only where that was given."""
        path = getattr(self, "path", None)
        return path if isinstance(path, str) else None

    @property
    def assigned(self) -> Assigned | None:
        """The split that the table itself makes; None where the sizes say how many are drawn."""
        return None

    @property
    def least_test(self) -> int:
        """How many examples at least are set aside to test with."""
        return self.test if isinstance(self.test, int) else 0 if self.has_test else 1

    def issues(self) -> Iterator[Issue]:
        """Check that there is one complete way of splitting, and that it fits the source."""
        if self.has_test and self.test is not None:
            rule = f"must not be given: {self.source} has a test set of its own"
            yield Issue(where="data.test", rule=rule, value=self.test)
        yield from self.split_issues()
        yield from self._group_issues()
        if self.sizes is not None:
            yield from self._size_issues(self.sizes.examples)
        elif (shares := whole(self)) > 1:
            rule = "train, validation and test must be at most 1 in all, as shares"
            yield Issue(where="data", rule=rule, value=float(shares))

    def split_issues(self) -> Iterator[Issue]:
        """Check that the split's sizes are there; folds make their own."""
        missing = [key for key in ("train", "validation") if getattr(self, key) is None]
        if self.folds is None:
            yield from (Issue(where=f"data.{key}", rule="is required") for key in missing)
            return
        if len(missing) == 1:
            (key,) = {"train", "validation"} - set(missing)
            rule = "must be left out beside data.folds, which make the splits"
            yield Issue(where=f"data.{key}", rule=rule, value=getattr(self, key))
        if isinstance(self.train, int) and isinstance(self.validation, int):
            yield from self._fold_issues(self.train, self.validation, self.folds)

    def _fold_issues(self, train: int, validation: int, folds: int) -> Iterator[Issue]:
        one = (train + validation) // folds
        if validation != one and self.groups is None:  # groups make it as near as they allow
            rule = f"must be left out beside data.folds, or be {one}: a fold of {folds} of so many"
            yield Issue(where="data.validation", rule=rule, value=validation)

    def _group_issues(self) -> Iterator[Issue]:
        if self.groups is None:
            return
        if not self.has_columns:
            rule = f"must not be given: {self.source} has no columns by name"
            yield Issue(where="data.groups", rule=rule, value=self.groups)
        if self.stratified:
            rule = "must not stand beside data.groups, which leave no class its share"
            yield Issue(where="data.stratified", rule=rule, value=True)
        if self.assigned is not None:
            rule = f"must not stand beside data.{self.assigned.key}, which leaves nothing to draw"
            yield Issue(where="data.groups", rule=rule, value=self.groups)

    def _size_issues(self, have: int) -> Iterator[Issue]:
        if not isinstance(self.train, int) or not isinstance(self.validation, int):
            return  # an issue of its own
        parts = [("train", self.train), ("validation", self.validation), ("test", self.least_test)]
        total = sum(size for _, size in parts)
        if total > have:
            names = " + ".join(name for name, size in parts if size)
            rule = f"{names} must be at most the {have} images of {self.source}"
            yield Issue(where="data", rule=rule, value=total)
