"""The models of a study's final as one predictor.

Enters: a report's models, raw examples. Leaves: class names, probabilities, quantities, a score.
Refuses files that are no models of lamsearch's, and models that do not belong together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lamsearch.api.raw_examples import Given, given, raw
from lamsearch.artifacts import Inputs, ModelFacts, facts_from, metadata_of, model_from
from lamsearch.data import normalise
from lamsearch.errors import DataError, InputError
from lamsearch.metrics.r2 import R2
from lamsearch.results import Model
from lamsearch.softmax import softmax
from lamsearch.trainers.network import class_scores

_FINAL = re.compile(r"final-\d+\.safetensors")  # those of cycle ends are beside them
_VALUES = 1 << 22  # of a batch, in its widest layer: 32 MB
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ensemble:
    """The final's replicates together: the mean of their predictions.

    Args:
        models: one of each replicate.
        classes: the names of the classes, in the order of the columns of `predict_proba`; empty
            where a quantity is predicted.
        inputs: what raw examples are: a table's columns, bytes of images.

    Example:
        >>> import lamsearch  # doctest: +SKIP
        >>> models = lamsearch.load_models("lamsearch-report/digits")
        >>> models.predict(images)
        array(['7', '2', '1'], dtype='<U1')
    """

    models: tuple[Model, ...] = field(repr=False)
    classes: tuple[str, ...]
    inputs: Inputs = field(repr=False, default=Inputs())

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

    def predict_proba(self, X: Any) -> Doubles:
        """Return the probabilities (n, classes) of raw examples X, as the data had them.

        X is an array (n, …); or, of models of a table, a data frame or a mapping of names to
        values: its columns are told by their names, and those that no model knows are left out.

        Raises:
            InputError: The models predict a quantity.
            DataError: X is not of the features that the models were trained on.
        """
        if not self.classes:
            raise InputError("predict_proba: these models predict a quantity: use predict")
        return self._mean(X, softmax)

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the names of the most probable classes (n,), or the predicted quantities (n,).

        X is as `predict_proba` takes it.

        Raises:
            DataError: X is not of the features that the models were trained on.
        """
        if self.classes:
            names: npt.NDArray[Any] = np.asarray(self.classes)
            return np.asarray(names[self.predict_proba(X).argmax(axis=1)])
        return self._mean(X, lambda outputs: outputs)[:, 0]

    def score(self, X: Any, y: npt.ArrayLike) -> float:
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

    def _mean(self, X: Any, link: Callable[[Doubles], Doubles]) -> Doubles:
        """The models' mean of what ``link`` makes of their outputs, batch by batch."""
        examples = given(X, self.inputs, self.features)
        widest = max(self.features, *(len(b) for _, b in self.models[0].layers))
        rows = max(1, _VALUES // widest)
        parts = [
            self._of_batch(examples, start, rows, link)
            for start in range(0, max(1, examples.count), rows)
        ]
        return np.concatenate(parts)

    def _of_batch(
        self, examples: Given, start: int, rows: int, link: Callable[[Doubles], Doubles]
    ) -> Doubles:
        """The mean for some of the examples, in float64: the same for one in any company."""
        part = examples.rows(slice(start, start + rows))
        parts = [link(_doubled(one, part, start, self.inputs)) for one in self.models]
        return np.asarray(np.mean(parts, axis=0), np.float64)


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
    models, facts = [], set[ModelFacts]()
    for name, content in contents.items():
        try:
            models.append(model_from(content))
            facts.add(_facts(models[-1], content))
        except ValueError as error:
            raise InputError(f"{name}: {error}") from error
    if len(facts) > 1:
        classes = {one.classes for one in facts}
        what = "sets of classes" if len(classes) > 1 else "kinds of inputs"
        raise InputError(f"{where}: models must be of one study, got {len(facts)} {what}")
    (found,) = facts
    return Ensemble(models=tuple(models), classes=found.classes, inputs=found.inputs)


def _facts(model: Model, content: bytes) -> ModelFacts:
    """What a model's metadata say, where that is of this model."""
    found = facts_from(metadata_of(content), len(model.mean))
    if model.task == "regression" and found.classes:
        raise ValueError("a model of a quantity must have no classes")
    return found


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


def _doubled(model: Model, part: npt.NDArray[Any], start: int, inputs: Inputs) -> Doubles:
    """One model's outputs: normalised as in training, then in float64."""
    mean, std = model.mean, model.std
    x = raw(part, start, inputs, double=np.float64 in (mean.dtype, std.dtype))
    if x.dtype == np.float64:  # what float32 holds exactly is float32 in a model's file
        mean, std = mean.astype(np.float64), std.astype(np.float64)
    z = normalise(x, mean, std)
    layers = tuple((W.astype(np.float64), b.astype(np.float64)) for W, b in model.layers)
    return np.asarray(class_scores(replace(model, layers=layers), z.astype(np.float64)))


def _name(label: object) -> str:
    """A label as the name of its class."""
    if isinstance(label, float) and label.is_integer():
        label = int(label)
    return str(label)
