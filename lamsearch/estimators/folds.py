"""How examples are split for cross-validation.

Enters: ``cv`` as scikit-learn takes it, labels, groups, a seed. Leaves: repetitions of splits, and
blocks of examples. Refuses to know estimators and scores.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

IndexArray = npt.NDArray[np.intp]
Split = tuple[IndexArray, IndexArray]  # trained on, tested on
Repetition = tuple[Split, ...]
_DEFAULT = 5


def repetitions(
    cv: Any, X: Any, y: Any, groups: Any, *, strata: IndexArray | None, repeats: int, seed: int
) -> tuple[Repetition, ...]:
    """Return the splits of each repetition.

    Of a number of folds (None: 5) each repetition has a partition of its own, drawn with the seed;
    ``strata`` keep their shares in every fold, ``groups`` stay together. Of a splitter or a list of
    splits there is one repetition, which is all of them.

    Raises:
        ValueError: There is nothing to split, or ``cv`` is none of these.
    """
    if cv is None or (isinstance(cv, int) and not isinstance(cv, bool)):
        folds = _DEFAULT if cv is None else int(cv)
        _check(folds, len(y), repeats)
        return tuple(
            tuple(_folds(folds, len(y), groups, strata, (seed, number)))
            for number in range(repeats)
        )
    if repeats != 1:
        raise ValueError(f"repeats: must be 1 where cv is no number of folds, got {repeats}")
    if hasattr(cv, "split") and not isinstance(cv, str):
        found = list(cv.split(X, y, groups))
    elif np.iterable(cv) and not isinstance(cv, str):
        found = list(cv)
    else:
        raise ValueError(f"cv: must be a number of folds, a splitter or splits, got {cv!r}")
    if not found:
        raise ValueError("cv: must have at least one split, got none")
    return (tuple((np.asarray(train), np.asarray(test)) for train, test in found),)


def blocks_of(repetition: Repetition, count: int) -> list[IndexArray]:
    """Return the examples by the first split that tests them; of folds these are the folds."""
    first = np.full(count, -1)
    for number, (_, test) in reversed(list(enumerate(repetition))):
        first[test] = number
    found = [np.flatnonzero(first == number) for number in range(len(repetition))]
    return [block for block in found if len(block)]


def _check(folds: int, count: int, repeats: int) -> None:
    if folds < 2:
        raise ValueError(f"cv: must be at least 2 folds, got {folds}")
    if count < folds:
        raise ValueError(f"cv: {folds} folds need at least {folds} examples, got n_samples={count}")
    if repeats < 1:
        raise ValueError(f"repeats: must be at least 1, got {repeats}")


def _folds(
    folds: int, count: int, groups: Any, strata: IndexArray | None, seed: tuple[int, int]
) -> Iterator[Split]:
    rng = np.random.default_rng(seed)
    fold = (
        _of_examples(folds, count, strata, rng)
        if groups is None
        else _of_groups(folds, np.asarray(groups), strata, rng)
    )
    for number in range(folds):
        yield np.flatnonzero(fold != number), np.flatnonzero(fold == number)


def _of_examples(
    folds: int, count: int, strata: IndexArray | None, rng: np.random.Generator
) -> IndexArray:
    """Deal shuffled examples out to the folds, stratum by stratum: sizes differ by one at most."""
    order = rng.permutation(count)
    if strata is not None:
        order = order[np.argsort(strata[order], kind="stable")]
    fold = np.empty(count, np.intp)
    fold[order] = rng.permutation(folds)[np.arange(count) % folds]
    return fold


def _of_groups(
    folds: int, groups: npt.NDArray[Any], strata: IndexArray | None, rng: np.random.Generator
) -> IndexArray:
    """Deal whole groups out, the largest first, each to where it leaves the strata most even.

    Raises:
        ValueError: There are fewer groups than folds.
    """
    names, number = np.unique(groups, return_inverse=True)
    if len(names) < folds:
        raise ValueError(f"cv: {folds} folds need at least {folds} groups, got {len(names)}")
    kinds = np.zeros(len(groups), np.intp) if strata is None else strata
    table = np.zeros((len(names), int(kinds.max()) + 1))
    np.add.at(table, (number, kinds), 1)
    share = np.maximum(table.sum(axis=0), 1)
    filled, of_group = np.zeros((folds, table.shape[1])), np.empty(len(names), np.intp)
    order = rng.permutation(len(names))
    for group in order[np.argsort(-table.sum(axis=1)[order], kind="stable")]:
        uneven = 2 * (filled * table[group] / share**2).sum(axis=1)
        of_group[group] = int(np.lexsort((filled.sum(axis=1), uneven))[0])
        filled[of_group[group]] += table[group]
    return of_group[number]
