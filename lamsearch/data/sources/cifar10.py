"""CIFAR-10 (Krizhevsky 2009), in either published layout.

Enters: a directory. Leaves: 50 000 training and 10 000 test images, whose files
`lamsearch.data.cifar10_files` reads; whether they are the published ones. Refuses to change any.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from lamsearch.data import cifar10_files as published
from lamsearch.data.download import Archive, fetch_cifar10
from lamsearch.data.images import Contents, LabelledImages
from lamsearch.data.source import Progress, Source, SourceInfo
from lamsearch.errors import InputError, Issue
from lamsearch.study import Assigned, Data, Sizes

# Of the training and test examples in any order: with their labels, and without.
_DIGESTS = {
    ("pool", True): "55a61f79a40ece2ceda9fb5f9f7078f6ea2fc4952489cef56682bcf92cfcc260",
    ("pool", False): "c4f3d45acfc15350af7065445e9de41001417180428b1d37e2fa37e634414112",
    ("test", True): "325704b01eb92e1e2a6215ae6a916bb7db7de054af0c496be1c7be2e0fcfbf5f",
    ("test", False): "2b47ae852d2a691a0f721e2b78f55dfba705c73504ae93a00eda74c8e562b1a8",
}
_IMAGES = published.IMAGES * len(published.BATCHES)
Batch = Annotated[int, Field(ge=1, le=len(published.BATCHES))]


class Cifar10Data(Data):
    """[data] of CIFAR-10: sizes that are drawn, or whole batches as they were published."""

    sizes: ClassVar[Sizes | None] = Sizes(
        examples=_IMAGES,
        features=published.FEATURES,
        classes=len(published.CLASSES),
        image=published.IMAGE,
    )
    has_test: ClassVar[bool] = True

    train_batches: tuple[Batch, ...] | None = Field(
        None, description="published batches to train on, 1 to 5, whole and in their order"
    )
    validation_batches: tuple[Batch, ...] | None = Field(
        None, description="published batches to select by, likewise"
    )

    @property
    def assigned(self) -> Assigned | None:
        """The split by whole batches, where they are named."""
        if self.train_batches is None:
            return None
        return Assigned(
            key="train_batches",
            train=_rows(self.train_batches),
            validation=_rows(self.validation_batches or ()),
            pool=_IMAGES,
        )

    def split_issues(self) -> Iterator[Issue]:
        """Check that either sizes are there or batches."""
        if (self.train_batches is None) != (self.validation_batches is None):
            rule = "train_batches and validation_batches must be given together"
            yield Issue(where="data", rule=rule)
        if self.train_batches is None:
            yield from super().split_issues()
        if self.train_batches is None or self.validation_batches is None:
            return
        both = self.train_batches + self.validation_batches
        if not self.train_batches or not self.validation_batches or len(set(both)) < len(both):
            rule = (
                "train_batches and validation_batches must be disjoint, without repeats, not empty"
            )
            yield Issue(where="data", rule=rule, value=list(both))
        for key in ("train", "validation"):
            if getattr(self, key) is not None:
                rule = "must not stand beside train_batches"
                yield Issue(where=f"data.{key}", rule=rule, value=getattr(self, key))


class Cifar10(Source):
    """CIFAR-10 in a directory, or from its published address."""

    name = "cifar10"
    description = "60 000 colour images of 32 x 32 pixels in 10 classes (Krizhevsky 2009)"
    table = Cifar10Data

    def files(self, data: Data, directory: Path, origin: Path | None) -> list[Path]:
        """Return the batches and the names of the classes."""
        return published.files(directory)

    def read(self, data: Data, directory: Path, origin: Path | None) -> Contents:
        """Read and check all batches."""
        return published.read(directory)

    def listed(self, directory: Path) -> list[SourceInfo]:
        """Return one line: where it lies, if it is here."""
        layout = published.located(directory)
        where = None if layout is None else layout.directory
        return [self.info(present=layout is not None, where=where)]

    def fetch(self, directory: Path, *, progress: Progress | None, url: str | None) -> Path:
        """Download the published archive, check it and extract it."""
        return fetch_cifar10(directory, Archive(url=url) if url else Archive(), progress)

    def compared(self, directory: Path, contents: Contents) -> tuple[bool | None, list[str]]:
        """Compare checksums of files with the published ones, and all values."""
        layout = published.located(directory)
        if layout is None or contents.test is None:  # read() has found it a moment ago
            raise InputError(f"{directory}: cifar10 was removed while it was read")
        lines = [f"{'binary' if layout.binary else 'Python'} layout in {layout.directory}"]
        others = published.unpublished(layout)
        if layout.binary:
            lines.append("no checksums were published for the files of the binary layout")
        elif others:
            lines.append(f"the checksums are not the published ones: {', '.join(others)}")
        else:
            lines.append("the checksums are the published ones")
        lines += _equal_batches(contents)
        same, said = _values(contents, contents.test)
        last = f"the values {'are' if same else 'are not'} the published ones"
        if same and others and not layout.binary:
            last += ": the files differ in their order or in who wrote them"
        return same, [*lines, *said, last]


def _rows(numbers: tuple[int, ...]) -> tuple[range, ...]:
    """The rows of whole batches, counted from 1."""
    size = published.IMAGES
    return tuple(range((number - 1) * size, number * size) for number in numbers)


def _values(contents: Contents, test: LabelledImages) -> tuple[bool, list[str]]:
    """Whether all values are the published ones, and lines that say how far."""
    same, lines = contents.classes == published.CLASSES, []
    if not same:
        lines.append(f"the classes are not named as published: {', '.join(contents.classes)}")
    for which, part in (("pool", contents.pool), ("test", test)):
        equal, line = _compared(which, part)
        same &= equal
        lines.append(line)
    return same, lines


def _compared(which: str, part: LabelledImages) -> tuple[bool, str]:
    """Whether examples are the published ones in any order, and a line that says how far."""
    what = f"{len(part)} {'training' if which == 'pool' else 'test'} examples"
    if _digest(part, labels=True) == _DIGESTS[which, True]:
        return True, f"the {what} are the published ones"
    if _digest(part, labels=False) == _DIGESTS[which, False]:
        return False, f"the {what} are the published images, but not with their labels"
    return False, f"the {what} are not the published ones"


def _digest(part: LabelledImages, *, labels: bool) -> str:
    """SHA-256 over the sorted SHA-256s of the examples: that of a set, whatever its order."""
    rows = (
        hashlib.sha256((bytes([label]) if labels else b"") + row.tobytes()).digest()
        for label, row in zip(part.y.tolist(), part.x, strict=True)
    )
    return hashlib.sha256(b"".join(sorted(rows))).hexdigest()


def _equal_batches(contents: Contents) -> Iterator[str]:
    """Batches with the same images: a file copied over another."""
    seen: dict[bytes, str] = {}
    parts = np.split(contents.pool.x, len(published.BATCHES))
    parts += [] if contents.test is None else [contents.test.x]
    for name, x in zip((*published.BATCHES, published.TEST), parts, strict=True):
        digest = hashlib.sha256(np.ascontiguousarray(x).data).digest()
        if digest in seen:
            yield f"{name} holds the same images as {seen[digest]}"
        seen.setdefault(digest, name)


SOURCE = Cifar10()
