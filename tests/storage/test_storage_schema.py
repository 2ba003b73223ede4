"""The version of our tables: what an earlier one wrote is upgraded, what a later one did is not."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from optuna.storages import RDBStorage
from storage_stub import Window, claimed, planned, work

from lamsearch import report
from lamsearch.errors import StorageError
from lamsearch.storage import Database, Leases, read_status, read_study, schema
from lamsearch.study import Study

Open = Callable[[str], Database]
Build = Callable[..., Study]
# Written by the first version: `whole` is done, one trial failed; of `half`, coarse is done and a
# cohort of fine was claimed by a worker that died.
DUMP = Path(__file__).parent / "storages/version-1.sql"
CHANGES: dict[str, Any] = {"cohort": 2, "coarse": {"trials": 3}, "fine": {"trials": 2}}
_OLD = {
    "lamsearch_study": "name, id, document, fingerprint, data_fingerprint, validation_images,"
    " classes, origin, files, created, finished, failure, selected, openings, final",
    "lamsearch_stage": "study, name, optuna_study, low, high, cohorts, rounds",
    "lamsearch_cohort": "study, stage, number, replicate, slots, state, owner, token, expires,"
    " renewed, takeovers, taken_from, recovered, updates, total, per_second, best, best_at,"
    " seconds",
    "lamsearch_curve": "trial, study, arrays",
}


def source(path: Path) -> sqlite3.Connection:
    """Restore what the first version wrote."""
    connection = sqlite3.connect(path)
    connection.executescript(DUMP.read_text(encoding="utf-8"))
    return connection


def curves_by_attributes(connection: sqlite3.Connection) -> dict[tuple[Any, ...], bytes]:
    """Each curve by study, stage, candidate and replicate, as Optuna's tables tell them."""
    rows = connection.execute(
        "SELECT c.study, s.study_name, a.value_json, b.value_json, c.arrays FROM lamsearch_curve c"
        " JOIN trials t ON t.trial_id = c.trial JOIN studies s USING (study_id)"
        " JOIN trial_user_attributes a ON a.trial_id = t.trial_id AND a.key = 'candidate'"
        " JOIN trial_user_attributes b ON b.trial_id = t.trial_id AND b.key = 'replicate'"
    ).fetchall()
    return {(r[0], r[1].partition("/")[2], int(r[2]), int(r[3])): r[4] for r in rows}


def curves_now(window: Window) -> dict[tuple[Any, ...], bytes]:
    """Each curve by study, stage, candidate and replicate, as our tables have them now."""
    with window.engine.connect() as connection:
        rows = connection.execute(
            sa.text(
                "SELECT s.name, c.stage, c.candidate, c.replicate, c.arrays FROM lamsearch_curve c"
                " JOIN lamsearch_study s ON s.id = c.study_id"
            )
        ).all()
    return {tuple(row[:4]): bytes(row[4]) for row in rows}


def to_postgres(old: sqlite3.Connection, url: str) -> None:
    """Write the first version's tables, by its own statements, with the same rows."""
    window = Window(url)
    storage = RDBStorage(window.url, engine_kwargs={"poolclass": sa.NullPool})
    storage.scoped_session.remove()
    statements = [
        row[0]
        for row in old.execute(
            "SELECT sql FROM sqlite_master WHERE sql NOT NULL AND tbl_name LIKE 'lamsearch%'"
            " ORDER BY type DESC"
        )
    ]
    ours = {"DOUBLE": "DOUBLE PRECISION", "BLOB": "BYTEA"}
    with window.engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(
                re.sub(r"\b(DOUBLE|BLOB)\b", lambda found: ours[found[0]], statement)
            )
        for table, names in _OLD.items():
            marks = ", ".join("%s" for _ in names.split(","))
            for row in old.execute(f"SELECT {names} FROM {table}"):  # noqa: S608 - constants
                connection.exec_driver_sql(
                    f"INSERT INTO {table} ({names}) VALUES ({marks})",  # noqa: S608 - constants
                    tuple(row),
                )
        metadata = sa.MetaData()
        metadata.reflect(connection, only=_optuna_tables(old))
        for optunas in metadata.sorted_tables:
            found = old.execute(f"SELECT * FROM {optunas.name}")  # noqa: S608 - a table's name
            fields = [one[0] for one in found.description]
            connection.execute(sa.delete(optunas))
            for row in found:
                values = _typed(optunas, dict(zip(fields, row, strict=True)))
                connection.execute(sa.insert(optunas).values(**values))
            (key, *_) = optunas.primary_key.columns
            if key.server_default is not None:  # a sequence, which knows nothing of these rows
                last = f"SELECT max({key.name}) FROM {optunas.name}"  # noqa: S608 - names of columns
                sequence = f"pg_get_serial_sequence('{optunas.name}', '{key.name}')"
                connection.exec_driver_sql(f"SELECT setval({sequence}, ({last}))")


