"""Verbs that look work on what can only be read, and write into nobody's database."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Refused = Callable[..., list[str]]
# To be somebody else, where we are root, whom permissions do not bind.
OTHER = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
LOOKING = ("status", "report", "worker", "delete")


@pytest.fixture
def archive(done_desk: Any) -> Iterator[Path]:
    """A directory with a finished study that others may enter and read, and only read."""
    if subprocess.run(
        [*OTHER, sys.executable, "-c", "import lamsearch"], cwd="/", check=False
    ).returncode:
        pytest.skip("others cannot read lamsearch's own files here")
    with tempfile.TemporaryDirectory(prefix="lamsearch-archive-") as made:
        directory = Path(made) / "archive"
        shutil.copytree(done_desk.directory, directory)
        yield directory
        for path in (Path(made), directory):
            path.chmod(0o755)


def only_readable(directory: Path) -> None:
    """Take the right to write from everybody but root."""
    for path in (directory.parent, directory, *directory.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)


def command(verb: str, directory: Path, *arguments: object) -> dict[str, Any]:
    """Return how a verb is called by somebody who does not own the directory, where we are root."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("LAMSEARCH_", "XDG_"))}
    name = [] if verb == "dashboard" else ["small"]
    return {
        "args": [*OTHER, sys.executable, "-P", "-m", "lamsearch", verb, *name, *map(str, arguments),
                 "--storage", f"sqlite:///{directory / 'lamsearch.db'}"],
        "env": environment,
        "cwd": "/",
        "text": True,
    }  # fmt: skip


def call(verb: str, directory: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Call a verb so, and wait for it."""
    return subprocess.run(
        **command(verb, directory, *arguments), capture_output=True, check=False, timeout=120
    )


def test_status_and_report_work_where_nothing_may_be_written(archive: Path, done_desk: Any) -> None:
    """An archive that can only be read is shown and reported to whoever may read it, with the same
    document as its owner gets, and nothing appears in it."""
    only_readable(archive)
    before = sorted(archive.iterdir())
    status = call("status", archive)
    assert (status.returncode, "done" in status.stdout) == (0, True), status.stderr
    report = call("report", archive, "--json")
    assert report.returncode == 0, report.stderr
    assert report.stdout == done_desk.well("report", "small", "--json").stdout
    assert sorted(archive.iterdir()) == before


def test_the_dashboard_works_where_nothing_may_be_written(archive: Path) -> None:
    """The dashboard of an archive that can only be read lists its studies."""
    only_readable(archive)
    process = subprocess.Popen(
        **command("dashboard", archive, "--port", "0"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        with urllib.request.urlopen(f"{address}api/studies", timeout=60) as answer:  # noqa: S310 - our own
            assert "small/coarse" in answer.read().decode()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_the_log_of_a_killed_worker_is_read_where_nothing_may_be_written(archive: Path) -> None:
    """What stands in the write-ahead log alone is read with it; where the file of locks is missing
    and cannot be made, one sentence says what to do."""
    writer = sqlite3.connect(archive / "lamsearch.db")
    writer.execute("UPDATE lamsearch_study SET failure = 'only in the log'")
    writer.commit()
    killed = archive.parent / "killed"
    shutil.copytree(archive, killed)
    writer.close()
    only_readable(killed)
    status = call("status", killed)
    assert (status.returncode, "only in the log" in status.stdout) == (0, True), status.stderr
    killed.chmod(0o755)
    (killed / "lamsearch.db-shm").unlink()
    killed.chmod(0o555)
    status = call("status", killed)
    assert status.returncode == 2
    assert status.stderr.count("\n") == 1
    assert "copy both files to a directory of your own" in status.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")
def test_who_looks_leaves_nothing_that_locks_the_owner_out(archive: Path) -> None:
    """Where many may write a directory, a colleague's look at a study leaves no file there; root's
    look at what a killed worker left without its locks leaves them to the owner."""
    archive.parent.chmod(0o755)
    archive.chmod(0o777)
    database = archive / "lamsearch.db"
    os.chown(database, 4242, 4242)
    database.chmod(0o644)
    before = sorted(path.name for path in archive.iterdir())
    status = call("status", archive)
    assert status.returncode == 0, status.stderr
    assert sorted(path.name for path in archive.iterdir()) == before
    writer = sqlite3.connect(database)
    writer.execute("UPDATE lamsearch_study SET failure = 'only in the log'")
    writer.commit()
    killed = archive.parent / "killed"
    shutil.copytree(archive, killed)
    writer.close()
    (killed / "lamsearch.db-shm").unlink()
    for path in killed.glob("lamsearch.db*"):
        os.chown(path, 4242, 4242)
    root = command("status", killed)
    root["args"] = root["args"][len(OTHER) :]
    assert subprocess.run(**root, capture_output=True, check=False).returncode == 0
    assert {path.stat().st_uid for path in killed.glob("lamsearch.db*")} == {4242}


@pytest.mark.parametrize("verb", LOOKING)
def test_another_program_s_file_is_said_and_stays(desk: Any, refused: Refused, verb: str) -> None:
    """A verb on an application's SQLite file, an MLflow server's, or one that is empty, says that
    it is no storage of lamsearch, and leaves it byte for byte as it was."""
    mlflow = (
        "CREATE TABLE alembic_version (version_num); CREATE TABLE experiments (id);"
        "INSERT INTO alembic_version VALUES ('cc1f77228345')"
    )
    for script, said in (
        ("CREATE TABLE users (id, name)", "holds no lamsearch studies"),
        ("", "holds no lamsearch studies"),
        (mlflow, "alembic_version in this database belongs to another program"),
    ):
        desk.database_file.unlink(missing_ok=True)
        connection = sqlite3.connect(desk.database_file)
        connection.executescript(script)
        connection.close()
        before = desk.database_file.read_bytes()
        (line,) = refused(desk(verb, "small"))
        assert said in line
        assert desk.database_file.read_bytes() == before
        assert desk.listing() == ["lamsearch.db"]


@pytest.mark.parametrize("verb", ["run", "create"])
def test_no_study_is_planned_in_another_program_s_file(
    desk: Any, refused: Refused, verb: str
) -> None:
    """Planning a study in an application's file is refused, and leaves it as it was."""
    connection = sqlite3.connect(desk.database_file)
    connection.execute("CREATE TABLE users (id, name)")
    connection.close()
    before = desk.database_file.read_bytes()
    (line,) = refused(desk(verb, desk.write(), "--storage", desk.url))
    assert "holds tables of another program ('users'); give lamsearch a database" in line
    assert desk.database_file.read_bytes() == before
    assert desk.listing() == ["lamsearch.db", "small.toml"]
