"""What a page shows of a few studies beside their lines in the queue: scores, and where they are.

Enters: the names of the studies that are on the page. Leaves: for each its scores over what is
searched, and the numbers of its stages in Optuna's dashboard, in two statements for all of them.
Writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from lamsearch.results import STAGES
from lamsearch.space import LAMBDA
from lamsearch.storage.candidate_means import candidate_means
from lamsearch.storage.damage import damage_is_said
from lamsearch.storage.engine import Database
from lamsearch.storage.optuna_bridge import STUDIES
from lamsearch.storage.planned import is_ours
from lamsearch.storage.retries import retried
from lamsearch.storage.status import Scored
from lamsearch.storage.tables import stages

_NEAR = 0.02  # candidates nearer than this in the coordinate are one mark of a small figure
_MOST = 100  # studies of one page


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """Scores of a study, in the order of its stages, then of λ; Optuna's number of each stage."""

    points: tuple[Scored, ...] = ()
    numbers: Mapping[str, int] = field(default_factory=dict)


@retried
@damage_is_said()
def read_glances(database: Database, names: Iterable[str]) -> dict[str, Glance]:
    """Return what a page shows of each of at most a hundred studies that are there."""
    wanted = list(names)[:_MOST]
    with database.read() as transaction:
        numbers = transaction.execute(_numbers_query(wanted)).all()
        kind = transaction.connection.dialect.name
        scored = transaction.execute(_points_query(wanted, kind)).all()
    return {name: _glance(name, numbers, scored) for name in wanted}


def _glance(name: str, numbers: Iterable[sa.Row[Any]], scored: Iterable[sa.Row[Any]]) -> Glance:
    points = [
        Scored(stage=row.stage, at=float(row.at), score=float(row.score))
        for row in scored
        if row.study == name
    ]
    points.sort(key=lambda one: (STAGES.index(one.stage), one.at))
    return Glance(
        points=tuple(points),
        numbers={row.name: row.optuna_study for row in numbers if row.study == name},
    )


def _numbers_query(names: list[str]) -> sa.Select[Any]:
    query = sa.select(stages.c.study, stages.c.name, stages.c.optuna_study)
    return query.join(STUDIES, is_ours()).where(stages.c.study.in_(names))


def _points_query(names: list[str], dialect: str) -> sa.Select[Any]:
    """The best of what lies near each other."""
    means = candidate_means(names, dialect, LAMBDA.name, apart=True)
    return sa.select(
        means.c.study,
        means.c.stage,
        sa.func.avg(means.c.x).label("at"),
        sa.func.max(means.c.y).label("score"),
    ).group_by(means.c.study, means.c.stage, sa.func.round(means.c.x / _NEAR))