def _optuna_tables(old: sqlite3.Connection) -> list[str]:
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'lamsearch%'"
    return [row[0] for row in old.execute(query)]


def _typed(table: sa.Table, values: dict[str, Any]) -> dict[str, Any]:
    """The same, times as times: SQLite keeps them as text."""
    return {
        key: datetime.fromisoformat(value)
        if value is not None and isinstance(table.c[key].type, sa.DateTime)
        else value
        for key, value in values.items()
    }


@pytest.fixture
def old(tmp_path: Path) -> sqlite3.Connection:
    """The first version's storage as SQLite has it."""
    return source(tmp_path / "version-1.db")


@pytest.fixture(params=["sqlite", "postgresql"])
def old_url(request: pytest.FixtureRequest, old: sqlite3.Connection, tmp_path: Path) -> str:
    """A storage of either kind as the first version has left it."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'version-1.db'}"
    url = str(request.getfixturevalue("postgres_url"))
    to_postgres(old, url)
    return url


def test_what_the_first_version_wrote_is_upgraded_and_nothing_lost(
    old_url: str, old: sqlite3.Connection, open_database: Open
) -> None:
    """Opening a storage of the first version for work upgrades it once, and every curve is the
    same bytes under its study, stage, candidate and replicate."""
    expected = curves_by_attributes(old)
    assert len(expected) == 13
    database = open_database(old_url)
    assert database.upgraded == f"storage: upgraded from schema version 1 to {schema.VERSION}"
    window = Window(old_url)
    assert curves_now(window) == expected
    assert window.column("version", "lamsearch_schema") == [schema.VERSION]
    assert open_database(old_url).upgraded is None
    record = read_study(database, "whole")
    assert record.finished
    assert record.data is None
    failed = record.stages["coarse"].trials[0]
    assert (failed.state.name, failed.reason) == ("FAIL", "cost is nan at update 7")
    assert all(
        (trial.curve is None) == (trial is failed)
        for stage in record.stages.values() for trial in stage.trials
    )  # fmt: skip
    assert read_status(database, "whole").points != ()


def test_a_storage_that_cannot_be_used_is_not_upgraded(old_url: str) -> None:
    """Where a column of Optuna's is missing, our tables stay those of the version before."""
    window = Window(old_url)
    window.execute("ALTER TABLE trials DROP COLUMN datetime_start")
    with pytest.raises(StorageError, match="datetime_start"):
        Database(old_url)
    assert "lamsearch_schema" not in sa.inspect(window.engine).get_table_names()


@pytest.mark.usefixtures("long_up")
def test_a_study_that_the_first_version_began_goes_on(
    old_url: str, open_database: Open, small_study: Build
) -> None:
    """A study that was interrupted under the first version ends with the answer that it has when
    it is run anew, by whoever reclaims what its worker held."""
    database = open_database(old_url)
    leases = Leases(database, "half", owner="b", seconds=20.0)
    claim = claimed(leases)
    assert (claim.stage, claim.number, claim.reclaimed, claim.token) == ("fine", 0, True, 3)
    leases.give_back(claim)
    work(leases)
    planned(database, small_study(name="anew", **CHANGES))
    work(Leases(database, "anew", owner="b", seconds=20.0))
    ours, theirs = (report.document(read_study(database, name)) for name in ("half", "anew"))
    assert [ours[key] for key in ("stages", "selected", "final")] == [
        theirs[key] for key in ("stages", "selected", "final")
    ]
    assert read_study(database, "half").stages["fine"].trials[0].curve is not None


