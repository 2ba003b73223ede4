"""What only an object store can do wrong; the storage suite itself is in test_artifacts."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import fsspec
import numpy as np
import pytest
from click.testing import CliRunner, Result
from newest import newest_checkpoint

from lamsearch import storage as store
from lamsearch.artifacts import Files
from lamsearch.artifacts import store as artifact_store
from lamsearch.cli import cli
from lamsearch.errors import FilesError, InputError
from lamsearch.storage import Database

STATE = {"W1": np.arange(6.0)}


@pytest.fixture
def unshared() -> Iterator[None]:
    """A client of its own for the test: fsspec keeps one per set of options, not of environment."""
    kind = fsspec.get_filesystem_class("s3")
    kind.clear_instance_cache()
    yield
    kind.clear_instance_cache()


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of this host at which nobody listens."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        yield listening.getsockname()[1]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    directory = tmp_path / "desk"
    directory.mkdir()
    monkeypatch.chdir(directory)
    for name in [name for name in os.environ if name.startswith("LAMSEARCH_")]:
        monkeypatch.delenv(name)
    return directory


def call(*arguments: object) -> Result:
    """Call a verb in this process."""
    return CliRunner().invoke(cli, list(map(str, arguments)), prog_name="lamsearch")


def refusal(*arguments: object) -> str:
    """Assert that a verb leaves with 2 after one sentence; return the sentence."""
    done = call(*arguments)
    assert done.exit_code == 2, done.stderr
    assert isinstance(done.exception, SystemExit)
    assert done.stdout == ""
    assert done.stderr.startswith("Error: files: ")
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr.removeprefix("Error: ").rstrip()


def test_a_place_that_can_be_written_is_left_as_it_was(
    s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check that succeeds leaves nothing behind, in an object store or a directory to be made."""
    monkeypatch.setenv("LAMSEARCH_FILES_PROTOCOLS", "memory")
    for url in (f"{s3}/prefix", str(tmp_path / "store"), f"memory://{tmp_path.name}"):
        Files(url, "id").check()
    fs = fsspec.filesystem("s3")
    fs.invalidate_cache()
    assert fs.find(s3) == []
    assert list(tmp_path.iterdir()) == []


def test_a_missing_bucket_is_bad_input_and_is_not_made(s3: str) -> None:
    """A bucket that does not exist is refused by the check, and nothing makes it."""
    with pytest.raises(InputError) as caught:
        Files(f"{s3}-not/x", "id").check()
    assert str(caught.value) == (
        f"files: {s3}-not/x must be a place where files can be written, "
        "got: The specified bucket does not exist"
    )
    files = Files(f"{s3}-not/x", "id")
    with pytest.raises(FilesError) as failed:
        files.save_checkpoint("coarse", 2, 30, STATE)
    assert str(failed.value) == (
        f"files: {s3}-not/x/id/checkpoints/coarse-2/000000000030.npz cannot be written: "
        "The specified bucket does not exist"
    )
    fs = fsspec.filesystem("s3")
    assert not fs.exists(f"{s3}-not")


def test_another_host_s_checkpoint_is_seen_at_once(s3: str) -> None:
    """What others write, or remove, after this host has looked is found at its next look."""
    kind = fsspec.get_filesystem_class("s3")
    here, directory = Files(s3, "id"), f"{s3}/id/checkpoints/coarse-2"
    here.save_checkpoint("coarse", 2, 30, STATE)
    assert newest_checkpoint(here, "coarse", 2) is not None
    there = kind(skip_instance_cache=True)
    newer = {"W1": np.arange(9.0)}
    here.save_checkpoint("coarse", 3, 60, newer)
    content = there.cat_file(f"{s3}/id/checkpoints/coarse-3/000000000060.npz")
    there.pipe_file(f"{directory}/000000000060.npz", content)
    found = newest_checkpoint(here, "coarse", 2)
    assert found is not None
    assert found["W1"].size == 9
    there.rm(directory, recursive=True)
    assert newest_checkpoint(here, "coarse", 2) is None


