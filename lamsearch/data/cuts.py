"""Which examples are for training, for validation and for the test: rows, in drawn orders.

Enters: a study whose sizes are numbers, labels and groups of examples. Leaves: rows. Pure: the same
study, labels and groups give the same rows. Refuses to know what the examples are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lamsearch.data.images import Contents, Groups, Labels
from lamsearch.data.moments import Order
from lamsearch.errors import DataError
from lamsearch.results import StageName
from lamsearch.study import Study

# Spawn keys: no SeedSequence([seed, stage, replicate]) of a training can meet these streams.
TEST_CUT, POOL_ORDER = 0x7E57, 0x9001


def count_test_images(study: Study, name: str, have: int, own: int | None) -> int:
    """Return how many test images there are, once the study's sizes fit the source.

    ``have`` images are outside the source's own test set of ``own`` (None where it has none).

    Raises:
        DataError: The study asks for more images than there are.
    """
    asked, data = study.pool_size, study.data
    whose = f"the {have} images of {name}"
    if own is not None:
        if data.test is not None:
            rule = f"must not be given: {name} has a test set of its own"
            raise DataError(f"data.test: {rule}, got {data.test}")
        if asked > have:
            raise DataError(f"data: train + validation must be at most {whose}, got {asked}")
        return own
    test = data.test if isinstance(data.test, int) else have - asked
    if test < 0:
        raise DataError(f"data: train + validation must be at most {whose}, got {asked}")
    if asked + test > have:
        rule = f"train + validation + test must be at most {whose}"
        raise DataError(f"data: {rule}, got {asked + test}")
    if test == 0 and study.final is not None:
        rule = f"train + validation must leave at least one of {whose} to test with"
        raise DataError(f"data: {rule}, got {asked}")
    return test


def cut_test_images(study: Study, contents: Contents) -> tuple[Order, Order]:
    """Return which images of a source without a test set are for the test, and which the pool.

    Where the study names groups, each is wholly in one of the two.

    Raises:
        DataError: There are too few groups.
    """
    count = count_test_images(study, contents.name, len(contents.pool), None)
    generator = _generator(study, TEST_CUT)
    if contents.pool.groups is not None and count:
        order, ends = _in_groups(
            contents.pool.groups, generator.permutation(len(contents.pool)), generator
        )
        count = _nearest(ends, [count], left=2)[0]
    else:
        order = _permuted(contents.pool.y, generator, study.data.stratified)
    return order[:count], order[count:]


def orders(
    study: Study,
    stage: StageName,
    y: Labels,
    whose: int | None = None,
    groups: Groups | None = None,
) -> tuple[Order, Order]:
    """Return which images of the pool are the stage's training and validation images.

    Validation images come first in one order of the whole pool, so that a smaller validation
    split lies inside a larger one. ``whose`` is what `Study.order_of` says: which replicate's order
    it is, None the study's. A split that the table makes keeps the order of the pool. With groups
    the order is one of whole groups, and is cut between those where that is nearest to the sizes.

    With folds ``whose`` is a replicate's number: its fold comes round in the order of its round of
    them, the first round's being the study's.

    Raises:
        DataError: There are too few groups.
    """
    assigned = study.data.assigned
    if assigned is not None:
        return _rows(assigned.train), _rows(assigned.validation)
    settings = study.settings_of(stage)
    train, validation = settings.train or 0, settings.validation or 0  # a checked study has both
    own, fold, folds = () if whose is None else (whose,), 0, study.data.folds
    if folds is not None:
        turn, fold = divmod(whose or 0, folds)
        own = (turn,) if turn else ()
    generator = _generator(study, POOL_ORDER, *own)
    if groups is None:
        order = _permuted(y, generator, study.data.stratified)[: validation + train]
        return _without(order, fold * validation, (fold + 1) * validation)
    drawn = generator.permutation(len(y)).astype(np.intp)
    order, ends = _in_groups(groups, drawn, generator)
    if folds is None:
        end, stop = _nearest(ends, [validation, validation + train])
        rows = _without(order[:stop], 0, end)
    else:
        cuts = [0, *_nearest(ends, [len(y) * one // folds for one in range(1, folds + 1)])]
        rows = _without(order, cuts[fold], cuts[fold + 1])
    return _among(drawn, rows[0]), _among(drawn, rows[1])


def _without(order: Order, start: int, stop: int) -> tuple[Order, Order]:
    """An order without a part of it, and that part."""
    return np.delete(order, slice(start, stop)), order[start:stop]


def _in_groups(
    groups: Groups, drawn: Order, generator: np.random.Generator
) -> tuple[Order, Sequence[int]]:
    """An order of the rows in which groups stand whole, each place alike likely for each of them;
    and where each of them ends."""
    names, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    rank = generator.permutation(len(names))
    order = drawn[np.argsort(rank[group[drawn]], kind="stable")]
    return order, np.cumsum(sizes[np.argsort(rank)]).tolist()


def _nearest(ends: Sequence[int], wanted: Sequence[int], *, left: int = 0) -> list[int]:
    """The ends of groups nearest to the cuts that are ``wanted``, of two as near the first.

    Between cuts, and before the first, is a group at least; ``left`` stay behind the last.

    Raises:
        DataError: There are too few groups for that.
    """
    if len(ends) < len(wanted) + left:
        rule = f"must name at least {len(wanted) + left} groups, which stay whole"
        raise DataError(f"data.groups: {rule}, got {len(ends)}")
    found: list[int] = []
    first = 0
    for index, cut in enumerate(wanted):
        last = len(ends) - (len(wanted) - index - 1) - left
        first = min(range(first, last), key=lambda at: abs(ends[at] - cut)) + 1
        found.append(ends[first - 1])
    return found


def _among(drawn: Order, rows: Order) -> Order:
    """Rows in the order in which they were drawn, groups mixed."""
    chosen = np.zeros(len(drawn), np.bool_)
    chosen[rows] = True
    return drawn[chosen[drawn]]


def _generator(study: Study, *purpose: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(study.seed, spawn_key=purpose))


def _permuted(y: Labels, generator: np.random.Generator, stratified: bool) -> Order:
    """Return a random order; stratified, each prefix has about its share of every class.

    The i-th of a class's n images, shuffled, is placed at (i + u) / n with one u per class: the
    systematic sample of survey statistics, under which every image is equally likely to be in
    a prefix.
    """
    if not stratified:
        return generator.permutation(len(y)).astype(np.intp)
    place = np.empty(len(y))
    for label in np.unique(y):
        members = generator.permutation(np.flatnonzero(y == label))
        place[members] = (np.arange(len(members)) + generator.random()) / len(members)
    return np.argsort(place, kind="stable")


def _rows(ranges: tuple[range, ...]) -> Order:
    return np.concatenate([np.arange(one.start, one.stop) for one in ranges])
