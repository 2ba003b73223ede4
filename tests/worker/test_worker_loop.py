"""What becomes of trials that diverge, of leases that are lost, of storages that go away."""

from __future__ import annotations

import errno
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import sqlalchemy as sa
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import OperationalError
from study_processes import optuna_trials
from worker_bench import Bench

from benchmarks.victims import until
from lamsearch import storage as store
from lamsearch.artifacts import Files
from lamsearch.artifacts import store as artifact_store
from lamsearch.errors import DataError, FilesError, InterruptedWorkError
from lamsearch.results import TrialState
from lamsearch.storage import Leases
from lamsearch.storage.tables import cohorts
from lamsearch.trainers import Progress
from lamsearch.trainers.network import NetworkTrainer
from lamsearch.worker import LeaseRenewer, Retry

MakeBench = Callable[..., Bench]
WILD = 9.0  # log10 λ at which every weight grows by a factor of about -2e8 an update


def test_a_study_whose_trials_all_diverge_fails_with_a_sentence(
    storage_url: str, bench: MakeBench
) -> None:
    """Where no trial has a finite cost, each is FAIL with its reason and the study says why."""
    one = bench(storage_url, coarse={"trials": 4, "log10_lambda": [8.0, 9.0]})
    one.worker().run()
    record = one.record()
    assert record.failure is not None
    assert record.failure.startswith("coarse: nothing to select from")
    assert not record.finished
    assert record.openings == ()
    assert list(record.stages) == ["coarse"]
    for trial in record.stages["coarse"].trials:
        assert trial.state is TrialState.FAIL
        assert trial.reason is not None
        assert "no longer finite at update" in trial.reason
    found = optuna_trials(one.database.url.render_as_string(hide_password=False), "small")
    assert {stage: len(trials) for stage, trials in found.items()} == {"coarse": 4}
    assert {trial.state.name for trial in found["coarse"]} == {"FAIL"}


def test_a_study_that_diverges_in_part_selects_among_the_rest(bench: MakeBench) -> None:
    """A trial that diverges is FAIL without retry; the others of its cohort go on and one wins."""
    values = [-4.0, WILD, -2.0, -3.0]
    wild = bench(coarse={"values": values, "trials": None, "log10_lambda": None},
                 fine=None, finalists=None)  # fmt: skip
    wild.worker().run()
    record = wild.record()
    states = [trial.state for trial in record.stages["coarse"].trials]
    assert [state is TrialState.FAIL for state in states] == [False, True, False, False]
    assert record.finished
    assert record.selected is not None
    assert record.selected.point[0] in (-4.0, -2.0, -3.0)
    failed = record.stages["coarse"].trials[1]
    assert failed.score is None
    lines = [line for line in wild.said if line.startswith("coarse log10 λ 9 failed: ")]
    assert len(lines) == 1
    url = wild.database.url.render_as_string(hide_password=False)
    assert len(optuna_trials(url, "small")["coarse"]) == 4


def test_a_final_whose_replicates_all_diverge_fails_unopened(bench: MakeBench) -> None:
    """Where no final model has a finite cost, the study fails and the test set stays sealed."""
    one = bench(coarse=None, fine=None, finalists=None, final={"log10_lambda": WILD})
    one.worker().run()
    record = one.record()
    assert record.failure == "final: no replicate ended with a finite cost; lower eta_max"
    assert record.openings == ()


