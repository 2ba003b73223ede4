"""Keeping leases: what renews them, what is only looked at, and how one that ran out is found."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from storage_stub import BEAT, Window, claimed, counted, finish, planned, work

from lamsearch import report
from lamsearch import storage as store
from lamsearch.errors import LeaseLostError
from lamsearch.storage import Claim, Database, Leases, Wait, leases, read_study, schema
from lamsearch.storage.expiry import has_ended
from lamsearch.storage.tables import LEASED, cohorts
from lamsearch.study import Study

Build = Callable[..., Study]
Open = Callable[[str], Database]
_UNCHANGED = ("lamsearch_cohort", "lamsearch_stage", "lamsearch_curve", "trials", "trial_values")
STORAGES = Path(__file__).parent / "storages"


@pytest.fixture
def worker(database: Database, small_study: Build) -> Callable[[str], Leases]:
    """Workers of the small study, planned, by their names."""
    planned(database, small_study())
    return lambda owner: Leases(database, "small", owner=owner, seconds=60.0)


Worker = Callable[[str], Leases]


def test_a_report_renews_the_lease_and_shows_progress(worker: Worker, window: Window) -> None:
    """A cycle's report moves the expiry on by one lease from now and writes what a heartbeat does,
    so that no renewal of its own is due; without a heartbeat it leaves progress as it is."""
    leases = worker("a")
    claim = claimed(leases)
    behind = "UPDATE lamsearch_cohort SET expires = 5, renewed = 5 WHERE number = 0"
    window.execute(behind)
    leases._kept_at = float("-inf")
    leases.report(claim, 1, [0.5] * len(claim.trials), BEAT)
    assert leases.unkept_seconds < 60.0
    assert window.column("expires")[0] == window.column("renewed")[0] + 60.0 > 1e9
    assert (window.column("updates")[0], window.column("best")[0]) == (30, 0.8)
    window.execute(behind)
    leases.report(claim, 2, [0.5] * len(claim.trials))
    assert window.column("expires")[0] > 1e9
    assert window.column("updates")[0] == 30


@pytest.mark.usefixtures("long_up")
def test_a_report_of_a_cohort_that_is_another_s_renews_nothing(
    worker: Worker, window: Window
) -> None:
    """Who reports what was reclaimed is refused, and the lease of the present holder stays."""
    old = worker("a")
    claim = claimed(old)
    window.expire()
    claimed(worker("b"))
    before = window.tables()
    with pytest.raises(LeaseLostError):
        old.report(claim, 1, [0.5] * len(claim.trials), BEAT)
    assert window.tables() == before


def test_a_look_is_one_statement_that_changes_nothing(
    worker: Worker, window: Window, database: Database
) -> None:
    """Whether all is as it was is asked in one statement; on PostgreSQL without a transaction."""
    leases = worker("a")
    claim = claimed(leases)
    before = window.tables()
    leases.is_undisturbed(claim)
    with counted() as sent:
        assert leases.is_undisturbed(claim)
    asked = [one for one in sent if not one.startswith(("BEGIN", "PRAGMA"))]
    assert len(asked) == 1
    assert asked[0].startswith("SELECT")
    assert asked == sent or database.file is not None
    assert window.tables() == before


@pytest.mark.parametrize("move", ["pause", "cancel", "finish"])
def test_a_look_finds_a_study_that_is_halted(move: str, worker: Worker, database: Database) -> None:
    """Whoever holds a lease finds by reading that the study was paused, cancelled or finished."""
    leases = worker("a")
    claim = claimed(leases)
    getattr(store, move)(database, "small")
    assert not leases.is_undisturbed(claim)


def test_a_look_finds_that_a_limit_is_reached(
    database: Database, small_study: Build, window: Window
) -> None:
    """Once the time limit is reached a look finds it, though reports put renewals off, and nothing
    is written by that."""
    study = small_study(time_limit="2h")
    planned(database, study)
    leases = Leases(database, "small", owner="a", seconds=60.0, limits=study.limits)
    claim = claimed(leases)
    assert leases.is_undisturbed(claim)
    window.execute("UPDATE lamsearch_study SET started = started - 7201")
    before = window.tables()
    assert not leases.is_undisturbed(claim)
    assert window.tables() == before
    with pytest.raises(LeaseLostError, match="no longer wanted: the time limit"):
        leases.renew(claim, BEAT)


@pytest.mark.usefixtures("long_up")
def test_a_look_finds_a_cohort_that_is_lost(
    worker: Worker, database: Database, window: Window
) -> None:
    """One that was reclaimed is another's; one of a study that was deleted is nobody's."""
    leases = worker("a")
    claim = claimed(leases)
    window.expire()
    other = worker("b")
    again = claimed(other)
    assert not leases.is_undisturbed(claim)
    assert other.is_undisturbed(again)
    window.expire()
    store.delete(database, "small")
    assert not other.is_undisturbed(again)


@pytest.mark.usefixtures("long_up")
def test_who_works_is_counted_in_all_studies(
    database: Database, small_study: Build, window: Window
) -> None:
    """A claim counts the leases that hold in the whole storage, its own not yet, and one that ran
    out no more; a worker that waits believes for a while that as many will work again."""
    for name in ("one", "two"):
        planned(database, small_study(name=name))
    for name in ("one", "two"):
        claimed(Leases(database, name, owner=f"first of {name}", seconds=60.0))
    third = Leases(database, "two", owner="third", seconds=60.0)
    claimed(third)
    assert third.workers == 2
    window.expire()
    late = Leases(database, "two", owner="late", seconds=60.0)
    claimed(late)
    assert late.workers == 1
    third._counted_at = float("-inf")
    third.workers = 40
    third._waiting = 1
    third.claim()
    assert third.workers == 20


@pytest.mark.usefixtures("long_up")
def test_the_lease_that_ran_out_first_is_reclaimed_first(worker: Worker, window: Window) -> None:
    """Of two cohorts whose leases ran out, the one is reclaimed whose ran out longer ago."""
    for name in "ab":
        claimed(worker(name))
    window.expire()
    window.execute("UPDATE lamsearch_cohort SET expires = expires - 100 WHERE number = 1")
    found = [worker("c").claim(), worker("d").claim(), worker("e").claim()]
    assert [one.number for one in found if isinstance(one, Claim)] == [1, 0]
    assert isinstance(found[2], Wait)


def test_a_lease_that_ran_out_is_found_by_an_index(database: Database) -> None:
    """What looks for it walks an index that begins with those that ran out, so that leases that
    hold cost nothing, however many."""
    query = sa.select(cohorts.c.number).where(
        cohorts.c.study == "small", cohorts.c.state == LEASED, has_ended(1000.0)
    ).order_by(cohorts.c.expires).limit(1)  # fmt: skip
    words = query.compile(database.engine, compile_kwargs={"literal_binds": True})
    with database.read() as transaction:
        sqlite = database.engine.dialect.name == "sqlite"
        if not sqlite:  # which an empty table would be read by
            transaction.execute(sa.text("SET LOCAL enable_seqscan = off"))
        explain = "EXPLAIN QUERY PLAN" if sqlite else "EXPLAIN"
        plan = transaction.execute(sa.text(f"{explain} {words}")).all()
    assert "lamsearch_cohort_expires" in str(plan)
    assert "sort" not in str(plan).lower()


def test_one_worker_computes_what_comes_next(
    worker: Worker, window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one computes a stage's transition, others wait without computing it, until its turn has
    run out; who was refused an answer in its turn goes on with it."""
    one, other = worker("a"), worker("b")
    work(one, until="fine")
    window.execute("DELETE FROM lamsearch_cohort WHERE stage = 'fine'")
    begun = list[str]()

    def failing(_database: Database, _name: str) -> None:
        begun.append("computed")
        raise TimeoutError

    monkeypatch.setattr(leases, "advance", failing)
    for attempt in (1, 2):
        with pytest.raises(TimeoutError):
            one.claim()
        assert len(begun) == attempt
    assert isinstance(other.claim(), Wait)  # by writing
    assert isinstance(other.claim(), Wait)  # by reading
    assert store.next_study(other._database) is None
    assert len(begun) == 2
    window.execute("UPDATE lamsearch_study SET transition_until = transition_until - 11")
    assert store.next_study(other._database) == "small"
    with pytest.raises(TimeoutError):
        other.claim()
    assert isinstance(one.claim(), Wait)
    window.execute("UPDATE lamsearch_study SET transition_until = transition_until + 86400")
    with pytest.raises(TimeoutError):  # of a clock that was set back since
        one.claim()