def test_a_store_that_is_away_is_said_by_every_call(
    s3: str, closed_port: int, unshared: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody answers, each call is one sentence of the one error family with its place."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{closed_port}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    files = Files(s3, "id")
    with pytest.raises(InputError, match=r"got: Could not connect to the endpoint URL: "):
        files.check()
    calls: dict[str, Callable[[], object]] = {
        f"{s3}/id/checkpoints/coarse-2/000000000030.npz cannot be written": lambda: (
            files.save_checkpoint("coarse", 2, 30, STATE)
        ),
        f"{s3}/id/checkpoints/coarse-2 cannot be read": lambda: newest_checkpoint(
            files, "coarse", 2
        ),
        f"{s3}/id/models/final-0.safetensors cannot be read": lambda: files.read_model(0),
        f"{s3}/id cannot be removed": files.remove_all,
    }
    for sentence, call in calls.items():
        with pytest.raises(FilesError) as caught:
            call()
        said = str(caught.value)
        assert said.startswith(f"files: {sentence}: Could not connect to the endpoint URL: ")
        assert "\n" not in said
        assert caught.value.exit_code == 1


def test_what_is_not_needed_any_more_may_stay(
    s3: str, closed_port: int, unshared: None, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """Told results do not fail for checkpoints that cannot be removed; a line says so."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{closed_port}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    Files(s3, "id").drop_checkpoints("coarse", 2)
    assert caplog.messages[0].startswith(f"files: {s3}/id/checkpoints/coarse-2 cannot be removed: ")


def test_a_store_that_never_answers_is_refused_in_time(
    s3: str, unshared: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check ends at its deadline where the store takes the connection and says nothing."""
    assert artifact_store._CHECK_SECONDS == 10.0
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{mute.getsockname()[1]}")
        monkeypatch.setattr(artifact_store, "_CHECK_SECONDS", 1.0)
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        begun = time.monotonic()
        with pytest.raises(InputError, match=r"got no answer within 1 seconds$"):
            Files(s3, "id").check()
        assert time.monotonic() - begun < 3


def test_a_short_hiccup_is_ridden_out(
    s3: str, s3_server: str, unshared: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that refuses connections for half a second costs a write nothing but that time."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{door.getsockname()[1]}")
        server = urlsplit(s3_server)
        assert server.port is not None
        opener = threading.Thread(target=_open, args=(door, 0.5, server.port), daemon=True)
        opener.start()
        begun = time.monotonic()
        Files(s3, "id").save_checkpoint("coarse", 2, 30, STATE)
        assert time.monotonic() - begun >= 0.5
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    found = newest_checkpoint(Files(s3, "id"), "coarse", 2)
    assert found is not None


def _open(door: socket.socket, seconds: float, port: int) -> None:
    """Begin to listen after a while; pass what comes on to another port of this host."""
    time.sleep(seconds)
    door.listen()
    while True:
        try:
            near, _ = door.accept()
        except OSError:
            return
        far = socket.create_connection(("127.0.0.1", port))
        for one, other in ((near, far), (far, near)):
            threading.Thread(target=_pass, args=(one, other), daemon=True).start()


def _pass(one: socket.socket, other: socket.socket) -> None:
    with one:
        while content := one.recv(65536):
            other.sendall(content)


def test_create_and_run_refuse_a_missing_bucket(
    s3: str, desk: Path, study_file: Callable[..., Path]
) -> None:
    """Create and run say that the bucket is not there, exit 2, and plan nothing."""
    for verb in ("create", "run"):
        said = refusal(verb, study_file(), "--files", f"{s3}-not")
        assert said.endswith("got: The specified bucket does not exist")
    assert list(desk.iterdir()) == []


def test_create_refuses_credentials_that_the_store_does_not_know(
    s3: str, s3_server: str, unshared: None, desk: Path, study_file: Callable[..., Path]
) -> None:
    """Wrong credentials are said at once, are not shown, and nothing is planned."""

    def check_who_asks(after_requests: str) -> None:
        request = urllib.request.Request(  # noqa: S310 - loopback
            f"{s3_server}/moto-api/reset-auth", after_requests.encode(),
            {"Content-Type": "text/plain"},
        )  # fmt: skip
        urllib.request.urlopen(request).close()  # noqa: S310 - loopback

    check_who_asks("0")
    try:
        said = refusal("create", study_file(), "--files", s3)
    finally:
        check_who_asks("inf")
    assert "The AWS Access Key Id you provided does not exist in our records" in said
    assert "testing" not in said
    assert list(desk.iterdir()) == []


def test_create_refuses_to_be_nobody(
    s3: str, unshared: None, desk: Path, study_file: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Where there are no credentials, that is what is said."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    said = refusal("create", study_file(), "--files", s3)
    assert said.endswith("got: Unable to locate credentials")
    assert list(desk.iterdir()) == []


def test_delete_leaves_nothing_of_a_study(
    s3: str, desk: Path, study_file: Callable[..., Path]
) -> None:
    """Delete removes what a study has in an object store, whoever wrote it since it looked."""
    assert call("create", study_file(), "--files", f"{s3}/x").exit_code == 0
    database = Database("sqlite:///lamsearch.db")
    files = Files(f"{s3}/x", store.load(database, "small").id)
    database.close()
    files.save_checkpoint("coarse", 2, 30, STATE)
    there = fsspec.get_filesystem_class("s3")(skip_instance_cache=True)
    assert len(there.find(s3)) == 2  # the checkpoint, and the mark of the study's directory
    done = call("delete", "small", "--yes", "--files", f"{s3}/x")
    assert done.exit_code == 0, done.stderr
    there.invalidate_cache()
    assert there.find(s3) == []


def test_what_s3_needs_is_said(tmp_path: Path, study_file: Callable[..., Path]) -> None:
    """Without the extra, s3:// is refused with the command that installs it."""
    lines = "import sys; sys.modules['s3fs'] = None; from lamsearch.cli import cli; cli()"
    done = subprocess.run(
        [sys.executable, "-P", "-c", lines, "create", str(study_file()), "--files", "s3://b/x",
         "--storage", f"sqlite:///{tmp_path}/none.db"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert done.stderr == "Error: files: s3://b/x: needs s3fs: pip install 'lamsearch[s3]'\n"
    assert not (tmp_path / "none.db").exists()


def test_no_message_holds_the_password(
    closed_port: int, desk: Path, study_file: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A URL with a password is refused without it, when it fails and when it is another's."""
    monkeypatch.setenv("LAMSEARCH_FILES_PROTOCOLS", "ftp, memory")
    url = f"ftp://user:pa55%2Fword@127.0.0.1:{closed_port}/x"
    said = refusal("create", study_file(), "--files", url)
    assert f"ftp://user:***@127.0.0.1:{closed_port}/x" in said
    assert "Connection refused" in said
    assert "pa55" not in said
    path = study_file()
    assert call("create", path, "--files", "memory://user:pa55@one").exit_code == 0
    assert refusal("create", path, "--files", "memory://user:pa55@other") == (
        "files: 'small' was created with 'memory://user:***@one', got 'memory://user:***@other'"
    )
