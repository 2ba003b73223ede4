"""A transition is decided outside any transaction, and written once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest
import sqlalchemy as sa
from storage_stub import Window, claimed, finish, planned

from lamsearch.search import Step
from lamsearch.storage import Database, Leases, advance, create, delete, load, transition
from lamsearch.study import Study

search = import_module("lamsearch.search")  # `lamsearch.search` itself is a function

Build = Callable[..., Study]
Open = Callable[[str], Database]


@pytest.fixture
def coarse_done(database: Database, small_study: Build) -> Study:
    """The small study, with all of coarse complete and fine not yet planned."""
    study = small_study()
    planned(database, study)
    leases = Leases(database, study.name, owner="a", seconds=60.0)
    for _ in range(2):
        finish(leases, claimed(leases))
    return study


def while_deciding(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> list[int]:
    """Let ``act`` happen in the middle of the next decision, once; the list counts decisions."""
    real, calls = search.next_steps, list[int]()

    def deciding(*arguments: Any) -> Iterator[Step]:
        calls.append(1)
        if len(calls) == 1:
            act()
        return real(*arguments)

    monkeypatch.setattr(transition, "next_steps", deciding)
    return calls


def test_others_may_write_while_a_search_decides(
    database: Database, url: str, coarse_done: Study, window: Window, open_database: Open,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A decision, which may fit a model, holds no lock: others write the study meanwhile."""
    other = open_database(url)

    def write() -> None:
        with other.write() as transaction:
            if transaction.connection.dialect.name == "postgresql":
                transaction.execute(sa.text("SET LOCAL lock_timeout = '2s'"))
            transaction.execute(sa.text("UPDATE lamsearch_study SET origin = 'elsewhere'"))

    calls = while_deciding(monkeypatch, write)
    advance(database, coarse_done.name)
    assert len(calls) == 1
    assert load(database, coarse_done.name).origin == "elsewhere"
    assert window.states()["small/fine"] == {"WAITING": 4}


def test_who_decided_later_writes_nothing(
    database: Database, url: str, coarse_done: Study, window: Window, open_database: Open,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Where another has made the transition meanwhile, the same decision is not written again."""
    other, tables = open_database(url), list[Any]()

    def make_it() -> None:
        advance(other, coarse_done.name)
        tables.append(window.tables())

    calls = while_deciding(monkeypatch, make_it)
    advance(database, coarse_done.name)
    assert len(calls) == 2
    assert window.states()["small/fine"] == {"WAITING": 4}
    assert window.tables() == tables[0]


def test_a_decision_on_a_study_that_is_made_anew_is_dropped(
    database: Database, url: str, coarse_done: Study, window: Window, open_database: Open,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A study deleted and planned again while its transition was decided begins at its first
    stage."""
    other = open_database(url)

    def begin_anew() -> None:
        delete(other, coarse_done.name)
        create(
            other, coarse_done, data_fingerprint="d" * 64,
            validation_images=dict.fromkeys(coarse_done.stages, 100),
            classes=("zero", "one"), origin="/studies", files="/files",
        )  # fmt: skip

    while_deciding(monkeypatch, begin_anew)
    advance(database, coarse_done.name)
    assert window.states() == {"small/coarse": {"WAITING": 5}}