def test_a_transition_that_is_made_leaves_the_turn_free(worker: Worker, window: Window) -> None:
    """After each transition nobody has the turn, so that the next one is made at once."""
    leases = worker("a")
    while (claim := leases.claim()) is not None:
        assert isinstance(claim, Claim)
        assert window.column("transition_until", "lamsearch_study") == [None]
        finish(leases, claim)


@pytest.fixture(params=["sqlite", "postgresql"])
def sixth_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A storage of either kind as the sixth version has left it: of `half`, coarse and a cohort of
    fine are done, and another was claimed by a worker that died."""
    if request.param == "sqlite":
        old = sqlite3.connect(tmp_path / "version-6.db")
        old.executescript((STORAGES / "version-6.sql").read_text(encoding="utf-8"))
        old.close()
        return f"sqlite:///{tmp_path / 'version-6.db'}"
    url = str(request.getfixturevalue("postgres_url"))
    dump = (STORAGES / "version-6-postgresql.sql").read_text(encoding="utf-8")
    with Window(url).engine.begin() as connection:
        connection.execution_options(no_parameters=True).exec_driver_sql(dump)
    return url


@pytest.mark.usefixtures("long_up")
def test_what_the_sixth_version_wrote_is_upgraded_and_goes_on(
    sixth_url: str, open_database: Open, small_study: Build
) -> None:
    """The upgrade adds the index and changes no row of cohorts and trials; a study that was
    interrupted before ends with the answer that it has when it is run anew."""
    window = Window(sixth_url)
    rows = [f"SELECT * FROM {one} ORDER BY 1, 2, 3" for one in _UNCHANGED]  # noqa: S608 - constants
    before = [window.rows(query) for query in rows]
    database = open_database(sixth_url)
    assert database.upgraded == f"storage: upgraded from schema version 6 to {schema.VERSION}"
    assert [window.rows(query) for query in rows] == before
    assert all(before)
    indexes = {one["name"] for one in sa.inspect(window.engine).get_indexes("lamsearch_cohort")}
    assert indexes >= {"lamsearch_cohort_state", "lamsearch_cohort_expires"}
    work(Leases(database, "half", owner="w", seconds=600.0))
    changes = {
        "cohort": 2,
        "coarse": {"trials": 3, "log10_lambda": [-5.0, 2.0]},
        "fine": {"trials": 2, "keep": 2, "rounds": 2, "extend": True},
        "finalists": {"keep": 2, "replicates": 2, "rounds": 2, "extend": True, "rule": "model"},
    }
    planned(database, small_study(name="anew", **changes))
    work(Leases(database, "anew", owner="w", seconds=600.0))
    ours, theirs = (report.document(read_study(database, name)) for name in ("half", "anew"))
    assert [ours[key] for key in ("stages", "selected", "final")] == [
        theirs[key] for key in ("stages", "selected", "final")
    ]


def test_a_heartbeat_that_says_less_is_written_as_it_is(worker: Worker, window: Window) -> None:
    """A renewal writes what its heartbeat has, be it less than was there."""
    leases = worker("a")
    claim = claimed(leases)
    leases.renew(claim, BEAT)
    leases.renew(claim, replace(BEAT, updates=10))
    assert window.column("updates")[0] == 10
