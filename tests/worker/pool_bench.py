"""Workers of a pool in the tests' own process, and studies planned for them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lamsearch import data as datasets
from lamsearch import storage as store
from lamsearch.results import StudyRecord, StudyState
from lamsearch.storage import Claim, Database, Leases, PlannedStudy
from lamsearch.study import Study
from lamsearch.worker import PoolWorker, Settings

_LONGEST_SECONDS = 240.0  # of a bench's life: what still works or waits then is told to leave


class PoolBench:
    """A storage of many studies, and workers that share this process."""

    def __init__(self, directory: Path, url: str, build: Callable[..., Study]) -> None:
        self.directory, self.url, self.database = directory, url, Database(url)
        self.build = build
        self.said: list[str] = []
        self.stop = threading.Event()
        self._end = threading.Timer(_LONGEST_SECONDS, self.stop.set)
        self._end.daemon = True
        self._end.start()

    def plan(
        self,
        name: str,
        *,
        priority: int = 0,
        files: Path | None = None,
        fingerprint: str = "",
        **changes: Any,
    ) -> PlannedStudy:
        """Plan the small study by a name, with changes."""
        study = self.build(name=name, **changes)
        found = datasets.load(study, self.directory)
        return store.create(
            self.database,
            study,
            data_fingerprint=fingerprint or found.fingerprint,
            validation_images={stage: study.validation_images(stage) for stage in study.stages},
            classes=found.classes,
            origin=str(self.directory),
            files=str(files or self.directory / "files"),
            priority=priority,
        )

    def worker(
        self,
        *names: str,
        leaves_idle: bool = True,
        admit: Callable[[PlannedStudy], PlannedStudy] = lambda stored: stored,
    ) -> PoolWorker:
        """Return a new worker."""
        settings = Settings(
            data_directory=self.directory, lease_seconds=1.0, checkpoint_seconds=0.05
        )
        return PoolWorker(
            self.database, settings, stop=self.stop, say=self.said.append, warn=self.said.append,
            admit=admit, names=names or None, leaves_idle=leaves_idle,
        )  # fmt: skip

    def record(self, name: str) -> StudyRecord:
        """Return all that the storage knows of a study."""
        return store.read_study(self.database, name)

    def state(self, name: str) -> StudyState:
        """Return where a study stands."""
        return StudyState(store.read_status(self.database, name).state)

    def close(self) -> None:
        """Let go of the storage."""
        self._end.cancel()
        self.database.close()


def leased(monkeypatch: Any) -> list[tuple[str, str]]:
    """Note the study and stage of every claim of this process."""
    found: list[tuple[str, str]] = []
    real = Leases.claim

    def claim(self: Leases) -> Any:
        answer = real(self)
        if isinstance(answer, Claim):
            found.append((answer.study, "test" if answer.tests else answer.stage))
        return answer

    monkeypatch.setattr(Leases, "claim", claim)
    return found
