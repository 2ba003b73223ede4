"""What there is to know of the data before anything is trained: baselines and warnings.

Enters: a study and all that its source holds. Leaves: `DataFacts`: numbers and sentences. Of the
test set it counts which rows are training rows too, and keeps the count. Refuses to change, or to
leave out, a single example.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from lamsearch.data.baselines import baselines_of
from lamsearch.data.cuts import cut_test_images, orders
from lamsearch.data.images import Contents, LabelledImages, Labels, Raw, Targets
from lamsearch.data.moments import Order, chunks, moments
from lamsearch.errors import DataError
from lamsearch.metrics import DEFAULT_METRIC
from lamsearch.results import DataFacts, StageName
from lamsearch.study import ImageShape, Study

_SHARE = 0.001  # of a split: fewer repeated examples move no score that anybody would print
_MOST, _EVEN = 0.5, 1.5  # the largest class: of all, and times its even share
_BLANK = 0.5  # of pixels: margins are blank, so only many constant ones are strange
_MANY = 64  # features: an image, if a small one
_BEYOND = 50  # standard deviations: digits of 8 x 8 have 10 as they are, photographs 3
_SHOWN = 5
_GROUPS = "group", "groups"

Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One split of the pool, and the stages that use it, all or in one ``replicate``."""

    stages: list[StageName]
    replicate: int | None
    train: Order = field(repr=False)
    validation: Order = field(repr=False)

    @property
    def name(self) -> str:
        *others, last = self.stages
        stages = f"{', '.join(others)} and {last}" if others else last
        return stages if self.replicate is None else f"replicate {self.replicate} of {stages}"


def looked(study: Study, contents: Contents) -> DataFacts:
    """Return what bears on the answer of a study of these contents.

    Raises:
        DataError: Some value has no room in float32 once it is standardised, or a class has no
            training example.
    """
    pool, test = parted(study, contents)
    if study.final is None:
        test = test.taken(np.arange(0))  # nobody will open it
    parts = _parts(study, pool)
    if contents.classes:
        _check_trained(contents.classes, pool.y, parts, stratified=study.data.stratified)
    _check_room(parts, pool.x, test)
    splits = [(part.stages, part.train, part.validation) for part in parts]
    always = baselines_of(study, pool.y, len(contents.classes), splits)
    last = next(part for part in parts if study.stages[-1] in part.stages)
    lines = [
        *contents.notes,
        *_grouped(pool, parts),
        *(_class_lines(contents.classes, pool.y, parts) if contents.classes else ()),
        *_repeats(pool, test, parts, classes=bool(contents.classes)),
        *_constants(pool.x),
        *_beyond(study, pool.x, last, contents.image),
    ]
    return DataFacts(
        majority=_majority(contents.classes, pool.y, last),
        baseline={str(stage): score for stage, score in always.scores.items()},
        constants=always.constants,
        per_example=always.per_example,
        warnings=tuple(lines),
    )


def parted(study: Study, contents: Contents) -> tuple[LabelledImages, LabelledImages]:
    """Return the training pool and the test set of a study."""
    if contents.test is not None:
        return contents.pool, contents.test
    test, rest = cut_test_images(study, contents)
    return contents.pool.taken(rest), contents.pool.taken(test)


def _parts(study: Study, pool: LabelledImages) -> list[_Part]:
    found: dict[object, _Part] = {}
    for stage in study.stages:
        for whose in study.orders_of(stage):
            key = study.split_of(stage), whose
            if key not in found:
                train, validation = orders(study, stage, pool.y, whose, pool.groups)
                found[key] = _Part(stages=[], replicate=whose, train=train, validation=validation)
            found[key].stages.append(stage)
    return list(found.values())


def _majority(names: Sequence[str], y: Targets, part: _Part) -> str:
    """The most frequent class in training; of quantities there is none."""
    return names[int(np.bincount(y[part.train]).argmax())] if names else ""


def _class_lines(names: Sequence[str], y: Labels, parts: Sequence[_Part]) -> Iterator[str]:
    yield from _classes(names, y, parts)
    yield from _shares(names, y, parts[0])


