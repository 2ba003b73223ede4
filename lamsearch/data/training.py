"""The training pool of a study and its splits: all that stages before the end may see.

Enters: a study and a directory. Leaves: `TrainingData`. Refuses to keep, or to find again, a single
test image: the type has no way to them (rule 1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from lamsearch.data import split_arrays
from lamsearch.data.cache import Arrays, Cache, Signature, signature_of
from lamsearch.data.cuts import count_test_images
from lamsearch.data.facts import looked, parted
from lamsearch.data.images import Contents, LabelledImages, Targets
from lamsearch.data.outline import is_outline, outline
from lamsearch.data.projection import fitted_by
from lamsearch.data.remembered import are_seen, remembered
from lamsearch.data.sizing import about_groups, are_sizes, sizes_in_groups
from lamsearch.data.sources import files, read
from lamsearch.data.splits import Splits, kept_to_vary, split
from lamsearch.errors import DataError
from lamsearch.results import Column, DataFacts, StageName, columns_from
from lamsearch.study import Data, ImageShape, Study, sized, with_sizes

_WORDING = "facts 2"  # of what is seen of the data; another one where a sentence changes
_WORTH_SHARING = 1 << 25  # bytes of normalised images below which every worker has its own


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pool:
    """The raw training pool: in memory, or read from its files when it is wanted."""

    study: Study
    directory: Path
    origin: Path | None
    fingerprint: str
    examples: LabelledImages | None

    def read(self) -> LabelledImages:
        if self.examples is not None:
            return self.examples
        contents = read(self.study.data, self.directory, self.origin, self.study.task)
        if contents.fingerprint() != self.fingerprint:
            raise DataError(f"{contents.name}: must not change while a study uses it")
        return parted(self.study, contents)[0]


class _Last:
    """The split that was asked for last: it is large, and often the next stage's too."""

    def __init__(self) -> None:
        self._key: object = None
        self._splits: Splits | None = None

    def get(self, key: object, make: Callable[[], Splits]) -> Splits:
        if self._splits is None or self._key != key:
            self._splits = None  # lets go of the old one before the new one is made
            self._splits, self._key = make(), key
        return self._splits


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingData:
    """The training pool of a study.

    ``study`` has whole numbers where it was loaded with shares. ``fingerprint`` is the SHA-256 over
    all that the source holds, test set included; of the test set itself only the number of its
    images is kept. ``image`` is how features make an image, None where they make none; ``columns``
    are the table's that they come from, if it is one. ``of_bytes`` says that raw values are bytes,
    which are divided by 255. ``seen`` is what bears on the answer, where
    `load` was asked to look. The last split is kept in memory. With a cache, splits are mapped from
    files, and the pool is read only where one is not there yet.
    """

    fingerprint: str
    classes: tuple[str, ...]
    features: int
    images: int
    test_images: int
    image: ImageShape | None
    columns: tuple[Column, ...]
    of_bytes: bool
    study: Study = field(repr=False)
    source: _Pool = field(repr=False)
    cache: Cache | None = field(repr=False, default=None)
    seen: DataFacts | None = field(repr=False, default=None)
    last: _Last = field(repr=False, default_factory=_Last)

    @property
    def pool(self) -> LabelledImages:
        """The raw images in the pool, used by a split or not."""
        return self.source.read()

    def split(self, stage: StageName, replicate: int = 0) -> Splits:
        """Return the training and validation images of a stage's replicate, normalised."""
        key = self._key(stage, replicate)
        return self.last.get(key, lambda: self._made(stage, replicate, key))

    def _made(self, stage: StageName, replicate: int, key: list[object]) -> Splits:
        if self.cache is None or 4 * self.images * self.features < _WORTH_SHARING:
            return self._split(stage, replicate)
        arrays = self.cache.arrays(
            key,
            lambda: split_arrays.arrays_of(self._split(stage, replicate)),
            lambda found: self._are_of(stage, found),
        )
        return split_arrays.splits_of(arrays, self.image)

    def _split(self, stage: StageName, replicate: int) -> Splits:
        return split(
            self.study, stage, self.pool, self.image, replicate=replicate, columns=self.columns
        )

    def _are_of(self, stage: StageName, arrays: Arrays) -> bool:
        """Whether arrays have the names, shapes and types of the stage's split."""
        components = self.study.settings_of(stage).components
        width = self.features if components is None else components
        shapes = {"train_y": (-1,), "validation_y": (-1,), "train_x": (-1, width),
                  "validation_x": (-1, width), "mean": (self.features,),
                  "std": (self.features,)}  # fmt: skip
        if not self.classes:
            shapes[split_arrays.TARGET] = (2,)
        if components is not None:
            shapes["projection"] = (self.features, components)
        if self.study.data.weight is not None:
            shapes["weights"] = (-1,)
        if (further := kept_to_vary(self.study, stage)) is not None:
            shapes[further] = (-1, width if further == "mirrored_x" else self.features)
        if arrays.keys() != shapes.keys():
            return False
        for part, size in zip(("train", "validation"), self._sizes(stage), strict=True):
            count = len(arrays[f"{part}_y"]) if size is None and arrays[f"{part}_y"].ndim else size
            shapes |= {f"{part}_x": (count or 0, width), f"{part}_y": (count or 0,)}
        if "weights" in shapes:
            shapes["weights"] = shapes["train_y"]
        if further is not None:
            shapes[further] = (shapes["train_x"][0], shapes[further][1])
        return (
            all(arrays[name].shape == shape for name, shape in shapes.items())
            and all(arrays[name].dtype in split_arrays.types(name, self.classes) for name in shapes)
            and all(self._are_targets(arrays[name]) for name in ("train_y", "validation_y"))
        )

    def _sizes(self, stage: StageName) -> tuple[int | None, int | None]:
        """The sizes of a stage's splits; None where they differ between replicates."""
        uneven = self.study.settings_of(stage).uneven
        return (None, None) if uneven else self.study.split_of(stage)

    def _are_targets(self, y: Targets) -> bool:
        """Whether all are of the classes; of quantities, whether they are finite."""
        if not self.classes:
            return bool(np.isfinite(y).all())
        return bool(y.min(initial=0) >= 0 and y.max(initial=0) < len(self.classes))

    def _key(self, stage: StageName, replicate: int) -> list[object]:
        """All that a split follows from; the arithmetic of a projection is the BLAS kernel's."""
        study, whose = self.study, self.study.order_of(stage, replicate)
        data = study.data.model_dump(mode="json")
        data.pop("resplit", None)  # whose order it is says all of that
        components = study.settings_of(stage).components
        made_by = None if components is None else fitted_by()
        asked: list[object] = [study.split_of(stage), components, made_by]
        further = kept_to_vary(study, stage)
        if further == "mirrored_x" and self.image is not None:
            asked.append(["mirrored", *self.image.axes])
        elif further == "unprojected_x":
            asked.append("unprojected")
        if whose is not None:
            asked.append(["replicate", whose])
        return [self.fingerprint, study.seed, data, study.pool_size, asked]


