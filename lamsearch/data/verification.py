"""Whether a source holds what its authors published, and what is strange about what it holds.

Enters: a source's name and a directory. Leaves: lines for a person, and whether the values are
the published ones. Refuses to change anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from lamsearch.data.facts import hashes
from lamsearch.data.images import Contents
from lamsearch.data.sources import named
from lamsearch.errors import InputError

_CLASSES_SHOWN = 20


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
    """Read a source (by its name, or an .npz file) whole and check all that can be checked.

    Raises:
        InputError: There is no such source.
        DataError: A file is missing or damaged; the sentence names it.
    """
    source, directory = named(name), Path(directory)
    try:
        table = source.table(source=name, train=1, validation=1)
    except ValidationError as error:
        raise InputError(f"{name}: is known by a study file only: its table needs more") from error
    contents = source.read(table, directory, None)
    published, said = source.compared(directory, contents)
    lines = [_summary(name, contents), *contents.notes, *said]
    if not published:
        lines += _counts(contents)
        lines += _repeats(contents)
    lines.append(f"fingerprint {contents.fingerprint()}")
    return Verification(name=name, published=published, lines=tuple(lines))


def _summary(name: str, contents: Contents) -> str:
    test = "no test set" if contents.test is None else f"{len(contents.test)} test examples"
    examples, features = contents.pool.x.shape
    classes = len(contents.classes)
    return (
        f"{name}: {examples} examples and {test}, {features} features, {classes} classes: "
        "the files are whole"
    )


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