def _baseline(y: Labels, part: _Part) -> float:
    """The validation score of always answering the most frequent training class."""
    return float((y[part.validation] == np.bincount(y[part.train]).argmax()).mean())


def _check_trained(
    names: Sequence[str], y: Labels, parts: Sequence[_Part], *, stratified: bool
) -> None:
    """Refuse a training split without an example of some class: no model could answer it."""
    counts = np.bincount(y, minlength=len(names))
    for part in parts:
        absent = np.flatnonzero(np.bincount(y[part.train], minlength=len(names)) == 0)
        if not absent.size:
            continue
        also = "" if stratified else ", set data.stratified = true"
        have = _plural(int(counts[absent].sum()), "example", "examples")
        whose = "its" if absent.size == 1 else "their"
        raise DataError(
            f"data: every class must have a training example in {part.name}, got none of "
            f"{_listed(names, absent)}, which {'has' if absent.size == 1 else 'have'} {have} "
            f"outside the test set: train on more examples{also}, or take {whose} examples out"
        )


def _classes(names: Sequence[str], y: Labels, parts: Sequence[_Part]) -> Iterator[str]:
    """Classes that a validation split lacks, and labels that look like none."""
    if len(names) == 1:
        yield f"all {len(y)} examples are of the one class {names[0]}: there is nothing to learn"
    elif 2 * len(names) > len(y):
        yield f"there are {len(names)} classes for {len(y)} examples: labels should recur"
    said = set[tuple[str, ...]]()  # of replicates' own splits one stands for all
    for part in parts:
        counts = np.bincount(y[part.validation], minlength=len(names))
        if (absent := np.flatnonzero(counts == 0)).size and tuple(part.stages) not in said:
            said.add(tuple(part.stages))
            yield (
                f"{_plural(absent.size, 'class has', 'classes have')} no validation example in "
                f"{part.name}: {_listed(names, absent)}"
            )


def _listed(names: Sequence[str], classes: npt.NDArray[np.intp]) -> str:
    """The names of some classes, of many the first few."""
    more = f" and {classes.size - _SHOWN} more" if classes.size > _SHOWN else ""
    return ", ".join(names[index] for index in classes[:_SHOWN]) + more


def _grouped(pool: LabelledImages, parts: Sequence[_Part]) -> Iterator[str]:
    """What became of sizes where groups stay whole."""
    if pool.groups is None:
        return
    for part in parts:
        if part.replicate is None:
            train, validation = (
                f"{len(order)} examples of {_plural(len(np.unique(pool.groups[order])), *_GROUPS)}"
                for order in (part.train, part.validation)
            )
            yield f"groups stay whole: {part.name} train on {train}, validate with {validation}"
    own = [part for part in parts if part.replicate is not None]
    if own:
        train, validation = (
            f"{min(sizes)} to {max(sizes)}"
            for sizes in ([len(one.train) for one in own], [len(one.validation) for one in own])
        )
        yield f"splits of replicates train on {train} and validate with {validation} examples"


def _shares(names: Sequence[str], y: Labels, part: _Part) -> Iterator[str]:
    """A class so frequent that the share of right answers says little."""
    counts = np.bincount(y[part.train], minlength=len(names))
    share = counts.max() / len(part.train)
    if len(names) > 1 and share >= max(_MOST, _EVEN / len(names)):
        most = int(counts.argmax())
        yield (
            f"{100 * share:.1f} % of the training examples are of the class {names[most]}: always "
            f"answering it has a validation {DEFAULT_METRIC.title} of "
            f"{DEFAULT_METRIC.words(_baseline(y, part))}"
        )


def _repeats(
    pool: LabelledImages, test: LabelledImages, parts: Sequence[_Part], *, classes: bool
) -> Iterator[str]:
    """Examples that stand on both sides of a split, or under two labels."""
    score = DEFAULT_METRIC.title if classes else "score"
    rows = hashes(pool.x)
    for part in parts:
        both = np.isin(rows[part.validation], rows[part.train]).sum()
        if both > _SHARE * len(part.validation):
            yield (
                f"{both} of the {len(part.validation)} validation examples of {part.name} are "
                f"training examples too: their {score} also counts what was memorised"
            )
            break  # the splits of one pool overlap alike
    both = np.isin(hashes(test.x), rows).sum() if len(test) else 0
    if both > _SHARE * len(test):
        yield (
            f"{both} of the {len(test)} test examples are training or validation examples too: "
            f"the test {score} also counts what was memorised"
        )
    torn = _torn(rows, pool.y) if classes else 0
    if torn > _SHARE * len(pool):
        yield f"{torn} of the {len(pool)} examples equal another one of a different class"


