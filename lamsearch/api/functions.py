"""A function of one's own, searched without registration: for a notebook.

Enters: a function that trains one model, a space, arrays. Leaves: a `Result`. The function becomes
a trainer of this process alone, and what is searched has the statistics of any study. Refuses to
test: a function's models cannot be kept, so that there is no final.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, create_model

from lamsearch.api.examples import Examples, arrays_of, contents, validation_share
from lamsearch.api.in_memory import held, searched
from lamsearch.api.result import Result, result_of
from lamsearch.dimensions import Scale
from lamsearch.errors import InputError
from lamsearch.metrics import metric_of
from lamsearch.space import LAMBDA, Point
from lamsearch.trainers import Parameter, Splits, function_trainer, register

# parameters by name, the splits, a seed → predictions of splits.validation_x
OwnFunction = Callable[[Mapping[str, Any], Splits, int], npt.ArrayLike]
_numbers = itertools.count(1)
_SCALES = {
    "log": Scale.LOG, "uniform": Scale.LINEAR, "integer": Scale.INTEGER, "choice": Scale.CHOICE,
}  # fmt: skip


def search(
    fn: OwnFunction,
    *,
    data: Examples,
    space: Mapping[str, Any] | None = None,
    metric: str = "accuracy",
    trials: int = 12,
    fine: int = 8,
    keep: int = 3,
    replicates: int = 5,
    validation_fraction: float = 0.2,
    rule: str = "best",
    seed: int = 0,
    name: str | None = None,
) -> Result:
    """Search the parameters of a function of your own, in this process.

    ``trials`` candidates are tried over the whole space, ``fine`` more where the best ones lie, and
    the best ``keep`` of those again over ``replicates`` seeds, which decide.

    Args:
        fn: called as ``fn(params, splits, seed)`` for each trial. ``params`` has ``"lambda"`` and
            what else ``space`` names; ``splits`` has train_x, train_y, validation_x, validation_y,
            normalised by the training split; ``seed`` is a whole number, the same for all
            candidates of a replicate. Returns class probabilities of ``validation_x``, shape
            (n, classes); where ``metric`` is of quantities, the predicted values (n,), in the units
            of train_y. What it raises makes that trial fail with the reason.
        data: ``(X, y)``, or a mapping of those names. Of it all is for training and validation:
            keep a test set to yourself.
        space: by name (low, high), drawn on a logarithmic scale, or ``{"uniform": (low, high)}``,
            ``{"integer": (low, high)}``, ``{"choice": [...]}``, ``{"log": (low, high)}``.
            ``"lambda"`` is always searched, unless told otherwise from 1e-6 to 1.
        metric: a registered one: accuracy, balanced_accuracy, log_loss, r2 ….
        trials: candidates of the first look.
        fine: candidates of the second look.
        keep: how many of the best are tried again.
        replicates: over how many seeds.
        validation_fraction: of the examples, to select by.
        rule: ``best``, ``one_standard_error`` or ``model``.
        seed: all randomness follows from it.
        name: what the result is called; else the function's name.

    Raises:
        InputError: Something given breaks a rule; the sentence says which.
        WorkFailedError: Too few trials ended well.

    Example:
        >>> def ridge(params, splits, seed):
        ...     X, Y = splits.train_x, np.eye(10)[splits.train_y]
        ...     penalty = len(X) * params["lambda"] * np.eye(X.shape[1])
        ...     W = np.linalg.solve(X.T @ X + penalty, X.T @ (Y - Y.mean(0)))
        ...     return scipy.special.softmax(splits.validation_x @ W, axis=1)
        >>> lamsearch.search(ridge, data=(X, y)).best_lambda  # doctest: +SKIP
    """
    bounds, axes = _space(space or {})
    task, arrays = metric_of(metric).task, arrays_of(data)
    if "X_test" in arrays:
        raise InputError("search: data: must be X and y alone, for nothing here is tested")
    found = contents(arrays, task)
    validation = validation_share(validation_fraction, len(found.pool))
    searching = {"sampler": "stratified"}
    document: dict[str, Any] = {
        "name": name or _slug(fn), "seed": seed, "metric": metric,
        "data": {
            "train": len(found.pool) - validation, "validation": validation,
            **({"stratified": True} if task == "classification" else {}),
        },
        "trainer": {"name": _registered(fn, axes)},
        "training": {"step_size": 1},  # the function's budget is its own
        "coarse": {"trials": trials, LAMBDA.name: bounds, "space": axes, **searching},
        "fine": {"trials": fine, "keep": min(3, trials), **searching},
        "finalists": {"keep": keep, "replicates": replicates, "rule": rule},
    }  # fmt: skip
    with held(document, found) as (study, examples):
        return result_of(searched(study, examples))


def _space(given: Mapping[str, Any]) -> tuple[list[float], dict[str, dict[str, list[Any]]]]:
    """Bounds of log10 λ, and the other axes as a study file has them."""
    axes = {name: _axis(name, entry) for name, entry in given.items()}
    entry = axes.pop("lambda", {"log": [1e-6, 1.0]})
    if "log" not in entry or not all(
        isinstance(one, (int, float)) and one > 0 for one in entry["log"]
    ):
        rule = "must be two bounds of λ, above 0"
        raise InputError(f"space: lambda: {rule}, got {given['lambda']!r}")
    return [math.log10(one) for one in entry["log"]], axes


def _axis(name: str, entry: Any) -> dict[str, list[Any]]:
    if isinstance(entry, (tuple, list)) and len(entry) == 2:
        entry = {"log": entry}
    if not isinstance(entry, Mapping) or len(entry) != 1 or next(iter(entry)) not in _SCALES:
        rule = f"must be (low, high) or one of {', '.join(_SCALES)}, such as {{'log': (1, 10)}}"
        raise InputError(f"space: {name}: {rule}, got {entry!r}")
    ((scale, values),) = entry.items()
    if not isinstance(values, (tuple, list)) or not values:
        raise InputError(f"space: {name}: {scale}: must be a list, got {values!r}")
    number = float if scale in ("log", "uniform") else (lambda one: one)
    try:
        return {scale: [number(one) for one in values]}
    except (TypeError, ValueError):
        raise InputError(f"space: {name}: {scale}: must be numbers, got {values!r}") from None


def _registered(fn: OwnFunction, axes: Mapping[str, Mapping[str, list[Any]]]) -> str:
    """Make a function a trainer of this process, under a name of its own; return that."""
    fields: dict[str, Any] = {
        name: (Any, next(iter(axis.values()))[0]) for name, axis in axes.items()
    }
    options: type[BaseModel] = create_model("Options", **fields)
    names = sorted(axes)

    def train(point: Point, splits: Splits, seed: tuple[int, ...], own: BaseModel) -> npt.ArrayLike:
        params = {"lambda": 10.0 ** point[0], **{one: getattr(own, one) for one in names}}
        return fn(params, splits, int(np.random.SeedSequence(seed).generate_state(1)[0]))

    kind = function_trainer(
        f"function-{next(_numbers)}", train, options=options,
        parameters=[Parameter(name=one, scales=tuple(_SCALES[s] for s in axes[one]))
                    for one in names],
    )  # fmt: skip
    return register(kind).name


def _slug(fn: OwnFunction) -> str:
    """A function's name as that of a study."""
    name = re.sub(r"[^A-Za-z0-9._-]", "-", getattr(fn, "__name__", "function"))
    return name.strip("-._")[:100] or "function"