def test_a_new_storage_has_the_version_and_the_columns_of_an_upgraded_one(
    old_url: str, open_database: Open, request: pytest.FixtureRequest
) -> None:
    """An upgraded storage and a new one have the same tables of ours, with the same columns."""
    kind = "sqlite_url" if old_url.startswith("sqlite") else "ready_postgres_url"

    def columns(url: str) -> dict[str, set[tuple[str, str]]]:
        open_database(url)
        inspector = sa.inspect(Window(url).engine)
        return {
            table: {(one["name"], str(one["type"])) for one in inspector.get_columns(table)}
            for table in inspector.get_table_names() if table.startswith("lamsearch")
        }  # fmt: skip

    assert columns(old_url) == columns(str(request.getfixturevalue(kind)))


_KILLED = """
import os, signal, sys
import sqlalchemy as sa
from lamsearch.storage import Database
words = sys.argv[2]
@sa.event.listens_for(sa.engine.Engine, "after_cursor_execute")
def strike(_connection, _cursor, statement, *_):
    if words in statement:
        os.kill(os.getpid(), signal.SIGKILL)
Database(sys.argv[1])
"""


@pytest.mark.parametrize(
    "words", ["ADD COLUMN data_facts", "RENAME TO", "INSERT INTO lamsearch_curve", "DROP TABLE",
              "ADD COLUMN decisions", "slots TO trials", "ADD COLUMN best_point",
              "UPDATE lamsearch_cohort SET trials", "SET bounds", "INSERT INTO lamsearch_schema"],
)  # fmt: skip
def test_a_process_killed_in_the_upgrade_leaves_what_was_there(
    words: str, old_url: str, old: sqlite3.Connection, open_database: Open
) -> None:
    """After a kill at any statement of the upgrade the storage is of the first version, whole, and
    the next process upgrades it."""
    expected = curves_by_attributes(old)
    old.close()
    script = [sys.executable, "-P", "-c", _KILLED, old_url, words]
    assert subprocess.run(script, check=False, env=dict(os.environ)).returncode == -signal.SIGKILL
    names = sa.inspect(Window(old_url).engine).get_table_names()
    assert "lamsearch_schema" not in names
    assert "lamsearch_curve_1" not in names
    assert len(Window(old_url).column("trial", "lamsearch_curve")) == len(expected)
    assert open_database(old_url).upgraded is not None
    assert curves_now(Window(old_url)) == expected


def test_two_that_upgrade_at_once_upgrade_once(old_url: str, old: sqlite3.Connection) -> None:
    """Of four that open a storage of the first version at the same moment, one upgrades it, and
    all can work with it."""
    expected = curves_by_attributes(old)
    old.close()
    gate, said = threading.Barrier(4), list[str | None]()

    def open_one() -> None:
        gate.wait(60)
        database = Database(old_url)
        said.append(database.upgraded)
        assert read_study(database, "whole").finished
        database.close()

    threads = [threading.Thread(target=open_one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(said) == 4
    assert len([line for line in said if line]) == 1
    assert curves_now(Window(old_url)) == expected


def test_tables_of_another_version_are_one_sentence(url: str, open_database: Open) -> None:
    """A storage that a later version wrote is refused and left as it is, also to those who only
    read; one of an earlier version is refused to those who only read, with what to do."""
    window = Window(url)
    window.execute("UPDATE lamsearch_schema SET version = version + 1")
    before = window.tables()
    with pytest.raises(StorageError) as caught:
        open_database(url)
    assert str(caught.value) == (
        f"storage: was written by a newer lamsearch: must have schema version {schema.VERSION} or "
        f"earlier, got {schema.VERSION + 1}"
    )
    with window.engine.connect() as connection, pytest.raises(StorageError, match="newer"):
        schema.check(connection)
    assert window.tables() == before
    window.execute("DROP TABLE lamsearch_schema")
    with window.engine.connect() as connection, pytest.raises(StorageError) as caught:
        schema.check(connection)
    assert str(caught.value) == (
        f"storage: must have schema version {schema.VERSION}, got 1, which an earlier lamsearch "
        "wrote; upgrade it with: lamsearch storage upgrade"
    )


def test_where_there_are_no_tables_of_ours_there_is_no_version(tmp_path: Path) -> None:
    """A database without our tables has no version, and checking it makes none."""
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'other.db'}")
    with engine.begin() as connection:
        assert schema.version_of(connection) is None
        schema.check(connection)
        assert sa.inspect(connection).get_table_names() == []
    engine.dispose()
