"""Full disks and read-only directories: one sentence, nothing lost, the same command goes on."""

from __future__ import annotations

import os
import re
import resource
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from study_processes import CALM, PACE, Place, Process

from benchmarks.victims import until

SIZE = 8 * 2**20  # bytes: more than the study needs, and little to fill


class Disk:
    """A small file system; where mounting is not permitted, a directory and limits on processes."""

    def __init__(self, directory: Path) -> None:
        self.directory, self._ballast = directory, directory / "ballast"
        directory.mkdir()
        self.mounted = self._mount("-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs")

    def fill(self, process: Process) -> None:
        """Leave the process no room."""
        if not self.mounted:
            _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (4096, most))
            return
        with self._ballast.open("ab", buffering=0) as ballast:
            try:
                while ballast.write(bytes(4096)):
                    pass
            except OSError:
                return

    def free(self) -> None:
        """Give the room back."""
        self._ballast.unlink(missing_ok=True)

    def remount(self, how: str) -> bool:
        """Whether it is mounted so, ro or rw; it is not while a file is open for writing."""
        return self._mount("-o", f"remount,{how}")

    def close(self) -> None:
        """Give the file system up."""
        if self.mounted:
            subprocess.run(["umount", "--lazy", self.directory], check=True)

    def _mount(self, *arguments: str) -> bool:
        done = subprocess.run(
            ["mount", *arguments, self.directory], capture_output=True, check=False
        )
        return done.returncode == 0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A small disk."""
    found = Disk(tmp_path / "disk")
    yield found
    found.close()


def left(process: Process, meanwhile: Callable[[], object]) -> str:
    """Do something again and again until a worker has left with 1; return its one sentence."""

    def gone() -> bool:
        meanwhile()
        return process.popen.poll() is not None

    until(gone)
    assert process.wait() == 1, process.said
    assert "Traceback" not in process.said
    sentences = re.findall(r"^Error: (.*)$", process.said, re.MULTILINE)
    assert len(sentences) == 1, process.said
    assert process.said.endswith(f"Error: {sentences[0]}\n")
    return str(sentences[0])


def begun(place: Place) -> Process:
    """Plan the study and start a worker; return it when it has saved a checkpoint."""
    create = place.start("create", place.study_file, "--files", place.files)
    assert create.wait() == 0, create.said
    worker = place.start("worker", "lives", *PACE)
    until(place.checkpoints)
    return worker


def assert_goes_on(place: Place, answer: dict[str, Any]) -> None:
    """Assert that the same command now ends the study with the right bits."""
    again = place.start("worker", "lives", *CALM)
    assert again.wait() == 0, again.said
    assert place.answer() == answer
    assert place.checkpoints() == []


def test_a_full_disk_under_the_checkpoints_loses_nothing(
    disk: Disk, sqlite_place: Place, right_answer: dict[str, Any]
) -> None:
    """A worker whose checkpoint does not fit says so and leaves with 1; whole checkpoints and no
    half ones stay, and with room again the same command ends with the same bits."""
    place = sqlite_place
    place.files = disk.directory / "files"
    worker = begun(place)
    said = left(worker, lambda: disk.fill(worker))
    cause = "No space left on device" if disk.mounted else "File too large"
    assert re.fullmatch(rf"files: {place.files}/\S+ cannot be written: {cause}", said)
    assert not [path for path in place.files.rglob(".*.*.*") if path.is_file()]
    disk.free()
    assert_goes_on(place, right_answer)


def test_a_full_disk_under_the_database_loses_nothing(
    disk: Disk, tmp_path: Path, right_answer: dict[str, Any]
) -> None:
    """A worker whose database cannot grow names its file and the cause and leaves with 1; with
    room again the same command ends with the same bits."""
    (tmp_path / "desk").mkdir()
    place = Place(tmp_path / "desk", f"sqlite:///{disk.directory / 'studies.db'}")
    try:
        worker = begun(place)
        said = left(worker, lambda: disk.fill(worker))
        assert f"sqlite:///{disk.directory / 'studies.db'}" in said
        # a limit on files is to SQLite an input/output error, not a full disk
        assert ("full" if disk.mounted else "disk") in said
        disk.free()
        assert_goes_on(place, right_answer)
    finally:
        place.close()


def test_a_directory_that_becomes_read_only_loses_nothing(
    disk: Disk, sqlite_place: Place, right_answer: dict[str, Any]
) -> None:
    """A worker whose directory turns read-only says so and leaves with 1; another is refused with 2
    before it takes anything; writable again, the same command ends with the same bits."""
    if not disk.mounted and os.geteuid() == 0:
        pytest.skip("permissions do not bind root, and mounting is not permitted here")
    place = sqlite_place
    place.files = disk.directory / "files"
    worker = begun(place)
    directory = next(place.files.iterdir())

    def refuse() -> None:
        if disk.mounted:
            disk.remount("ro")
        else:
            directory.chmod(0o500)
            for path in directory.rglob("*-*"):
                path.chmod(0o500)

    said = left(worker, refuse)
    cause = "Read-only file system" if disk.mounted else "Permission denied"
    assert re.fullmatch(rf"files: {place.files}/\S+ cannot be written: {cause}", said)

    refused = place.start("worker", "lives", *PACE)
    assert refused.wait() == 2
    expected = f"Error: files: must be a directory that can be written, got '{place.files}'\n"
    assert refused.said == expected

    if disk.mounted:
        until(lambda: disk.remount("rw"))
    else:
        for path in (directory, *directory.rglob("*-*")):
            path.chmod(0o700)
    assert_goes_on(place, right_answer)


def test_nothing_is_planned_for_a_read_only_directory(disk: Disk, sqlite_place: Place) -> None:
    """Create refuses a directory that cannot be written, or be made, before it makes a storage."""
    if disk.mounted:
        disk.remount("ro")
    elif os.geteuid() == 0:
        pytest.skip("permissions do not bind root, and mounting is not permitted here")
    else:
        disk.directory.chmod(0o500)
    place = sqlite_place
    (place.directory / "studies.db").unlink()
    for files in (disk.directory, disk.directory / "new" / "files"):
        create = place.start("create", place.study_file, "--files", files)
        assert create.wait() == 2
        assert (
            create.said == f"Error: files: must be a directory that can be written, got '{files}'\n"
        )
    assert not (place.directory / "studies.db").exists()


def test_a_run_whose_checkpoints_do_not_fit_ends_with_the_reason(
    disk: Disk, sqlite_place: Place, right_answer: dict[str, Any]
) -> None:
    """A run whose workers can save nothing ends with 1 and the cause, which it says at each death
    too; with room again the same command ends with the same bits."""
    if not disk.mounted:
        pytest.skip("mounting is not permitted here, and a limit would strike the database too")
    place = sqlite_place
    place.files = disk.directory / "files"
    run = place.run(workers=2)
    until(place.checkpoints)
    cause = rf"files: {place.files}/\S+ cannot be written: No space left on device"
    said = left(run, lambda: disk.fill(run))
    assert re.fullmatch(rf"workers keep dying \(exit code 1\): {cause}", said)
    dead = re.findall(r"^worker \d+ died \(exit code 1\): (.*); another takes .*$", run.said, re.M)
    assert len(dead) >= 5
    assert all(re.fullmatch(cause, reason) for reason in dead)
    disk.free()
    assert_goes_on(place, right_answer)
