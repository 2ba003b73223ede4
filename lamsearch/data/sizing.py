"""The sizes of a study's splits once its data are known: the one place where they become numbers.

Enters: a study as it was written, and what its source holds. Leaves: the study in whole numbers of
examples, such as are stored, and to which everything later keeps. Refuses to draw otherwise than
`cuts`.

Groups stay whole, so with them sizes are those that the drawn order of groups allows: the numbers
are those that came out. Asked for again they come out again, for the cuts lie where groups end.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lamsearch.data.cuts import cut_test_images, orders
from lamsearch.data.images import Contents
from lamsearch.results import StageName
from lamsearch.study import Study

Sizes = dict[str, dict[str, int]]  # of [data] and [final]


def sizes_in_groups(study: Study, contents: Contents) -> Sizes:
    """Return the sizes that whole groups allow, of a study in numbers.

    Those of a split are the study's own; a replicate that draws an order of its own comes as near
    to them as its groups allow.

    Raises:
        DataError: There are too few groups, or examples.
    """
    y, groups, found = contents.pool.y, contents.pool.groups, Sizes()
    data: dict[str, int] = {}
    if contents.test is None:
        test, rest = cut_test_images(study, contents)
        y, groups = y[rest], None if groups is None else groups[rest]
        if len(test):
            data["test"] = len(test)

    def sizes(stage: StageName) -> dict[str, int]:
        train, validation = orders(study, stage, y, None, groups)
        return {"train": len(train), "validation": len(validation)}

    final = study.final
    if final is not None and (final.train is not None or final.validation is not None):
        found["final"] = sizes("final")
    if study.stages != ("final",) or "final" not in found:
        data |= sizes(study.stages[0])
    return found | {"data": data}


def about_groups(study: Study) -> list[object]:
    """Return all that `sizes_in_groups` follows from, besides the data."""
    data = study.data.model_dump(mode="json")
    splits = [(stage, study.split_of(stage)) for stage in study.stages]
    final = study.final
    own = None if final is None else [final.train, final.validation]
    return ["sizes in groups", study.seed, data, study.pool_size, splits, own]


def are_sizes(found: Mapping[str, Any]) -> bool:
    """Whether what a cache remembers has the form of `sizes_in_groups`."""
    return found.keys() <= {"data", "final"} and all(
        isinstance(own, dict) and all(type(size) is int and size > 0 for size in own.values())
        for own in found.values()
    )
