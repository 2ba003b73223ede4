"""One flipped bit in whatever lamsearch wrote beside its database."""

from __future__ import annotations

import os
import random
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from worker_bench import no_test

from lamsearch import dataset, report, trials
from lamsearch.dataset import training
from lamsearch.errors import InterruptedWorkError
from lamsearch.study import Study, parse_study
from lamsearch.trials import Database, Leases
from lamsearch.worker import Settings, Worker

# A longer run: LAMSEARCH_FLIPS=200
FLIPS = int(os.environ.get("LAMSEARCH_FLIPS", "40"))


class Desk:
    """A directory with a study's database, files and cache, that can be put back as it was."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.work = folder, folder / "work"
        self.work.mkdir()
        rng = np.random.default_rng(0)
        path = folder / "own.npz"
        np.savez(path, X=rng.standard_normal((200, 12)).astype(np.float32), y=np.arange(200) % 3)
        self.study: Study = parse_study({
            "name": "flips", "seed": 1, "cohort": 2, "network": {"hidden": 4},
            "data": {"source": str(path), "train": 100, "validation": 50, "test": 40},
            "training": {"step_size": 5, "cycles": 2, "batch_size": 10},
            "coarse": {"trials": 2, "log10_lambda": [-3.0, -2.0]},
            "final": {"replicates": 2, "train": 120, "validation": 30},
        })  # fmt: skip
        with self.open() as database:
            found = dataset.load(self.study, folder, cache=self.work / "cache", look=True)
            trials.create(
                database, self.study, data_fingerprint=found.fingerprint,
                validation_images={s: self.study.validation_images(s) for s in self.study.stages},
                classes=found.classes, origin=str(folder), files=str(self.work / "files"),
                facts=found.seen,
            )  # fmt: skip

    def open(self) -> Any:
        """The database, closed at the end of the block."""
        return _Closing(Database(f"sqlite:///{self.work / 'x.db'}"))

    def go_on(self, stop: threading.Event | None = None) -> dict[str, Any]:
        """Work to the end, as a new process would; return the answer."""
        with self.open() as database:
            settings = Settings(
                data_folder=self.folder, cache_folder=self.work / "cache", checkpoint_seconds=60.0
            )
            stored = trials.load(database, "flips")
            worker = Worker(
                database, stored, settings, stop=stop or threading.Event(), say=lambda _: None
            )
            worker.run()
            document = report.document(trials.read_study(database, "flips"))
        return {key: document[key] for key in ("stages", "selected", "final")}

    def written(self) -> list[Path]:
        """All that lamsearch wrote, but for the database."""
        return sorted(
            path for path in self.work.rglob("*")
            if path.is_file() and path.stat().st_size and not path.name.startswith("x.db")
        )  # fmt: skip


class _Closing:
    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> Database:
        return self._database

    def __exit__(self, *_: object) -> None:
        self._database.close()


def in_a_cohort(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop at the first cycle end: the study is half done, and has a checkpoint."""
    stop, real = threading.Event(), Leases.report

    def stopping(self: Leases, *arguments: Any) -> Any:
        stop.set()
        return real(self, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(Leases, "report", stopping)
        with pytest.raises(InterruptedWorkError):
            desk.go_on(stop)


def before_the_test(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop where all that is trained is finished, and its models are saved."""
    with no_test(monkeypatch):
        desk.go_on()


@pytest.mark.parametrize("reach", [in_a_cohort, before_the_test])
def test_a_flipped_bit_is_noticed_or_without_effect(
    reach: Callable[[Desk, pytest.MonkeyPatch], None],
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Whichever bit flips in a checkpoint, a model, a cached split or what is remembered of the
    data, a study that is half done ends with the undisturbed answer, to the bit."""
    monkeypatch.setattr(training, "_WORTH_SHARING", 0)
    desk = Desk(tmp_path)
    reach(desk, monkeypatch)
    kinds = {path.parent.name.split("-")[0] for path in desk.written()}
    assert {"sources"} | ({"coarse"} if reach is in_a_cohort else {"models"}) <= kinds
    assert any("splits" in path.parts for path in desk.written())
    kept = tmp_path / "kept"
    shutil.copytree(desk.work, kept)
    right = desk.go_on()
    draw = random.Random(FLIPS)  # noqa: S311 - no secret
    for _ in range(FLIPS // 2):
        shutil.rmtree(desk.work)
        shutil.copytree(kept, desk.work)
        path = draw.choice(desk.written())
        content = bytearray(path.read_bytes())
        place, bit = draw.randrange(len(content)), draw.randrange(8)
        content[place] ^= 1 << bit
        path.write_bytes(content)
        assert desk.go_on() == right, (path, place, bit)
