"""A worker that serves every study: which comes next, which are left to others, what is dropped."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pool_bench import PoolBench, leased
from study_processes import promised

from benchmarks.victims import until
from lamsearch import storage as store
from lamsearch.artifacts import store as artifact_store
from lamsearch.errors import DataError, InterruptedWorkError
from lamsearch.results import StudyState, TrialState
from lamsearch.storage import Leases, PlannedStudy
from lamsearch.storage.tables import studies
from lamsearch.study import Study
from lamsearch.trainers.network import NetworkTrainer
from lamsearch.worker import unable

Build = Callable[..., Study]
LAST = "1" * 64
SHORT: dict[str, Any] = {"fine": None, "finalists": None}


@pytest.fixture
def pool(tmp_path: Path, storage_url: str, small_study: Build) -> Iterator[PoolBench]:
    """A storage of either kind without a study."""
    found = PoolBench(tmp_path, storage_url, small_study)
    yield found
    found.close()


@pytest.fixture
def sqlite_pool(
    tmp_path: Path, small_study: Build, ready_sqlite: Callable[[Path], str]
) -> Iterator[PoolBench]:
    """A storage in an SQLite file without a study."""
    found = PoolBench(tmp_path, ready_sqlite(tmp_path / "studies.db"), small_study)
    yield found
    found.close()


def in_turn(found: list[tuple[str, str]]) -> list[str]:
    """The studies in the order in which they were worked on."""
    return [name for name, _ in groupby(name for name, _ in found)]


def test_studies_are_served_by_priority_then_age_with_the_answer_of_each_alone(
    pool: PoolBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One worker does study after study as the queue has them, each with its answer alone."""
    (tmp_path / "alone").mkdir()
    alone = PoolBench(tmp_path / "alone", f"sqlite:///{tmp_path / 'alone.db'}", pool.build)
    for seed, name in enumerate(("old", "new", "high")):
        alone.plan(name, seed=seed, **SHORT)
        alone.worker(name).run()
        pool.plan(name, seed=seed, priority=int(name == "high"), **SHORT)
    found = leased(monkeypatch)
    pool.worker().run()
    assert in_turn(found) == ["high", "old", "new"]
    for name in ("old", "new", "high"):
        ours, theirs = pool.record(name), alone.record(name)
        assert ours.selected == theirs.selected
        assert ours.final == theirs.final
    alone.close()