def load(
    study: Study,
    directory: Path,
    *,
    origin: Path | None = None,
    cache: Path | None = None,
    look: bool = False,
) -> TrainingData:
    """Find the source that ``study`` names, and its training pool.

    ``directory`` is where the data are (--data-dir); ``origin`` is the directory of the study file,
    where a relative .npz path is looked for next; ``cache`` is a directory of this host's own,
    where normalised splits are shared and files that have not changed since need not be read again.
    With ``look`` it is also found out what of the data bears on the answer, for who plans a study.

    Raises:
        DataError: The source is missing, damaged, or smaller than the study needs.
        StudyFileError: The study varies images, which these are not, or are too small for; or its
            shares of the examples, or its folds, break a rule in numbers.
    """
    places = files(study.data, directory, origin)
    shared = Cache(cache) if cache is not None and places else None
    loaded: list[Contents] = []

    def contents() -> Contents:
        if not loaded:
            loaded.append(read(study.data, directory, origin, study.task))
        return loaded[0]

    known = None if shared is None else signature_of(places)
    own = _own_keys(study)
    facts = remembered(shared, known, own, lambda: outline(contents()), is_outline)
    image = None if facts["image"] is None else ImageShape(**facts["image"])
    study.check_image(image)
    study = sized(study, facts["images"], own_test=facts["test"] is not None)
    if study.data.groups is not None:
        study = _grouped(study, shared, known, contents)
    test = count_test_images(study, facts["name"], facts["images"], facts["test"])
    columns = columns_from(facts["columns"])
    seen = _seen(study, shared, known, contents, columns) if look else None
    pool = parted(study, loaded[0])[0] if loaded else None
    return TrainingData(
        fingerprint=facts["fingerprint"],
        classes=tuple(facts["classes"]),
        features=facts["features"],
        image=image,
        columns=columns,
        of_bytes=facts["bytes"],
        images=facts["images"] - (test if facts["test"] is None else 0),
        test_images=test,
        study=study,
        source=_Pool(
            study=study, directory=directory, origin=origin,
            fingerprint=facts["fingerprint"], examples=pool,
        ),
        cache=shared,
        seen=seen,
    )  # fmt: skip


def _grouped(
    study: Study,
    cache: Cache | None,
    signature: Signature | None,
    contents: Callable[[], Contents],
) -> Study:
    """The study with the sizes that whole groups allow."""
    sizes = remembered(
        cache, signature, about_groups(study), lambda: {**sizes_in_groups(study, contents())},
        are_sizes,
    )  # fmt: skip
    return with_sizes(study, sizes)


def _seen(
    study: Study,
    cache: Cache | None,
    signature: Signature | None,
    contents: Callable[[], Contents],
    columns: tuple[Column, ...],
) -> DataFacts:
    """What of the data bears on the answer, remembered where it was looked at before."""

    def make() -> dict[str, Any]:
        found = asdict(looked(study, contents()))
        del found["columns"]  # which the outline has
        return found

    found = remembered(cache, signature, _about(study), make, are_seen)
    return replace(DataFacts.of(found), columns=columns)


def _about(study: Study) -> list[object]:
    """All that what is seen of the data follows from, besides these, and how it is put."""
    splits: list[tuple[object, ...]] = [
        (stage, study.split_of(stage), *_redrawn(study, stage)) for stage in study.stages
    ]
    data, augment = (one.model_dump(mode="json") for one in (study.data, study.most_varied))
    return [_WORDING, study.seed, data, study.pool_size, splits, augment, study.metric]


def _own_keys(study: Study) -> dict[str, Any] | None:
    """That by which the same files are other examples; None without any of it."""
    data, task = study.data, study.task
    own = type(data).model_fields.keys() - Data.model_fields.keys() - {"path"} | {"groups"}
    given = data.model_dump(mode="json", exclude_none=True)
    found = {key: one for key, one in given.items() if key in own}
    return found | ({} if task == "classification" else {"task": task}) or None


def _redrawn(study: Study, stage: StageName) -> list[object]:
    """Whose splits a stage's are, where they are not the study's own."""
    return [one for one in study.orders_of(stage) if one is not None]
