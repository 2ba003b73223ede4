"""A trainer that trains nothing, and windows into a storage that do not go through lamsearch."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import optuna
import sqlalchemy as sa
from optuna.storages import RDBStorage

from lamsearch.results import Curve, FinalScore, Trained, TrialState
from lamsearch.storage import (
    Claim,
    Database,
    Heartbeat,
    LeasedTrial,
    Leases,
    PlannedStudy,
    Wait,
    create,
)
from lamsearch.study import Study, parse_study

BEAT = Heartbeat(updates=30, per_second=12.5, best=0.8, best_at=(-3.0,))
FINAL = FinalScore(
    mean=0.9, sd=0.01, n=2, interval95=(0.85, 0.95), ensemble=0.91, scores=(0.89, 0.91),
    test_images=200, confusion=((3, 1), (0, 4)),
)  # fmt: skip


def planned(database: Database, study: Study, **changes: Any) -> PlannedStudy:
    """Plan a study with made-up data facts."""
    facts: dict[str, Any] = {
        "data_fingerprint": "d" * 64,
        "validation_images": dict.fromkeys(study.stages, 100),
        "classes": ("zero", "one"),
        "origin": "/studies",
        "files": "/files",
    }
    return create(database, study, **{**facts, **changes})


def accuracy(log10_lambda: float, replicate: int = 0) -> float:
    """Return a made-up validation accuracy with its top at log10 λ = −3."""
    return 0.9 - 0.02 * (log10_lambda + 3.0) ** 2 + 0.001 * replicate


def trained(leased: LeasedTrial, replicate: int = 0, **changes: Any) -> Trained:
    """Return the made-up outcome of a trial: two cycles, a curve, 100 validation images."""
    score = accuracy(leased.point[0], replicate)
    rng = np.random.default_rng(leased.candidate)
    names = ("training_loss", "training_cost", "training_accuracy",
             "validation_loss", "validation_cost", "validation_accuracy")  # fmt: skip
    values: dict[str, Any] = {
        "state": TrialState.COMPLETE,
        "score": score,
        "validation_loss": 1.0 - score,
        "train_score": score + 0.05,
        "cycle_scores": (score - 0.1, score),
        "curve": Curve(
            updates=np.array([0, 15, 30]),
            learning_rate=rng.standard_normal(3).astype(np.float32),
            values={name: rng.standard_normal(3).astype(np.float32) for name in names},
        ),
        "scores": rng.random(100) < score,
    }
    return Trained(**{**values, **changes})


def failed(reason: str = "cost is nan at update 7") -> Trained:
    """Return the outcome of a net that was taken out."""
    return Trained(state=TrialState.FAIL, reason=reason)


def outcomes(claim: Claim) -> list[Trained]:
    """Return the made-up outcomes of a cohort."""
    return [trained(leased, claim.replicate) for leased in claim.trials]


def claimed(leases: Leases) -> Claim:
    """Claim, where there is something to claim."""
    claim = leases.claim()
    assert isinstance(claim, Claim), claim
    return claim


def finish(leases: Leases, claim: Claim, results: Sequence[Trained] | None = None) -> None:
    """Do the work of a claim."""
    if claim.tests:
        leases.open_test(claim, "a test")
        leases.complete_test(claim, FINAL)
    else:
        leases.complete(claim, outcomes(claim) if results is None else results, BEAT, 1.5)


def work(leases: Leases, *, until: str | None = None) -> list[Claim]:
    """Work until the study is over, or until ``until`` is the next stage; return what was done."""
    done: list[Claim] = []
    while True:
        claim = leases.claim()
        if claim is None:
            return done
        if isinstance(claim, Wait):
            time.sleep(0.01)  # what a worker does: others hold all that is left
            continue
        if until is not None and until == ("test" if claim.tests else claim.stage):
            leases.give_back(claim)
            return done
        finish(leases, claim)
        done.append(claim)


def work_in_a_process(
    url: str, document: dict[str, Any], owner: str, gate: Any, results: Any
) -> None:
    """Plan the study at the same moment as others and work on it; report what was done."""
    try:
        gate.wait(60)
        database = Database(url)
        study = parse_study(document)
        stored = planned(database, study)
        leases = Leases(database, study.name, owner=owner, seconds=60.0)
        done = work(leases)
        database.close()
        results.put((owner, stored.id, [(c.stage, c.tests, c.number) for c in done], None))
    except BaseException as error:
        results.put((owner, None, [], repr(error)))


@contextmanager
def death_at(start: str, call: int = 1) -> Iterator[None]:
    """Let a process die, for once, as it sends its ``call``-th statement that starts so."""
    calls = [0]

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        calls[0] += statement.startswith(start)
        if calls[0] == call and statement.startswith(start):
            raise KeyboardInterrupt

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        yield
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)


@contextmanager
def counted() -> Iterator[list[str]]:
    """Note the statements that are sent to any database, those that begin a transaction too."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)


