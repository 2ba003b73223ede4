"""What the queue costs on PostgreSQL: a claim among 1,000 queued studies, and a pool that idles.

A claim is the look at the queue and the lease on a cohort; it is given back after each. The server
counts the transactions, SQLAlchemy the statements that are sent.
"""

from __future__ import annotations

import logging
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.common import Spread, publish, ratios, read_options, spread, table, verdict
from benchmarks.postgres import Server
from benchmarks.victims import Size
from lamsearch import storage as store
from lamsearch.errors import InterruptedWorkError
from lamsearch.storage import Claim, Database, Leases, StudyQueue
from lamsearch.storage.tables import LEASED, cohorts
from lamsearch.study import Study, parse_study
from lamsearch.worker import PoolWorker, Settings

WORKERS, MOST_PER_SECOND, MOST_RATIO = 64, 40.0, 1.5
_TRANSACTIONS = (
    "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Per second, of an idle pool altogether: statements sent, and transactions of the server."""

    statements: float
    transactions: float
    seconds: float


def main() -> None:
    """Measure, write."""
    options = read_options(__doc__ or "")
    count, rounds = (50, 20) if options.quick else (1000, 300)
    idle = 10.0 if options.quick else 60.0
    with Server(tcp=True) as server:
        few, many, ratio, past = _claims(server, count, rounds)
        with tempfile.TemporaryDirectory() as directory:
            rates = _idle(server.database(), Path(directory), idle)
    publish("pool_queue", _text(count, few, many, ratio, past, rates), options)


def _claims(server: Server, count: int, rounds: int) -> tuple[Spread, Spread, Spread, Spread]:
    """Milliseconds of a claim with one study and with many, taken in turns, and their ratios;
    and of a look where all of the many are in work."""
    with _opened(server.database()) as one, _opened(server.database()) as all_:
        _plan(one, 0)
        for number in range(count):
            _plan(all_, number)
        for database in (one, all_):
            with database.engine.connect() as connection:
                connection.execute(sa.text("ROLLBACK"))
                connection.execute(sa.text("ANALYZE"))  # as autovacuum does within a minute
        pairs = list(zip(_claimed(one, rounds), _claimed(all_, rounds), strict=True))
        few, many = zip(*pairs, strict=True)
        with all_.write() as transaction:
            lasting = {"state": LEASED, "owner": "o", "renewed": transaction.now(),
                       "expires": transaction.now() + 3600, "lease_seconds": 3600.0}  # fmt: skip
            transaction.execute(sa.update(cohorts).values(**lasting))
        past = spread(_looked(all_, min(rounds, 50)))
    return spread(few), spread(many), ratios(many, few), past


def _claimed(database: Database, rounds: int) -> Iterator[float]:
    """Claim and give back; yield milliseconds, but for the first ones."""
    queue, leases = StudyQueue(database), dict[str, Leases]()
    for number in range(rounds + 5):
        begun = time.perf_counter()
        found = queue.next()
        assert found is not None
        mine = leases.setdefault(
            found.name, Leases(database, found.name, owner="benchmark", seconds=60.0)
        )
        claim = mine.claim()
        seconds = time.perf_counter() - begun
        assert isinstance(claim, Claim)
        mine.give_back(claim)
        if number >= 5:
            yield 1000 * seconds


def _looked(database: Database, rounds: int) -> Iterator[float]:
    queue = StudyQueue(database)
    for number in range(rounds + 5):
        begun = time.perf_counter()
        assert queue.next() is None
        if number >= 5:
            yield 1000 * (time.perf_counter() - begun)
    queue.release()


def _idle(url: str, directory: Path, seconds: float) -> Rates:
    """Have a pool wait on a storage in which nothing is to be done; count."""
    logging.getLogger("lamsearch").setLevel(logging.WARNING)
    stop, sent = threading.Event(), [0]
    with ExitStack() as opened:
        databases = [opened.enter_context(_opened(url)) for _ in range(WORKERS)]
        _plan(databases[0], 0)
        store.pause(databases[0], "queued-0000")
        settings = Settings(data_directory=directory)

        def work(database: Database) -> None:
            with suppress(InterruptedWorkError):
                PoolWorker(
                    database, settings, stop=stop, say=print, warn=print,
                    admit=lambda stored: stored,
                ).run()  # fmt: skip

        threads = [threading.Thread(target=work, args=(one,)) for one in databases]
        for thread in threads:
            thread.start()
        time.sleep(10.0)  # until all wait as long as they ever do

        def note(*_arguments: Any) -> None:
            sent[0] += 1

        sa.event.listen(sa.Engine, "before_cursor_execute", note)
        before, begun = _transactions(url), time.perf_counter()
        sent[0] = 0
        time.sleep(seconds)
        count, spent = sent[0], time.perf_counter() - begun
        sa.event.remove(sa.Engine, "before_cursor_execute", note)
        after = _transactions(url)
        stop.set()
        for thread in threads:
            thread.join()
    return Rates(statements=count / spent, transactions=(after - before) / spent, seconds=spent)


def _transactions(url: str) -> int:
    """The transactions of the database so far."""
    plain = sa.make_url(url).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(plain, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        return int(connection.scalar(sa.text(_TRANSACTIONS)) or 0)


@contextmanager
def _opened(url: str) -> Iterator[Database]:
    database = Database(url)
    try:
        yield database
    finally:
        database.close()


def _study(number: int) -> Study:
    import tomllib

    return parse_study(tomllib.loads(Size(trials=8).text(f"queued-{number:04}")))


def _plan(database: Database, number: int) -> None:
    study = _study(number)
    store.create(
        database, study, data_fingerprint="d" * 64, classes=("zero", "one"), origin="/studies",
        files="/files", priority=number % 3 if number else 3,
        validation_images=dict.fromkeys(study.stages, 100),
    )  # fmt: skip


def _text(count: int, few: Spread, many: Spread, ratio: Spread, past: Spread, rates: Rates) -> str:
    rows = [
        ["a claim, 1 study queued, ms", few.text(), ""],
        [f"a claim, {count:,} studies queued, ms", many.text(), ""],
        ["ratio, claims in turns", ratio.text(), verdict(ratio.median, "≤", MOST_RATIO)],
        [f"a look past {count:,} studies all of whose cohorts are leased, ms", past.text(), ""],
        [f"{WORKERS} idle workers, statements a second", f"{rates.statements:.1f}",
         verdict(rates.statements, "≤", MOST_PER_SECOND)],
        ["… the server's transactions a second", f"{rates.transactions:.1f}",
         verdict(rates.transactions, "≤", MOST_PER_SECOND)],
    ]  # fmt: skip
    return (
        f"{(__doc__ or '').strip()} Times are median (quartiles); the pool idled for "
        f"{rates.seconds:.0f} s.\n\n{table(['', 'measured', 'target'], rows)}"
    )


if __name__ == "__main__":
    main()
