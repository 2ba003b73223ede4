"""Checkpoints in an object store: what one host has begun, another that shares no disk ends."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import Any

import fsspec
from safetensors import safe_open
from study_processes import CYCLE, Place, Process

from benchmarks.victims import until
from lamsearch import storage as store
from lamsearch.storage import Database


class Host:
    """A machine that shares no disk with another: a working directory and a cache of its own."""

    def __init__(self, place: Place, directory: Path, files: str) -> None:
        self._place, self.directory = place, directory
        directory.mkdir()
        self._environment = {
            "LAMSEARCH_CACHE": str(directory / "cache"), "LAMSEARCH_DATA": str(directory / "data"),
            "LAMSEARCH_FILES": files,
        }  # fmt: skip

    def start(self, *arguments: object) -> Process:
        """Start a lamsearch process on this host."""
        return self._place.start(
            *arguments, directory=self.directory, environment=self._environment
        )

    def worker(self, checkpoint_seconds: float) -> Process:
        """Start a worker on this host."""
        return self.start("worker", "lives", "--lease-seconds", "1",
                          "--checkpoint-seconds", checkpoint_seconds)  # fmt: skip


def checkpoints(url: str) -> list[str]:
    """Return the whole checkpoints below a URL, oldest first within a cohort."""
    fs, root = fsspec.core.url_to_fs(url)
    fs.invalidate_cache()
    return sorted(path for path in fs.find(root) if path.endswith(".npz"))


def killed_after_its_first_checkpoint(worker: Process, url: str) -> int:
    """Kill a worker in the middle of a cohort's first cycle; return the update it had saved.

    It is looked at while it is stopped: of what it has not saved then, only an upload that was
    already on its way may still arrive.
    """

    def caught() -> int | None:
        if not checkpoints(url):
            return None
        worker.signal(signal.SIGSTOP)
        saved = checkpoints(url)
        if saved and (newest := int(Path(saved[-1]).stem)) < CYCLE:
            return newest
        worker.signal(signal.SIGCONT)
        return None

    saved: int = until(caught)
    worker.signal(signal.SIGKILL)
    worker.wait()
    return saved


def tensors(directory: Path) -> dict[str, dict[str, bytes]]:
    """Return the bytes of all tensors of a report's models, by file name."""
    found = {}
    for path in sorted((directory / "models").iterdir()):
        with safe_open(path, framework="numpy") as file:
            found[path.name] = {name: file.get_tensor(name).tobytes() for name in file.keys()}  # noqa: SIM118 - no mapping
    return found


def test_another_host_goes_on_at_the_checkpoint_of_a_killed_one(
    s3: str, postgres_url: str, tmp_path: Path, undisturbed: Place, right_answer: dict[str, Any]
) -> None:
    """A worker killed in mid-cohort is continued from S3 by one on another host, to the bits of
    an undisturbed run on a directory; its report finds the models, and delete leaves nothing."""
    (tmp_path / "desk").mkdir()
    place = Place(tmp_path / "desk", postgres_url)
    url = f"{s3}/studies"
    one, other = Host(place, tmp_path / "one", url), Host(place, tmp_path / "other", s3)
    try:
        create = one.start("create", place.study_file)
        assert create.wait() == 0, create.said
        saved = killed_after_its_first_checkpoint(one.worker(0.03), url)
        assert 0 < saved < CYCLE
        second = other.worker(1.0)
        assert second.wait() == 0, second.said
        assert "took over coarse cohort 0" in second.said
        goes_on = re.search(r"goes on at update (\d+)\n", second.said)
        assert goes_on is not None, second.said
        assert saved <= int(goes_on[1]) < CYCLE
        assert place.answer() == right_answer
        assert place.curves() == undisturbed.curves()
        assert checkpoints(url) == []

        output = other.directory / "report"
        report = other.start("report", "lives", "--output", output)
        assert report.wait() == 0, report.said
        assert "models are not in" not in report.said
        assert tensors(output) == tensors(undisturbed.output)
        for host in (one, other):  # nothing of the study lies on a host's own disk
            assert not list(host.directory.rglob("*.npz"))
            assert not (host.directory / "lamsearch-files").exists()
        assert_deleted(one, postgres_url, url)
    finally:
        place.close()


def assert_deleted(host: Host, storage: str, url: str) -> None:
    """Delete the study on this host and assert that neither storage nor store holds any of it."""
    delete = host.start("delete", "lives", "--yes")
    assert delete.wait() == 0, delete.said
    fs, root = fsspec.core.url_to_fs(url)
    fs.invalidate_cache()
    assert fs.find(root) == []
    database = Database(storage)
    try:
        assert store.names(database) == []
    finally:
        database.close()