_SCHEMAS: dict[str, sa.MetaData] = {}  # by kind of database: reading one takes a while


def _whole(table: sa.Table) -> sa.Select[Any]:
    return sa.select(*(one for one in table.columns if one.name != "transition_until"))


class Window:
    """A look at a storage's rows past lamsearch."""

    def __init__(self, url: str) -> None:
        parsed = sa.make_url(url)
        if parsed.get_backend_name() == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        self.url = parsed.render_as_string(hide_password=False)
        self.engine = sa.create_engine(self.url, poolclass=sa.NullPool)

    def tables(self) -> dict[str, list[str]]:
        """Return every row of every table; two equal answers mean that nothing was changed.

        Whose turn a transition is (`storage.turns`) is left out: it is taken before anything is
        changed, and runs out by itself.
        """
        with self.engine.connect() as connection:
            metadata = _SCHEMAS.setdefault(connection.dialect.name, sa.MetaData())
            if not metadata.tables:
                metadata.reflect(connection)
            return {
                name: sorted(repr(tuple(row)) for row in connection.execute(_whole(table)))
                for name, table in sorted(metadata.tables.items())
            }

    def counts(self) -> dict[str, int]:
        """Return the number of rows of the tables that have some."""
        return {name: len(rows) for name, rows in self.tables().items() if rows}

    def storage(self) -> RDBStorage:
        """Return the storage as plain Optuna opens it."""
        return RDBStorage(
            self.url, engine_kwargs={"poolclass": sa.NullPool},
            skip_compatibility_check=True, skip_table_creation=True,
        )  # fmt: skip

    def trials(self) -> dict[str, list[optuna.trial.FrozenTrial]]:
        """Return all trials of all studies, as plain Optuna loads them from the URL."""
        storage = self.storage()
        names = optuna.get_all_study_names(storage)
        return {n: optuna.load_study(study_name=n, storage=storage).trials for n in names}

    def states(self) -> dict[str, Counter[str]]:
        """Return how many trials of each study are in which state."""
        return {
            name: Counter(trial.state.name for trial in trials)
            for name, trials in self.trials().items()
        }

    def execute(self, statement: str, **values: Any) -> None:
        """Change a row behind lamsearch's back."""
        with self.engine.begin() as connection:
            connection.execute(sa.text(statement), values)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(query))]

    def column(self, name: str, table: str = "lamsearch_cohort") -> list[Any]:
        """Return a column of one of our tables, cohorts in their order."""
        order = "stage, number" if table == "lamsearch_cohort" else name
        with self.engine.connect() as connection:
            query = sa.text(f"SELECT {name} FROM {table} ORDER BY {order}")  # noqa: S608 - ours
            return list(connection.scalars(query))

    def json(self, name: str, table: str = "lamsearch_cohort", where: str = "1 = 1") -> list[Any]:
        """Return a column of JSON of one of our tables, in the order of its rows' keys."""
        keys = "study, name" if table == "lamsearch_stage" else "study, stage, number"
        query = f"SELECT {name} FROM {table} WHERE {where} ORDER BY {keys}"  # noqa: S608 - ours
        found = [row[0] for row in self.rows(query)]
        return [json.loads(one) if isinstance(one, str) else one for one in found]

    def expire(self) -> None:
        """Let every lease run out."""
        self.execute("UPDATE lamsearch_cohort SET expires = expires - 1000")


def flat(claims: Iterable[Claim]) -> list[tuple[str, int]]:
    """Return claims as (stage, cohort), the test as a stage of its own."""
    return [("test" if claim.tests else claim.stage, claim.number) for claim in claims]
