"""The models of a study's final as one predictor.

Enters: a report's models, raw examples. Leaves: class names, probabilities, quantities, a score.
Refuses files that are no models of lamsearch's, and models that do not belong together.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from lamsearch.artifacts import metadata_of, model_from
from lamsearch.data import normalise
from lamsearch.data.images import Raw
from lamsearch.errors import DataError, InputError
from lamsearch.metrics.r2 import R2
from lamsearch.results import Model
from lamsearch.trainers.network import class_scores

_FINAL = re.compile(r"final-\d+\.safetensors")  # those of cycle ends are beside them
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ensemble:
    """The final's replicates together: the mean of their predictions.

    Args:
        models: one of each replicate.
        classes: the names of the classes, in the order of the columns of `predict_proba`; empty
            where a quantity is predicted.

    Example:
        >>> import lamsearch  # doctest: +SKIP
        >>> models = lamsearch.load_models("lamsearch-report/digits")
        >>> models.predict(images)
        array(['7', '2', '1'], dtype='<U1')
    """

    models: tuple[Model, ...] = field(repr=False)
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.models:
            raise InputError("models: must be at least one, got 0")
        shapes = {(len(one.layers[-1][1]), len(one.mean)) for one in self.models}
        if len(shapes) > 1:
            rule = "must all have the same outputs and features"
            raise InputError(f"models: {rule}, got {sorted(shapes)}")
        ((outputs, _),) = shapes
        if outputs != (len(self.classes) or 1):
            rule = f"must have one name for each of the {outputs} outputs of a model"
            raise InputError(f"models: classes: {rule}, got {len(self.classes)}")

    @property
    def replicates(self) -> int:
        """How many models there are."""
        return len(self.models)

    @property
    def features(self) -> int:
        """How many features an example has."""
        return len(self.models[0].mean)

    @property
    def members(self) -> tuple[Ensemble, ...]:
        """Each model alone."""
        return tuple(replace(self, models=(one,)) for one in self.models)

    def predict_proba(self, X: npt.ArrayLike) -> Doubles:
        """Return the probabilities (n, classes) of raw examples X (n, …), as the data had them.

        Raises:
            InputError: The models predict a quantity.
            DataError: X is not of the features that the models were trained on.
        """
        if not self.classes:
            raise InputError("predict_proba: these models predict a quantity: use predict")
        parts = [softmax(one, axis=1) for one in self._outputs(X)]
        return np.asarray(np.mean(parts, axis=0), np.float64)

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:
        """Return the names of the most probable classes (n,), or the predicted quantities (n,).

        Raises:
            DataError: X is not of the features that the models were trained on.
        """
        if self.classes:
            names: npt.NDArray[Any] = np.asarray(self.classes)
            return np.asarray(names[self.predict_proba(X).argmax(axis=1)])
        return np.asarray(np.mean([one[:, 0] for one in self._outputs(X)], axis=0), np.float64)

    def score(self, X: npt.ArrayLike, y: npt.ArrayLike) -> float:
        """Return the accuracy on examples and their labels; of quantities R².

        Labels are compared by their names: 7 and "7" are the same class.
        """
        predicted, targets = self.predict(X), np.asarray(y).reshape(-1)
        if len(targets) != len(predicted):
            rule = f"must have one target for each of the {len(predicted)} examples"
            raise DataError(f"y: {rule}, got {len(targets)}")
        if self.classes:
            names = np.array([_name(one) for one in targets.tolist()])
            return float((predicted == names).mean())
        values = targets.astype(np.float64)
        return float(R2.per_example(predicted, values).mean())

    def _outputs(self, X: npt.ArrayLike) -> list[Doubles]:
        """Each model's outputs (n, classes), in float64: the same for an example in any company."""
        given = np.asarray(X)
        return [_doubled(one, given) for one in self.models]


def load_models(path: str | Path) -> Ensemble:
    """Read the models of a report.

    Args:
        path: a report's directory, its ``models`` directory, or one ``.safetensors`` file of it.

    Raises:
        InputError: There are none, one is damaged or not lamsearch's, or they do not belong
            together.

    Example:
        >>> import lamsearch  # doctest: +SKIP
        >>> lamsearch.load_models("lamsearch-report/digits").score(X_test, y_test)
        0.9713
    """
    path = Path(path)
    return ensemble_of({str(file): _content(file) for file in _files(path)}, where=str(path))


def ensemble_of(contents: Mapping[str, bytes], *, where: str) -> Ensemble:
    """Return the ensemble of models' files, by their names; ``where`` opens sentences.

    Raises:
        InputError: As `load_models`.
    """
    if not contents:
        rule = "must hold models (final-*.safetensors), as a finished study's report does"
        raise InputError(f"{where}: {rule}")
    models, classes = [], set[tuple[str, ...]]()
    for name, content in contents.items():
        try:
            models.append(model_from(content))
            classes.add(_classes(metadata_of(content)))
        except ValueError as error:
            raise InputError(f"{name}: {error}") from error
    if len(classes) > 1:
        raise InputError(
            f"{where}: models must be of one study, got {len(classes)} sets of classes"
        )
    return Ensemble(models=tuple(models), classes=classes.pop())


def final_models(names: Iterable[str]) -> list[str]:
    """Return which of files' names are those of models at the end of training, in their order."""
    found = [name for name in names if _FINAL.fullmatch(name)]
    return sorted(found, key=lambda name: int(re.sub(r"\D", "", name)))


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InputError(f"{path}: must be a report's directory or a .safetensors file")
    directory = path / "models" if (path / "models").is_dir() else path
    return [directory / name for name in final_models(one.name for one in directory.iterdir())]


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror or error}") from error


def _classes(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """The names of the classes as a model's file has them."""
    try:
        found = json.loads(metadata["classes"])
    except (KeyError, ValueError):
        found = None
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise ValueError("a model's metadata must name its classes, as those of a report do")
    return tuple(found)


def _doubled(model: Model, given: npt.NDArray[Any]) -> Doubles:
    """One model's outputs: normalised as in training, then in float64."""
    mean, std = model.mean, model.std
    raw = _raw(given, len(mean), double=np.float64 in (mean.dtype, std.dtype))
    if raw.dtype == np.float64:  # what float32 holds exactly is float32 in a model's file
        mean, std = mean.astype(np.float64), std.astype(np.float64)
    x = normalise(raw, mean, std)
    layers = tuple((W.astype(np.float64), b.astype(np.float64)) for W, b in model.layers)
    return np.asarray(class_scores(replace(model, layers=layers), x.astype(np.float64)))


def _raw(given: npt.NDArray[Any], features: int, *, double: bool) -> Raw:
    """Examples as rows: bytes of models of bytes as they are, anything else in float64."""
    if given.dtype.kind not in "fiub":
        raise DataError(f"X: must be numbers, got {given.dtype}")
    if given.ndim < 2 or given[:1].size != features * len(given[:1]):
        rule = f"must be examples of {features} features, shape (n, {features})"
        raise DataError(f"X: {rule}, got the shape {given.shape}")
    rows = given.reshape(len(given), features)
    if rows.dtype == np.uint8 and not double:
        return np.ascontiguousarray(rows, np.uint8)
    if rows.dtype.kind == "f" and np.isnan(rows).any():
        row, feature = np.argwhere(np.isnan(rows))[0]
        raise DataError(f"X: row {row}: feature {feature}: must be a number, got nan")
    return np.ascontiguousarray(rows, np.float64)


def _name(label: object) -> str:
    """A label as the name of its class."""
    if isinstance(label, float) and label.is_integer():
        label = int(label)
    return str(label)
