"""Migrations: one of Alembic's revisions per schema version, run by it, and by nothing else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa
from alembic.script import ScriptDirectory
from storage_stub import Window

from lamsearch.storage import Database, migrations, schema

Open = Callable[[str], Database]
_OPEN = """
import sys
from lamsearch.storage import Database
Database(sys.argv[1]).close()
print([name for name in sys.modules if name.partition(".")[0] in ("alembic", "mako")])
"""


def test_every_version_has_a_revision_that_follows_the_one_before() -> None:
    """The revisions are one line from the first version to the present one."""
    directory = Path(migrations.__file__).parent
    scripts = ScriptDirectory(str(directory), version_locations=[str(directory / "versions")])
    found = [(one.revision, one.down_revision) for one in scripts.walk_revisions()]
    versions = [str(number) for number in range(schema.VERSION, 0, -1)]
    assert found == list(zip(versions, [*versions[1:], None], strict=True))


def test_a_storage_that_is_current_is_opened_without_alembic(sqlite_url: str) -> None:
    """Opening a storage whose tables, and Optuna's, are of this version imports no Alembic, which
    takes a quarter of a second."""
    script = [sys.executable, "-P", "-c", _OPEN, sqlite_url]
    done = subprocess.run(script, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_version_stands_where_every_earlier_lamsearch_looks_for_it(
    url: str, open_database: Open
) -> None:
    """Our version is one whole number in a table of its own, and Optuna's alone in Alembic's, so
    that an earlier lamsearch refuses a storage that a later one wrote."""
    open_database(url)
    window = Window(url)
    assert window.rows("SELECT version FROM lamsearch_schema") == [(schema.VERSION,)]
    assert len(window.rows("SELECT version_num FROM alembic_version")) == 1
    names = sa.inspect(window.engine).get_table_names()
    assert [name for name in names if "alembic" in name] == ["alembic_version"]


def test_a_column_that_is_there_already_is_left_as_it_is(sqlite_url: str) -> None:
    """A migration goes past a column that was added before."""
    engine = Window(sqlite_url).engine
    with engine.begin() as connection:
        migrations.migrate(connection, 3, 4)
    with engine.connect() as connection:
        assert migrations.has_column(connection, "lamsearch_stage", "decisions")
