"""Whether a source holds what its authors published, and what is strange about what it holds.

Enters: a source's name and a directory. Leaves: lines for a person, and whether the values are
the published ones. Refuses to change anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lamsearch.data import cifar10, digits
from lamsearch.data.facts import hashes
from lamsearch.data.images import Contents, LabelledImages
from lamsearch.data.sources import check_name, read
from lamsearch.errors import InputError
from lamsearch.study import Data

_CLASSES_SHOWN = 20
# Of CIFAR-10's training and test examples in any order: with their labels, and without.
_PUBLISHED = {
    ("pool", True): "55a61f79a40ece2ceda9fb5f9f7078f6ea2fc4952489cef56682bcf92cfcc260",
    ("pool", False): "c4f3d45acfc15350af7065445e9de41001417180428b1d37e2fa37e634414112",
    ("test", True): "325704b01eb92e1e2a6215ae6a916bb7db7de054af0c496be1c7be2e0fcfbf5f",
    ("test", False): "2b47ae852d2a691a0f721e2b78f55dfba705c73504ae93a00eda74c8e562b1a8",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """A source that was read whole.

    ``published`` says whether its values are the published ones, in whatever files and order;
    None where nothing was published to compare them with. ``lines`` tell a person.
    """

    name: str
    published: bool | None
    lines: tuple[str, ...]


def verify(name: str, directory: Path) -> Verification:
    """Read ``name`` (digits, cifar10 or an .npz file) whole and check all that can be checked.

    Raises:
        InputError: There is no such source.
        DataError: A file is missing or damaged; the sentence names it.
    """
    if not name.endswith(".npz"):
        check_name(name)
    contents = read(Data(source=name, train=1, validation=1), Path(directory), None)
    fingerprint, published = contents.fingerprint(), None
    lines = [_summary(name, contents), *contents.notes]
    if name == "cifar10":
        published, told = _cifar10(Path(directory), contents)
        lines += told
    elif name == "digits":
        published = fingerprint == digits.FINGERPRINT
        lines.append(f"the values {'are' if published else 'are not'} the published ones")
    if not published:
        lines += _counts(contents)
        lines += _repeats(contents)
    lines.append(f"fingerprint {fingerprint}")
    return Verification(name=name, published=published, lines=tuple(lines))


def _summary(name: str, contents: Contents) -> str:
    test = "no test set" if contents.test is None else f"{len(contents.test)} test examples"
    examples, features = contents.pool.x.shape
    classes = len(contents.classes)
    return (
        f"{name}: {examples} examples and {test}, {features} features, {classes} classes: "
        "the files are whole"
    )


def _cifar10(directory: Path, contents: Contents) -> tuple[bool, list[str]]:
    layout = cifar10.located(directory)
    if layout is None or contents.test is None:  # read() has found it a moment ago
        raise InputError(f"{directory}: cifar10 was removed while it was read")
    lines = [f"{'binary' if layout.binary else 'Python'} layout in {layout.directory}"]
    others = cifar10.unpublished(layout)
    if layout.binary:
        lines.append("no checksums were published for the files of the binary layout")
    elif others:
        lines.append(f"the checksums are not the published ones: {', '.join(others)}")
    else:
        lines.append("the checksums are the published ones")
    lines += _equal_batches(contents)
    published = contents.classes == cifar10.CLASSES
    if not published:
        lines.append(f"the classes are not named as published: {', '.join(contents.classes)}")
    for which, part in (("pool", contents.pool), ("test", contents.test)):
        same, line = _compared(which, part)
        published &= same
        lines.append(line)
    last = f"the values {'are' if published else 'are not'} the published ones"
    if published and others and not layout.binary:
        last += ": the files differ in their order or in who wrote them"
    return published, [*lines, last]


def _compared(which: str, part: LabelledImages) -> tuple[bool, str]:
    """Whether examples are the published ones in any order, and a line that says how far."""
    what = f"{len(part)} {'training' if which == 'pool' else 'test'} examples"
    if _digest(part, labels=True) == _PUBLISHED[which, True]:
        return True, f"the {what} are the published ones"
    if _digest(part, labels=False) == _PUBLISHED[which, False]:
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
    parts = np.split(contents.pool.x, len(cifar10.BATCHES))
    parts += [] if contents.test is None else [contents.test.x]
    for name, x in zip((*cifar10.BATCHES, cifar10.TEST), parts, strict=True):
        digest = hashlib.sha256(np.ascontiguousarray(x).data).digest()
        if digest in seen:
            yield f"{name} holds the same images as {seen[digest]}"
        seen.setdefault(digest, name)


def _counts(contents: Contents) -> Iterator[str]:
    """How many examples each class has; of very many classes, the fewest and the most."""
    for what, part in (("examples", contents.pool), ("test examples", contents.test)):
        if part is None:
            continue
        counts = np.bincount(part.y, minlength=len(contents.classes)).tolist()
        if len(counts) > _CLASSES_SHOWN:
            yield f"{what} by class: {min(counts)} to {max(counts)}"
        else:
            each = (f"{name}: {n}" for n, name in zip(counts, contents.classes, strict=True))
            yield f"{what} by class: {', '.join(each)}"


def _repeats(contents: Contents) -> Iterator[str]:
    rows = hashes(contents.pool.x)
    if (again := len(rows) - len(np.unique(rows))) > 0:
        yield f"{again} of the {len(rows)} examples repeat another one"
    if contents.test is not None:
        both = int(np.isin(hashes(contents.test.x), rows).sum())
        if both:
            yield f"{both} of the {len(contents.test)} test examples are training examples too"