def test_a_worker_that_was_given_up_drops_its_result_and_goes_on(
    storage_url: str, bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker whose cohort was given to another tells nothing of it, and the answer stays."""
    right, one = bench(), bench(storage_url)
    right.worker().run()
    real, robbed = Leases.complete, []

    def give_away_first(self: Leases, claim: Any, *rest: Any) -> tuple[str, ...]:
        if not robbed:
            robbed.append(claim)
            where = (cohorts.c.stage == claim.stage, cohorts.c.number == claim.number)
            with one.database.write() as transaction:
                lost = {"token": claim.token + 1, "expires": transaction.now() - 1}
                transaction.execute(sa.update(cohorts).where(*where).values(**lost))
        return real(self, claim, *rest)

    monkeypatch.setattr(Leases, "complete", give_away_first)
    one.worker().run()
    assert [line for line in one.said if line.endswith("; dropped")] == [
        "lease: coarse cohort 0 was given to another worker; dropped"
    ]
    assert "took over coarse cohort 0 from a worker that went silent" in one.said
    ours, theirs = one.record(), right.record()
    assert ours.final == theirs.final
    assert ours.selected == theirs.selected
    counts = {name: stage.planned for name, stage in theirs.stages.items()}
    url = one.database.url.render_as_string(hide_password=False)
    assert {name: len(found) for name, found in optuna_trials(url, "small").items()} == counts


def test_a_file_that_cannot_be_written_for_a_cohort_that_another_has_is_no_failure(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker whose cohort another has been given, and whose files were removed with it, drops it
    and lives on."""
    one, write, robbed = bench(), artifact_store.write_below, []

    def lose_first(base: Path, path: str, content: bytes) -> None:
        if not robbed and "checkpoints" in path:
            robbed.append(path)
            with one.database.write() as transaction:
                transaction.execute(sa.update(cohorts).values(token=cohorts.c.token + 1))
                transaction.execute(sa.update(cohorts).values(expires=transaction.now() - 1))
            raise OSError(errno.ENOENT, "No such file or directory")
        write(base, path, content)

    monkeypatch.setattr(artifact_store, "write_below", lose_first)
    one.worker().run()
    assert robbed
    assert any(line.endswith("given to another worker; dropped") for line in one.said)
    assert one.record().finished


def test_a_full_disk_is_said_and_loses_nothing(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint that cannot be written is one clear error; later the work goes on, the same."""
    right, one = bench(), bench()
    right.worker().run()
    write = artifact_store.write_below
    written: list[str] = []

    def full(base: Path, path: str, content: bytes) -> None:
        if len(written) >= 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(path)
        write(base, path, content)

    monkeypatch.setattr(artifact_store, "write_below", full)
    with pytest.raises(FilesError, match="cannot be written: No space left on device"):
        one.worker().run()
    monkeypatch.setattr(artifact_store, "write_below", write)
    one.worker().run()
    assert one.record().final == right.record().final


def test_other_data_than_planned_are_refused(bench: MakeBench, tmp_path: Path) -> None:
    """A worker that finds other data than the study was planned with refuses to work."""
    rng = np.random.default_rng(1)
    path = tmp_path / "own.npz"
    x, y = rng.normal(size=(120, 6)).astype(np.float32), np.arange(120) % 3
    np.savez(path, X=x, y=y)
    one = bench(data={"source": str(path), "train": 60, "validation": 20, "test": None},
                training={"batch_size": 10}, final=None)  # fmt: skip
    x[0, 0] += 1
    np.savez(path, X=x, y=y)
    with pytest.raises(DataError, match="was planned with other data: fingerprint"):
        one.worker()
    assert one.record().stages["coarse"].count(TrialState.WAITING) == 5


def test_a_stopped_worker_checkpoints_and_gives_back(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop in mid-cohort leaves a checkpoint of that very update and no lease behind."""
    changes = {"training": {"sample_every": 7}, "coarse": {"cycles": 2}, "fine": None}
    right, one = bench(**changes), bench(**changes)
    right.worker().run()
    real = Leases.report

    def stop_then(self: Leases, *rest: Any) -> tuple[str, ...]:
        one.stop.set()
        return real(self, *rest)

    monkeypatch.setattr(Leases, "report", stop_then)
    with pytest.raises(InterruptedWorkError, match=r"at update 31 of coarse cohort 0; run again"):
        one.worker().run()  # the first report is after a cycle of 30 updates
    assert store.read_status(one.database, "small").workers == ()
    one.stop.clear()
    monkeypatch.setattr(Leases, "report", real)
    one.worker().run()
    assert "coarse cohort 0 goes on at update 31" in one.said
    assert one.record().final == right.record().final


def test_what_another_program_took_is_said_by_the_worker(bench: MakeBench) -> None:
    """A worker says in one line each which trials it planned anew, and ends with the answer of the
    plan."""
    right, one = bench(), bench()
    right.worker().run()
    url = one.database.url.render_as_string(hide_password=False)
    plain = optuna.load_study(study_name="small/coarse", storage=url)
    plain.tell(plain.ask(), 0.99)
    one.worker().run()
    assert [line for line in one.said if "planned anew" in line] == [
        "trial 0 of small/coarse (candidate 0, replicate 0) was ended (COMPLETE) by another "
        "program: it is left out, and planned anew as trial 5"
    ]
    assert one.record().final == right.record().final
    assert one.record().selected == right.record().selected


def outage() -> OperationalError:
    """Return what SQLAlchemy raises where the server is gone."""
    return OperationalError("SELECT 1", {}, Exception("server closed the connection"))


def test_a_lost_lease_is_noticed_in_training(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker whose cohort is given to another in mid-training trains no further step of it,
    saves nothing more of it and reports nothing of it."""
    one, trained, keepers = bench(training={"sample_every": 7}), list[int](), list[LeaseRenewer]()
    real_run, real_enter, done = NetworkTrainer.run, LeaseRenewer.__enter__, list[str]()

    def entering(self: LeaseRenewer) -> LeaseRenewer:
        keepers.append(self)
        return real_enter(self)

    def robbed(self: NetworkTrainer) -> Iterator[Progress]:
        for progress in real_run(self):
            trained.append(progress.updates)
            if len(trained) == 2:
                with one.database.write() as transaction:
                    transaction.execute(sa.update(cohorts).values(token=cohorts.c.token + 1))
                until(lambda: keepers[-1].lost)
                done.clear()
            yield progress

    def said(line: str) -> None:
        one.said.append(line)
        one.stop.set()

    for name in ("save_checkpoint", "save_model"):
        monkeypatch.setattr(Files, name, lambda *_, name=name: done.append(name))
    for name in ("complete", "report"):
        monkeypatch.setattr(Leases, name, lambda *_, name=name: done.append(name) or ())
    monkeypatch.setattr(LeaseRenewer, "__enter__", entering)
    monkeypatch.setattr(NetworkTrainer, "run", robbed)
    worker = one.worker()
    worker._say = said
    with pytest.raises(InterruptedWorkError):
        worker.run()
    assert one.said == ["coarse cohort 0 was given to another worker; dropped"]
    assert len(trained) == 2
    assert done == []


def test_retry_says_one_line_when_the_database_goes_and_one_when_it_is_back() -> None:
    """An outage is waited out, with one line at its beginning and one at its end."""
    failures: list[Exception] = [outage(), StorageInternalError("gone"), outage()]
    failures[1].__cause__ = outage()
    said: list[str] = []

    def action() -> str:
        if failures:
            raise failures.pop()
        return "told"

    assert Retry(threading.Event(), said.append)(action) == "told"
    assert said == [
        "database away (OperationalError); work goes on, trying again",
        "database back",
    ]


def test_retry_ends_where_waiting_cannot_help() -> None:
    """A full disk is no outage and is raised at once, and so is the wish to leave."""
    cause = sqlite3.OperationalError("database or disk is full")
    cause.sqlite_errorcode = sqlite3.SQLITE_FULL
    full = OperationalError("INSERT", {}, cause)
    said: list[str] = []

    def refuse(error: Exception) -> Callable[[], None]:
        def action() -> None:
            raise error

        return action

    with pytest.raises(OperationalError):
        Retry(threading.Event(), said.append)(refuse(full))
    assert said == []
    leaving = threading.Event()
    leaving.set()
    with pytest.raises(InterruptedWorkError, match="while the database was away"):
        Retry(leaving, said.append)(refuse(outage()))