def test_a_study_of_higher_priority_has_the_next_cohort(
    pool: PoolBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is submitted with a higher priority, or moved up, is served from the next cohort on."""
    pool.plan("first", **SHORT)
    pool.plan("second", **SHORT)
    found = leased(monkeypatch)
    real = Leases.complete

    def complete(self: Leases, *arguments: Any) -> Any:
        answer = real(self, *arguments)
        if len(found) == 1:
            pool.plan("urgent", priority=9, **SHORT)
            store.prioritize(pool.database, "second", 5)
        return answer

    monkeypatch.setattr(Leases, "complete", complete)
    pool.worker().run()
    assert in_turn(found) == ["first", "urgent", "second", "first"]


def test_a_worker_with_names_serves_them_alone_and_leaves(pool: PoolBench) -> None:
    """Named studies are served until all are over, whatever else waits."""
    for name in ("one", "two", "other"):
        pool.plan(name, **SHORT)
    store.cancel(pool.database, "two")
    pool.worker("one", "two", leaves_idle=False).run()
    assert pool.state("one") is StudyState.DONE
    assert pool.state("other") is StudyState.QUEUED


def test_a_worker_waits_for_studies_to_come_until_it_is_told_to_leave(pool: PoolBench) -> None:
    """A worker without names waits on an empty storage, does what comes, and leaves when told."""
    ended: list[BaseException] = []

    def work() -> None:
        try:
            pool.worker(leaves_idle=False).run()
        except InterruptedWorkError as error:
            ended.append(error)

    other = PoolBench(pool.directory, pool.url, pool.build)
    thread = threading.Thread(target=work)
    thread.start()
    other.plan("late", **SHORT)
    until(lambda: other.state("late") is StudyState.DONE)
    assert thread.is_alive()
    pool.stop.set()
    thread.join(promised(10))
    assert len(ended) == 1
    other.close()


def refused(name: str) -> Callable[[PlannedStudy], PlannedStudy]:
    """Refuse one study's data, as a host without them does."""

    def admit(stored: PlannedStudy) -> PlannedStudy:
        if stored.study.name == name:
            raise DataError("data: they are not here")
        return stored

    return admit


@pytest.mark.parametrize("wrong", ["no data", "other data", "trainer", "files", "damaged"])
def test_a_study_that_cannot_be_served_here_is_left_to_others_and_said_once(
    sqlite_pool: PoolBench, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is missing here is said once however often it is tried, `status` can say it, and the
    next study is served."""
    pool = sqlite_pool
    monkeypatch.setattr(unable, "_FIRST_SECONDS", 0.01)
    monkeypatch.setattr(unable, "_LONGEST_SECONDS", 0.01)
    (pool.directory / "file").touch()
    changes: dict[str, Any] = {"fingerprint": LAST} if wrong == "other data" else {}
    if wrong == "files":
        changes["files"] = pool.directory / "file" / "below"
    pool.plan("bad", priority=1, **changes, **SHORT)
    for name in ("good", "better"):
        pool.plan(name, **SHORT)
    good = store.load(pool.database, "good").study.canonical()
    broken = sa.update(studies).where(studies.c.name == "bad")
    with pool.database.write() as transaction:
        if wrong == "trainer":
            document = {**good, "name": "bad", "trainer": {"name": "elsewhere"}}
            transaction.execute(broken.values(document=document))
        elif wrong == "damaged":
            transaction.execute(broken.values(classes=[]))
    pool.worker(admit=refused("bad" if wrong == "no data" else "")).run()
    assert pool.state("good") is StudyState.DONE
    assert pool.state("better") is StudyState.DONE
    said = [line for line in pool.said if line.endswith("; the study is left to others")]
    assert len(said) == 1
    with pool.database.read() as transaction:
        rows = transaction.execute(sa.text("SELECT reason FROM lamsearch_unable")).all()
    assert [f"{row.reason}; the study is left to others" for row in rows] == said


def test_a_study_is_served_again_when_what_was_missing_is_there(
    sqlite_pool: PoolBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A study that could not be served is tried again, served, and no longer said to be missing
    anything; so is one that was deleted and made again."""
    pool, tried = sqlite_pool, list[str]()
    monkeypatch.setattr(unable, "_FIRST_SECONDS", 0.01)
    monkeypatch.setattr(unable, "_LONGEST_SECONDS", 0.01)

    def admit(stored: PlannedStudy) -> PlannedStudy:
        tried.append(stored.id)
        if stored.study.name == "late" and len(tried) < 4:
            raise DataError("data: they are not here")
        return stored

    pool.plan("late", priority=1, **SHORT)
    pool.plan("good")
    pool.worker(admit=admit).run()
    assert pool.state("late") is StudyState.DONE
    assert sum("left to others" in line for line in pool.said) == 1
    assert "the study can be served here again" in pool.said
    assert not any(study.unable for study in store.read_queue(pool.database))


def test_a_study_made_again_under_its_name_is_another_study(sqlite_pool: PoolBench) -> None:
    """After a study was deleted and made again from another file, the new file is worked on."""
    pool = sqlite_pool
    pool.plan("one", seed=1, **SHORT)
    pool.plan("same", seed=2, **SHORT)
    pool.worker("one").run()
    right = pool.record("one")
    store.delete(pool.database, "one")
    worker = pool.worker()
    pool.plan("one", seed=5, priority=1, **SHORT)
    opened = worker._opened.get(store.Claimable("one", store.load(pool.database, "one").id))
    store.delete(pool.database, "one")
    pool.plan("one", seed=1, **SHORT)
    worker.run()
    assert pool.record("one").final == right.final
    assert opened.study_id != store.load(pool.database, "one").id


def test_a_study_that_fails_does_not_harm_the_next(sqlite_pool: PoolBench) -> None:
    """After a study whose trials all diverge the next one is served."""
    pool = sqlite_pool
    pool.plan("bad", priority=1, coarse={"log10_lambda": [8.0, 9.0]})
    pool.plan("good", **SHORT)
    pool.worker().run()
    assert pool.state("bad") is StudyState.FAILED
    assert pool.state("good") is StudyState.DONE
    assert any(line.startswith("the study failed: coarse: nothing to sel") for line in pool.said)


def test_a_full_disk_for_one_study_is_said_and_the_others_go_on(
    sqlite_pool: PoolBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A study whose files cannot be written is given back, and served when they can be again."""
    pool, failures = sqlite_pool, list[str]()
    monkeypatch.setattr(unable, "_FIRST_SECONDS", 0.01)
    # two cycles: a checkpoint at the end of the first is certain, be the machine slow or fast
    first = pool.plan("full", priority=1, coarse={"cycles": 2}, **SHORT)
    pool.plan("good", **SHORT)
    write = artifact_store.write_below

    def full(base: Path, path: str, content: bytes) -> None:
        if first.id in path and "checkpoints" in path and len(failures) < 2:
            failures.append(path)
            raise OSError(28, "No space left on device")
        write(base, path, content)

    monkeypatch.setattr(artifact_store, "write_below", full)
    pool.worker().run()
    assert len(failures) == 2
    assert pool.state("full") is StudyState.DONE
    assert pool.state("good") is StudyState.DONE
    assert sum("No space left" in line for line in pool.said) == 1


def test_two_studies_at_most_are_kept_open(sqlite_pool: PoolBench) -> None:
    """A worker lets go of a study and its data when it has opened two others since."""
    pool, seen = sqlite_pool, list[weakref.ref[Any]]()
    worker = pool.worker()
    for number in range(5):
        pool.plan(f"s{number}", **SHORT)
        stored = store.load(pool.database, f"s{number}")
        found = worker._opened.get(store.Claimable(stored.study.name, stored.id))
        seen.append(weakref.ref(found))
        del found
    gc.collect()
    assert [one() is not None for one in seen] == [False, False, False, True, True]


@pytest.mark.parametrize("move", ["pause", "cancel"])
def test_a_halted_study_is_left_in_mid_cohort(
    pool: PoolBench, move: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once a study is paused its cohort is saved and given back, once it is cancelled it is dropped
    with its checkpoints; the next study is served, and a resumed one ends with its right answer."""
    # a cycle is 30 updates, and has a checkpoint at its end
    changes = {"training": {"sample_every": 7}, "coarse": {"cycles": 2}, **SHORT}
    pool.plan("right", **changes)
    pool.worker("right").run()
    moving, others = getattr(store, move), list[str]()
    real, halted = NetworkTrainer.run, list[int]()
    first = pool.plan("halted", priority=1, **changes)
    pool.plan("next", **SHORT)

    def run(self: NetworkTrainer) -> Iterator[Any]:
        for progress in real(self):
            if not halted and progress.updates > 30:
                halted.append(progress.updates)
                moving(pool.database, "halted")
                until(lambda: keeper[-1].halted)
            yield progress

    from lamsearch.worker import LeaseRenewer

    keeper = list[LeaseRenewer]()
    enter = LeaseRenewer.__enter__

    def entering(self: LeaseRenewer) -> LeaseRenewer:
        keeper.append(self)
        return enter(self)

    monkeypatch.setattr(LeaseRenewer, "__enter__", entering)
    monkeypatch.setattr(NetworkTrainer, "run", run)
    pool.worker().run()
    others = [path.name for path in (pool.directory / "files" / first.id).rglob("*.npz")]
    assert pool.state("next") is StudyState.DONE
    with pool.database.read() as transaction:
        query = sa.text("SELECT count(*) FROM lamsearch_cohort WHERE study='halted' AND state=1")
        assert transaction.connection.scalar(query) == 0
    if move == "cancel":
        assert pool.state("halted") is StudyState.CANCELLED
        assert others == []
        trials = pool.record("halted").stages["coarse"].trials
        assert {one.state for one in trials} == {TrialState.FAIL, TrialState.WAITING}
        return
    assert pool.state("halted") is StudyState.PAUSED
    assert f"{halted[0]:012d}.npz" in others
    store.resume(pool.database, "halted")
    pool.worker().run()
    assert f"coarse cohort 0 goes on at update {halted[0]}" in pool.said
    assert pool.record("halted").final == pool.record("right").final
