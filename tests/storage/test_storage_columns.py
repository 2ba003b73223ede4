"""A column or table that is missing, as after half of an upgrade: one sentence that names it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from storage_stub import Window, planned

from lamsearch.errors import StorageError, StorageFailedError
from lamsearch.storage import Database, Leases, Mode, read_status, read_study
from lamsearch.study import Study

Build = Callable[..., Study]


def shape(window: Window) -> dict[str, list[str]]:
    """Return the columns of every table, as they are now."""
    there = sa.inspect(window.engine)
    return {
        table: [column["name"] for column in there.get_columns(table)]
        for table in there.get_table_names()
    }


@pytest.mark.parametrize(
    ("statement", "name"),
    [("ALTER TABLE lamsearch_cohort DROP COLUMN lease_seconds", "lease_seconds"),
     ("ALTER TABLE lamsearch_stage DROP COLUMN rounds", "rounds"),
     ("DROP TABLE lamsearch_curve", "lamsearch_curve"),
     ("ALTER TABLE trials DROP COLUMN datetime_start", "datetime_start")],
)  # fmt: skip
def test_a_storage_that_lacks_a_column_is_refused_by_every_verb(
    url: str, window: Window, statement: str, name: str
) -> None:
    """Whether a verb looks, works or plans, a storage without one of the columns is bad input: one
    sentence names what is missing, and nothing of the statement that found it."""
    window.execute(statement)
    before = shape(window)
    for mode in Mode:
        with pytest.raises(StorageError, match=name) as caught:
            Database(url, mode)
        assert type(caught.value) is StorageError
        assert "LINE" not in str(caught.value)
        assert len(str(caught.value).splitlines()) == 1
    assert shape(window) == before


def test_a_column_that_goes_while_it_is_used_is_named(
    database: Database, window: Window, small_study: Build
) -> None:
    """Workers, status and report say of a column that is dropped under them which one it was."""
    planned(database, small_study())
    leases = Leases(database, "small", owner="worker", seconds=60.0)
    window.execute("ALTER TABLE lamsearch_cohort DROP COLUMN lease_seconds")
    window.execute("ALTER TABLE lamsearch_study DROP COLUMN data_facts")
    for act in (
        leases.claim,
        lambda: read_status(database, "small"),
        lambda: read_study(database, "small"),
    ):
        with pytest.raises(StorageFailedError, match=r"lease_seconds|data_facts") as caught:
            act()
        assert "LINE" not in str(caught.value)
