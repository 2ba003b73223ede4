"""One worker in the tests' own process, on a study that is planned beside it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lamsearch import data as datasets
from lamsearch import storage as store
from lamsearch.data import LabelledImages
from lamsearch.errors import InterruptedWorkError
from lamsearch.results import StudyRecord
from lamsearch.storage import Claim, Database, Leases, PlannedStudy
from lamsearch.study import Study
from lamsearch.trainers import Progress
from lamsearch.trainers.network import NetworkTrainer
from lamsearch.worker import Settings, StudyWorker

_LONGEST_SECONDS = 240.0  # of a bench's life: what still works or waits then is told to leave


class Bench:
    """A storage with one planned study, and workers that share this process."""

    def __init__(self, directory: Path, url: str, study: Study) -> None:
        self.directory = directory
        self.database = Database(url)
        self.said: list[str] = []
        self.stop = threading.Event()
        # a worker waits for a database that is away as long as nobody wants it to leave
        self._end = threading.Timer(_LONGEST_SECONDS, self.stop.set)
        self._end.daemon = True
        self._end.start()
        found = datasets.load(study, directory)
        self.study = study = found.study
        self.stored: PlannedStudy = store.create(
            self.database,
            study,
            data_fingerprint=found.fingerprint,
            validation_images={stage: study.validation_images(stage) for stage in study.stages},
            classes=found.classes,
            origin=str(directory),
            files=str(directory / "files"),
        )

    def close(self) -> None:
        """Let go of the storage."""
        self._end.cancel()
        self.database.close()

    def worker(self, **how: Any) -> StudyWorker:
        """Return a new worker, with further settings."""
        usual = {"lease_seconds": 1.0, "checkpoint_seconds": 0.05}
        settings = Settings(data_directory=self.directory, **{**usual, **how})
        return StudyWorker(
            self.database, self.stored, settings, stop=self.stop, say=self.said.append
        )

    def record(self) -> StudyRecord:
        """Return all that the storage knows of the study."""
        return store.read_study(self.database, self.study.name)


@contextmanager
def no_test(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have workers leave where all that is trained is finished, and the test is next."""
    real = Leases.claim

    def stop_there(self: Leases) -> Any:
        claim = real(self)
        if isinstance(claim, Claim) and claim.tests:
            self.give_back(claim)
            return None
        return claim

    with monkeypatch.context() as patched:
        patched.setattr(Leases, "claim", stop_there)
        yield


def leave_at(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, stage: str, *, total: int, update: int
) -> None:
    """Have a worker leave where the first training of ``total`` updates comes to ``update``."""
    real = NetworkTrainer.run
    asked: list[int] = []

    def leaving(self: NetworkTrainer) -> Iterator[Progress]:
        for progress in real(self):
            if progress.total == total and progress.updates == update and not asked:
                asked.append(progress.updates)
                bench.stop.set()
            yield progress

    with monkeypatch.context() as patch:
        patch.setattr(NetworkTrainer, "run", leaving)
        with pytest.raises(InterruptedWorkError, match=f"at update {update} of {stage}"):
            bench.worker().run()
    bench.stop.clear()


def noted_openings(monkeypatch: pytest.MonkeyPatch) -> list[LabelledImages]:
    """Return a list that what is opened of test sets from now on is added to."""
    opened: list[LabelledImages] = []
    real = datasets.open_test

    def noting(*args: Any, **rest: Any) -> LabelledImages:
        opened.append(real(*args, **rest))
        return opened[-1]

    monkeypatch.setattr(datasets, "open_test", noting)
    return opened
