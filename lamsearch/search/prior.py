"""Warm starts: what another study has seen, as this one's model starts from it.

Enters: a study, or another one's records. Leaves: scores by stage, as rows of numbers or as the
model has them. Pure. Refuses to know where studies are kept, and what is made of the scores.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lamsearch.errors import InputError
from lamsearch.results import STAGES, StageName, StageRecord
from lamsearch.search.finalists import MODELLED
from lamsearch.statistics import model
from lamsearch.study import Study

Rows = tuple[tuple[float, ...], ...]


def seen_before(study: Study) -> tuple[model.Scores, ...]:
    """Return the scores, by stage, that a study's model starts from; none unless it asks for that.

    Raises:
        InputError: It names a study whose scores were not looked up.
    """
    if study.coarse is None or study.coarse.start_from is None:
        return ()
    if study.coarse.prior is None:
        raise InputError(
            "coarse.start_from: needs a storage that holds the study it names, got "
            f"{study.coarse.start_from!r} in a search without one"
        )
    return tuple(map(model.from_rows, study.coarse.prior))


def observed(
    stages: Mapping[StageName, StageRecord], examples: Mapping[StageName, int]
) -> tuple[Rows, ...]:
    """Return what a study's stages have seen: by stage a row for each candidate that ended well.

    A row has the coordinates, the mean score, the variance of that. A stage of fewer than three
    such candidates shows no shape and is left out; so is the final, which has one.
    """
    found = [_rows(stages[name], examples[name]) for name in STAGES[:-1] if name in stages]
    return tuple(rows for rows in found if len(rows) >= MODELLED)


def _rows(stage: StageRecord, examples: int) -> Rows:
    if not model.ended_well(stage):
        return ()
    found = model.scores(stage, examples)
    columns = np.column_stack([found.points, found.means, found.variances])
    return tuple(tuple(map(float, row)) for row in columns)