def hashes(x: Raw) -> Hashes:
    """Return one 64-bit hash per row, equal where all values are (0 and -0 too)."""
    digests = bytearray()
    for row in x:
        plain = row if row.dtype == np.uint8 else row + row.dtype.type(0)
        digests += hashlib.blake2b(plain.data, digest_size=8).digest()
    return np.frombuffer(bytes(digests), np.uint64)


def _torn(rows: Hashes, y: Labels) -> int:
    """How many examples equal one of another class."""
    _, group = np.unique(rows, return_inverse=True)
    low, high = np.full(len(rows), y.max()), np.zeros(len(rows), np.int64)
    np.minimum.at(low, group, y)
    np.maximum.at(high, group, y)
    return int((low < high)[group].sum())


def _constants(x: Raw) -> Iterator[str]:
    constant, features = int((x.min(axis=0) == x.max(axis=0)).sum()), x.shape[1]
    if constant > (_BLANK * features if _are_pixels(x) else 0):
        yield f"{constant} of the {features} features never vary: nothing is learned from them"


def _beyond(study: Study, x: Raw, part: _Part, image: ImageShape | None) -> Iterator[str]:
    """Values of varied images where the training images themselves hardly vary."""
    augment = study.most_varied
    if image is None or not augment.varies:
        return
    from scipy.ndimage import maximum_filter, minimum_filter  # few studies vary images

    mean, std = (one.reshape(image.axes) for one in moments(x, part.train))
    bounds = [(x[rows].min(axis=0), x[rows].max(axis=0)) for rows in chunks(part.train, x.shape[1])]
    low = np.min([one for one, _ in bounds], axis=0).reshape(image.axes).astype(np.float64)
    high = np.max([one for _, one in bounds], axis=0).reshape(image.axes).astype(np.float64)
    if augment.flip:
        low, high = np.minimum(low, low[:, :, ::-1]), np.maximum(high, high[:, :, ::-1])
    around = (1, 2 * augment.shift + 1, 2 * augment.shift + 1, 1)
    low, high = (find(one, around, mode="mirror")
                 for find, one in ((minimum_filter, low), (maximum_filter, high)))  # fmt: skip
    unit = 255 if x.dtype == np.uint8 else 1
    far = np.maximum(high / unit - mean, mean - low / unit) / std
    if (many := int((far > _BEYOND).sum())) > 0:
        yield (
            f"varied images lie up to {far.max():.0f} standard deviations from the mean in {many} "
            f"of the {far.size} features, which hardly vary in the training images themselves: "
            "[augment] may cost more than it gains"
        )


def _are_pixels(x: Raw) -> bool:
    """Whether features look like brightnesses: bytes, or many whole numbers from 0 upwards."""
    some = x[:1000]
    whole = bool(some.min() >= 0 and (some == np.floor(some)).all())
    return x.dtype == np.uint8 or (x.shape[1] >= _MANY and whole)


def _check_room(parts: Sequence[_Part], x: Raw, test: LabelledImages) -> None:
    """Refuse now what no split could standardise."""
    if x.dtype != np.float64:
        return
    low, high = np.fmin.reduce(x), np.fmax.reduce(x)  # of those that are not missing
    if len(test):
        low, high = np.fmin(low, np.fmin.reduce(test.x)), np.fmax(high, np.fmax.reduce(test.x))
    for part in parts:
        mean, std = moments(x, part.train)
        with np.errstate(over="ignore"):
            size = np.maximum(high - mean, mean - low) / std
        if (bad := np.flatnonzero(size > np.finfo(np.float32).max)).size:
            rule = "must fit into float32 once standardised by the training examples of"
            raise DataError(f"X: feature {bad[0]}: {rule} {part.name}, got {size[bad[0]]:.3g}")


def _plural(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
