"""Laws 2, 3 and 4 at the worst moments: workers killed at fault points, and eight on one file."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from benchmarks import exact, faults, victims
from benchmarks.faults import NONE, POINTS, traced
from benchmarks.kills import Fleet, kill_in_training, lost_seconds
from benchmarks.strikes import ALL_IN_ONE, strike, struck
from benchmarks.victims import Site, Size

SMALL = Size(trials=10)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where these studies keep their normalised data."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> exact.Ended:
    """Return how the study ends that one worker on SQLite has done in peace."""
    return victims.undisturbed(tmp_path_factory.mktemp("right"), SMALL, cache)


@pytest.fixture
def site(tmp_path: Path, storage_url: str, cache: Path) -> Iterator[Site]:
    """Return a place for the study on a storage of either kind."""
    with victims.site(tmp_path, storage_url, SMALL, cache) as found:
        yield found


def assert_exact(site: Site, right: exact.Ended) -> None:
    """Assert that the study ended as the undisturbed one, row for row and bit for bit."""
    found = exact.compare(site.ended(), right)
    assert found.none, found


def test_a_kill_at_every_fault_point_changes_nothing(site: Site, right: exact.Ended) -> None:
    """Workers killed one after the other, at every point once, leave the plan exact to the bit."""
    assert {point.partition(":")[0] for point in ALL_IN_ONE} == set(POINTS)
    planning = site.create("passing")
    planning.wait()
    assert struck(planning, "passing"), planning.said
    assert site.create().wait() == 0
    for point in ALL_IN_ONE:
        victim = strike(site, point)
        assert struck(victim, point), f"{point} never struck: {victim.poll()} {victim.said}"
    last = strike(site, NONE)
    assert last.poll() == 0, last.said
    assert_exact(site, right)


def test_a_kill_costs_at_most_one_checkpoint_interval(tmp_path: Path, cache: Path) -> None:
    """Of a cohort in training, a kill costs no more than an interval and the step after it."""
    # one cohort, so that its successor takes it; a cycle is far longer than an interval
    size = Size(trials=2, step_size=4000, checkpoint_seconds=0.2)
    with victims.site(tmp_path, f"sqlite:///{tmp_path / 'study.db'}", size, cache) as site:
        assert site.create().wait() == 0
        worker = site.worker()
        for share in (0.5, 0.9, 0.7):
            work = kill_in_training(worker, after=share * size.checkpoint_seconds)
            worker = site.worker()
            victims.until(lambda worker=worker, work=work: again_in_work(worker, work) is not None)
            again = again_in_work(worker, work)
            assert again is not None
            assert again["begun_updates"] >= work["saved_updates"] > 0
            assert lost_seconds(work, again) <= size.checkpoint_seconds + work["longest"]


def again_in_work(worker: victims.Victim, work: dict[str, object]) -> dict[str, int] | None:
    """Return what a worker tells of a cohort that another had in work."""
    rows = [row for row in traced(worker.trace) if row["number"] == work["number"]]
    return rows[0] if rows else None


def test_a_worker_that_was_given_up_drops_its_result(
    tmp_path: Path, right: exact.Ended, cache: Path
) -> None:
    """A worker stopped for longer than its lease finds its cohort done by another, and goes on."""
    with victims.site(tmp_path, f"sqlite:///{tmp_path / 'study.db'}", SMALL, cache) as site:
        assert site.create().wait() == 0
        # stopped by itself at a moment when it holds no lock on the database
        stopped = site.worker("checkpoint-saved:stop")
        victims.until(lambda: stopped.said.endswith("fault: checkpoint-saved\n"))
        other = strike(site, NONE)
        assert other.poll() == 0, other.said
        assert "took over" in other.said
        stopped.signal(signal.SIGCONT)
        assert stopped.wait() == 0, stopped.said
        assert "was given to another worker; dropped" in stopped.said
        assert_exact(site, right)


def test_eight_processes_on_one_file_are_exact(
    tmp_path: Path, right: exact.Ended, cache: Path
) -> None:
    """Eight workers on one SQLite file, some of them killed, end exact and never speak of locks."""
    with victims.site(tmp_path, f"sqlite:///{tmp_path / 'study.db'}", SMALL, cache) as site:
        assert site.create().wait() == 0
        fleet = Fleet(site=site, chance=Random(8), most=3, workers=8, real=False)  # noqa: S311 - chance, not secrets
        fleet.run()
        assert fleet.strange == []
        assert not any("locked" in one.said for one in site.victims)
        assert_exact(site, right)


def test_a_fault_point_that_is_not_there_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A point that there is not, or not any more, is an error and no silent success."""
    with pytest.raises(SystemExit):
        faults.main(["nowhere", "--", "worker"])
    assert "no fault point 'nowhere'" in capsys.readouterr().err
    gone = faults.Point(where="lamsearch.storage.leases:Leases.gone")
    monkeypatch.setitem(POINTS, "gone", gone)
    with pytest.raises(SystemExit, match=r"there is no lamsearch.storage.leases:Leases.gone any"):
        faults.main(["gone", "--", "worker"])
