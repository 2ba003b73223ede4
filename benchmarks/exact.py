"""Whether a study ended as planned, seen through plain SQL: nothing lost, doubled, beyond, changed.

Enters: storage URLs of a study and of an undisturbed one of the same file. Leaves: counts, all of
which must be zero. Rows are counted without lamsearch or Optuna, whose views could hide some.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa

from lamsearch import report
from lamsearch import storage as store
from lamsearch.storage import Database, Mode, parse_url

ANSWER = ("stages", "selected", "final")
_TRIALS = "SELECT trial_id FROM trials JOIN studies USING (study_id) WHERE study_name LIKE :like"
# All that a study leaves in the storage; each is counted against the undisturbed one's.
_ROWS = {
    "studies": "SELECT count(*) FROM studies WHERE study_name LIKE :like",
    **{
        table: f"SELECT count(*) FROM {table} WHERE trial_id IN ({_TRIALS})"  # noqa: S608 - constants
        for table in (
            "trials", "trial_values", "trial_params", "trial_intermediate_values",
            "trial_user_attributes", "trial_system_attributes", "trial_heartbeats",
        )
    },
    "curves": "SELECT count(*) FROM lamsearch_curve WHERE study_id IN "
    "(SELECT id FROM lamsearch_study WHERE name = :name)",
    "stages": "SELECT count(*) FROM lamsearch_stage WHERE study = :name",
    "cohorts": "SELECT count(*) FROM lamsearch_cohort WHERE study = :name",
}  # fmt: skip
_SLOTS = """
SELECT study_name, trials.state,
       (SELECT value_json FROM trial_user_attributes AS a
        WHERE a.trial_id = trials.trial_id AND key = 'candidate') AS candidate,
       (SELECT value_json FROM trial_user_attributes AS a
        WHERE a.trial_id = trials.trial_id AND key = 'replicate') AS replicate
FROM trials JOIN studies USING (study_id) WHERE study_name LIKE :like
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a study stands in its storage."""

    trials: Counter[tuple[str, str, str]]  # stage, candidate, replicate → trials
    complete: Counter[tuple[str, str, str]]
    rows: dict[str, int]
    answer: dict[str, Any]
    arrays: dict[str, Any]  # curves, and what was classified rightly
    openings: int
    takeovers: int
    finished: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """What a disturbed study has otherwise than the undisturbed one."""

    planned: int
    lost: int
    doubled: int
    beyond: int
    missing: int
    differing: int
    openings: int
    finished: bool
    where: tuple[str, ...]

    @property
    def none(self) -> bool:
        """Whether the study ended exact."""
        wrong = self.lost + self.doubled + self.beyond + self.missing + self.differing
        return wrong == 0 and self.finished and self.openings == 1


def ended(url: str, name: str) -> Ended:
    """Read how a study stands."""
    engine = sa.create_engine(parse_url(url), poolclass=sa.NullPool)
    given = {"name": name, "like": f"{name}/%"}
    with engine.connect() as connection:
        rows = {table: int(connection.scalar(sa.text(query), given) or 0)
                for table, query in _ROWS.items()}  # fmt: skip
        found = connection.execute(sa.text(_SLOTS), given).all()
        query = "SELECT openings, finished FROM lamsearch_study WHERE name = :name"
        openings, finished = connection.execute(sa.text(query), given).one()
        query = "SELECT sum(takeovers) FROM lamsearch_cohort WHERE study = :name"
        takeovers = int(connection.scalar(sa.text(query), given) or 0)
    keys = [((row[0].partition("/")[2], row[2], row[3]), row[1]) for row in found]
    database = Database(url, Mode.READ)
    try:
        record = store.read_study(database, name)
    finally:
        database.close()
    document = report.document(record)
    return Ended(
        trials=Counter(key for key, _ in keys),
        complete=Counter(key for key, state in keys if state == "COMPLETE"),
        rows=rows,
        answer={key: document[key] for key in ANSWER},
        arrays={
            f"{name} {one.candidate} {one.replicate}": (
                None if one.curve is None else one.curve.columns(), one.scores
            )
            for name, stage in record.stages.items() for one in stage.trials
        },
        openings=len(json.loads(openings) if isinstance(openings, str) else openings),
        takeovers=takeovers,
        finished=finished is not None,
    )  # fmt: skip


def compare(found: Ended, right: Ended) -> Differences:
    """Count what is otherwise; ``right`` is the undisturbed study, all of it complete."""
    ours, theirs = dict(_leaves(found.answer)), dict(_leaves(right.answer))
    ours |= {f"arrays {path}": value for path, value in _leaves(found.arrays)}
    theirs |= {f"arrays {path}": value for path, value in _leaves(right.arrays)}
    wrong = [path for path in {*ours, *theirs} if ours.get(path) != theirs.get(path)]
    more = {table: count - right.rows[table] for table, count in found.rows.items()}
    return Differences(
        planned=right.trials.total(),
        lost=sum(found.complete[trial] == 0 for trial in right.trials),
        doubled=sum(count - 1 for count in found.trials.values()),
        beyond=sum(max(0, count) for count in more.values()),
        missing=sum(max(0, -count) for count in more.values()),
        differing=len(wrong),
        openings=found.openings,
        finished=found.finished,
        where=(*(f"{table}: {n:+}" for table, n in more.items() if n), *sorted(wrong)[:10]),
    )


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, object]]:
    """Every number and word of a document by its path; floats by their bits, arrays by bytes."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}/{key}")
    elif isinstance(value, (list, tuple)):
        yield f"{path}/length", len(value)
        for place, inner in enumerate(value):
            yield from _leaves(inner, f"{path}/{place}")
    elif isinstance(value, np.ndarray):
        yield path, (value.shape, str(value.dtype), value.tobytes())
    else:
        yield path, value.hex() if isinstance(value, float) else value
