"""Warm starts: a study takes over what another one has seen when it is planned, and keeps it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from storage_stub import planned, work

from lamsearch.errors import InputError
from lamsearch.results import STAGES
from lamsearch.search import observed
from lamsearch.storage import Database, Leases, delete, load, read_study
from lamsearch.study import Study

Build = Callable[..., Study]


@pytest.fixture
def second(small_study: Build) -> Callable[..., Study]:
    """Build a study that starts from `first`, with changes."""

    def build(**changes: Any) -> Study:
        return small_study(
            name="second",
            coarse={"start_from": "first"},
            finalists={"rule": "model", "keep": 4},
            **changes,
        )

    return build


@pytest.fixture
def first(database: Database, small_study: Build) -> Study:
    """Plan `first`, and work until its fine stage is done."""
    study = small_study(name="first")
    planned(database, study)
    work(Leases(database, "first", owner="a", seconds=60.0), until="finalists")
    return study


def test_a_study_keeps_what_it_was_planned_with(
    database: Database, first: Study, second: Callable[..., Study]
) -> None:
    """The scores are those of then: the other study goes on and is deleted, nothing changes."""
    record = read_study(database, "first")
    stored = planned(database, second())
    assert stored.study.coarse is not None
    assert stored.study.coarse.prior == observed(record.stages, dict.fromkeys(STAGES, 100))
    work(Leases(database, "first", owner="a", seconds=60.0))
    assert planned(database, second()) == stored
    delete(database, "first")
    assert planned(database, second()) == stored
    work(Leases(database, "second", owner="b", seconds=60.0))
    selected = load(database, "second").selected
    assert selected is not None
    assert "started from another study's" in selected.rule


def test_what_it_starts_from_is_part_of_what_a_study_is(
    database: Database, first: Study, second: Callable[..., Study], small_study: Build
) -> None:
    """The stored fingerprint holds the scores; one from which nothing is started has its own."""
    stored = planned(database, second())
    assert stored.study.fingerprint != second().fingerprint
    assert load(database, "first").study.fingerprint == first.fingerprint
    assert planned(database, small_study(name="third")).study == small_study(name="third")


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"metric": "log_loss"}, "'first' must have the metric of this study, 'log_loss', got"),
        ({"name": "first"}, "must name another study in the storage, got 'first'"),
    ],
)
def test_a_study_of_another_kind_is_no_start(
    database: Database, first: Study, small_study: Build, changes: dict[str, Any], rule: str
) -> None:
    """Nothing is planned, and the sentence has the rule and the value."""
    study = small_study(
        **{"name": "second", **changes}, coarse={"start_from": "first"},
        finalists={"rule": "model"},
    )  # fmt: skip
    with pytest.raises(InputError, match=rule):
        planned(database, study)


def test_a_study_that_is_not_there_or_has_seen_nothing_is_no_start(
    database: Database, second: Callable[..., Study], small_study: Build
) -> None:
    """A name that nobody knows, and a study of which nothing is trained yet."""
    with pytest.raises(InputError, match="must name another study in the storage, got 'first'"):
        planned(database, second())
    planned(database, small_study(name="first"))
    with pytest.raises(InputError, match="needs a stage with at least 3 candidates"):
        planned(database, second())
