"""A stage's training and validation images, normalised.

Enters: raw images, a study's sizes and its seed. Leaves: normalised float32 arrays. Pure: the same
study and images give the same bits, whatever the number of threads. Refuses to know files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Literal

import numpy as np
import numpy.typing as npt

from lamsearch.data.cuts import orders
from lamsearch.data.images import (
    Float32,
    LabelledImages,
    Moments,
    Raw,
    Targets,
    mirrored,
)
from lamsearch.data.moments import UNSEEN, Order, chunks, moments
from lamsearch.data.projection import FITTED_ON, principal_components, project
from lamsearch.data.quantities import standardised, target_moments
from lamsearch.errors import DataError
from lamsearch.results import Column, StageName
from lamsearch.study import ImageShape, Study


@dataclass(frozen=True, slots=True, kw_only=True)
class Splits:
    """One stage's images, read-only: x (n, features) float32, normalised; y (n,) int64 labels.

    Targets that are quantities are float32, standardised: ``target_mean`` and ``target_std`` are
    those of the training split in the target's own unit, 1 where that is one number.

    ``mean`` and ``std`` (features) are the training split's, in the units of raw images (uint8 /
    255), float64 where these are, else float32; a feature that is constant in the training split
    has std 1, and one of which it says nothing (a category that it lacks) `UNSEEN`. A value that
    is missing becomes 0, the mean. Where the stage
    trains on principal components, x is (n, components), and ``projection`` (features, components)
    leads there from normalised images, and whitens them where the study asks for that; otherwise
    it is None.

    ``image`` is how raw features make an image, None where they make none. ``mirrored_x`` (n,
    components) are the training images as `enter` takes them once they are mirrored left to right,
    where the stage trains on components and mirrors; otherwise it is None, for the mirror of a
    normalised image is at hand. ``unprojected_x`` (n, features) are the normalised training images
    where the stage trains on components and moves images, for these are projected when they have
    been moved. ``weights`` (n,) are the training examples' in the loss, float32 of mean 1, None
    where all count alike.
    """

    train_x: Float32 = field(repr=False)
    train_y: Targets = field(repr=False)
    validation_x: Float32 = field(repr=False)
    validation_y: Targets = field(repr=False)
    mean: Moments = field(repr=False)
    std: Moments = field(repr=False)
    projection: Float32 | None = field(repr=False, default=None)
    image: ImageShape | None = None
    mirrored_x: Float32 | None = field(repr=False, default=None)
    unprojected_x: Float32 | None = field(repr=False, default=None)
    target_mean: float = 0.0
    target_std: float = 1.0
    weights: Float32 | None = field(repr=False, default=None)

    def __post_init__(self) -> None:
        for one in fields(self):
            if isinstance(array := getattr(self, one.name), np.ndarray):
                array.setflags(write=False)

    def enter(self, raw: Raw) -> Float32:
        """Return raw images (n, features) as the models of this split see them."""
        x = normalise(raw, self.mean, self.std)
        return x if self.projection is None else project(x, self.projection)

    def enter_targets(self, y: Targets) -> Targets:
        """Return targets (n,) as the models of this split see them: quantities standardised."""
        return y if y.dtype == np.int64 else standardised(y, self.target_mean, self.target_std)


def kept_to_vary(study: Study, stage: StageName) -> Literal["mirrored_x", "unprojected_x"] | None:
    """Return which further array a stage's split has, on components, to vary training images by.

    Mirrors are projected beforehand. All moves of an image would be too many.
    """
    varied = study.most_varied
    if study.settings_of(stage).components is None or not varied.varies:
        return None
    return "unprojected_x" if varied.shift else "mirrored_x"


def split(
    study: Study,
    stage: StageName,
    pool: LabelledImages,
    image: ImageShape | None = None,
    *,
    replicate: int = 0,
    columns: Sequence[Column] = (),
) -> Splits:
    """Split the pool, of examples that make an ``image``, as a replicate of the stage asks.

    Of a table's ``columns``, categories that no training example has are as if they were missing.

    Raises:
        DataError: The stage asks for more components than there are features.
    """
    train, validation = orders(study, stage, pool.y, study.order_of(stage, replicate), pool.groups)
    mean, std = moments(pool.x, train)
    std[_are_categories(columns, len(std)) & (mean == 0)] = UNSEEN
    target_mean, target_std = 0.0, 1.0
    if pool.y.dtype == np.float64:
        target_mean, target_std = target_moments(pool.y, train)
    projection = None
    components = study.settings_of(stage).components
    if components is not None:
        leading = _leading(pool.x, train, mean, std, components)
        projection = principal_components(leading, components, whiten=study.data.whiten)
    further: dict[str, Float32] = {}
    kept = kept_to_vary(study, stage)
    if image is not None and kept == "mirrored_x":
        further[kept] = _normalised(pool.x, train, mean, std, projection, mirrored(image))
    elif kept == "unprojected_x":
        further[kept] = _normalised(pool.x, train, mean, std)
    return Splits(
        train_x=_normalised(pool.x, train, mean, std, projection),
        train_y=_targets(pool.y, train, target_mean, target_std),
        validation_x=_normalised(pool.x, validation, mean, std, projection),
        validation_y=_targets(pool.y, validation, target_mean, target_std),
        mean=mean,
        std=std,
        projection=projection,
        image=image,
        target_mean=target_mean,
        target_std=target_std,
        weights=None if study.data.weight is None else balanced(pool.y[train]),
        **further,
    )


def balanced(labels: Targets) -> Float32:
    """Return weights (n,) under which all classes count alike: n / (C · n_c), whose mean is 1."""
    _, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    weights: Float32 = (len(labels) / (len(counts) * counts)).astype(np.float32)[classes]
    return weights


def normalise(raw: Raw, mean: Moments, std: Moments) -> Float32:
    """Return (x - mean) / std as float32, where x is ``raw``, uint8 / 255.

    Exactly the arithmetic of `Splits`. ``raw`` is (n, features): float64 where the moments are,
    else uint8 or float32.

    Raises:
        DataError: ``raw`` is of another type or has another number of features, or a value is
            beyond float32 once it is normalised.
    """
    double = mean.dtype == std.dtype == np.float64
    known = (np.float64,) if double else (np.uint8, np.float32)
    if raw.dtype not in known or raw.ndim != 2 or raw.shape[1:] != mean.shape:
        rule = f"must be {'float64' if double else 'uint8 or float32'} with {mean.size} features"
        raise DataError(f"images: {rule}, got {raw.dtype} of the shape {raw.shape}")
    return _normalised(raw, np.arange(len(raw)), mean, std)


def _are_categories(columns: Sequence[Column], features: int) -> npt.NDArray[np.bool_]:
    """Which features say that an example has a category."""
    found = [one.categories is not None for one in columns for _ in range(one.width)]
    return np.array(found or [False] * features, np.bool_)


def _leading(x: Raw, train: Order, mean: Moments, std: Moments, components: int) -> Float32:
    """Return the images that so many components are fitted on."""
    if components > x.shape[1]:
        rule = f"must be at most the {x.shape[1]} features of an image"
        raise DataError(f"data.components: {rule}, got {components}")
    return _normalised(x, train[:FITTED_ON], mean, std)


def _targets(y: Targets, order: Order, mean: float, std: float) -> Targets:
    """Labels as they are; quantities standardised."""
    return y[order] if y.dtype == np.int64 else standardised(y[order], mean, std)


def _normalised(
    x: Raw,
    order: Order,
    mean: Moments,
    std: Moments,
    projection: Float32 | None = None,
    features: Order | None = None,
) -> Float32:
    """Return examples as models see them, their raw ``features`` put in that order before."""
    width = x.shape[1] if projection is None else projection.shape[1]
    result = np.empty((len(order), width), np.float32)
    start = 0
    for rows in chunks(order, x.shape[1]):
        part = result[start : start + len(rows)]
        chunk = part if projection is None else np.empty((len(rows), x.shape[1]), np.float32)
        raw = x[rows] if features is None else x[rows].take(features, axis=1)
        _standardise(raw, mean, std, chunk)
        if projection is not None:
            part[:] = project(chunk, projection)
        start += len(rows)
    return result


def _standardise(raw: Raw, mean: Moments, std: Moments, into: Float32) -> None:
    """Write (x - mean) / std, taken in the type of x; bytes are float32 from the start."""
    with np.errstate(over="ignore"):  # what overflows is said below
        if raw.dtype == np.float64:
            into[:] = (raw - mean) / std
        else:
            into[:] = raw
            if raw.dtype == np.uint8:
                into /= np.float32(255)
            into -= mean
            into /= std
    if raw.dtype == np.uint8 or (good := np.isfinite(into)).all():
        return
    missing = np.isnan(raw)
    into[missing] = 0  # their feature's mean
    if not (good := good | missing).all():
        row, feature = np.argwhere(~good)[0]
        rule = f"must fit into float32 once its mean {mean[feature]:g} and std {std[feature]:g} are"
        raise DataError(f"X: feature {feature}: {rule} taken out, got {raw[row, feature]:g}")
