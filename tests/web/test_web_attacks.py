"""Every attack that the bare Optuna dashboard falls for, on a really running process."""

from __future__ import annotations

import base64
import io
import json
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.artifacts import FileSystemArtifactStore, upload_artifact
from storage_stub import Window
from study_processes import promised
from web_process import Dashboard

Start = Callable[..., Dashboard]
Lamsearch = Callable[..., "subprocess.CompletedProcess[str]"]
PASSWORD = "correct horse battery"  # noqa: S105 - made up
HTML = "<script>fetch('/api/studies/1', {method: 'DELETE'})</script>"


def basic(password: str) -> str:
    """Return the header of a login."""
    return "Basic " + base64.b64encode(f"me:{password}".encode()).decode()


def test_foreign_host(dashboard: Dashboard) -> None:
    """A page whose DNS name was rebound to this machine reads nothing."""
    answer = dashboard.ask("/api/studies", Host=f"evil.example:{dashboard.port}")
    assert answer.status == 403
    assert b"digits" not in answer.body
    assert dashboard.ask("/api/studies", Host=f"localhost:{dashboard.port}").status == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("DELETE", "/api/studies/1", None),
        ("POST", "/api/studies", {"study_name": "mine", "directions": ["maximize"]}),
        ("POST", "/api/studies/1/rename", {"study_name": "mine"}),
        ("PUT", "/api/studies/1/note", {"version": 1, "body": "mine"}),
        ("POST", "/api/trials/1/tell", {"state": "fail"}),
        ("POST", "/api/trials/1/user-attrs", {"user_attrs": {"mine": 1}}),
        ("POST", "/api/artifacts/1", {"file": "data:text/html;base64,AA==", "filename": "x"}),
        ("POST", "/incompatible-rdb-schema", None),
    ],
)
def test_writes_are_refused(
    dashboard: Dashboard, finished_url: str, method: str, path: str, body: object
) -> None:
    """Read-only, no request changes anything, even from the dashboard's own pages."""
    before = Window(finished_url).tables()
    answer = dashboard.ask(path, method, body=body, Origin=dashboard.url.rstrip("/"))
    assert answer.status == 403
    assert b"read-only" in answer.body
    assert Window(finished_url).tables() == before


def test_bodyless_cross_origin_post(own_url: str, start: Start) -> None:
    """Even writable, a write without a body from another site's page does nothing."""
    dashboard = start(own_url, "--writable")
    before = Window(own_url).tables()
    for foreign in ({"Origin": "http://evil.example"}, {"Sec_Fetch_Site": "cross-site"}):
        assert dashboard.ask("/incompatible-rdb-schema", "POST", **foreign).status == 403
        assert dashboard.ask("/api/studies/1", "DELETE", **foreign).status == 403
    assert Window(own_url).tables() == before
    own = {"Origin": dashboard.url.rstrip("/"), "Sec_Fetch_Site": "same-origin"}
    note = {"version": 1, "body": "people's own"}
    assert dashboard.ask("/api/studies/1/note", "PUT", body=note, **own).status == 204
    assert dashboard.study("small/coarse")["note"] == note


def test_stored_html(own_url: str, tmp_path: Path, start: Start) -> None:
    """A stored HTML artifact is never shown as a page of this server, nor read by another site."""
    page = tmp_path / "page.html"
    page.write_text(HTML)
    directory = tmp_path / "files" / "artifacts"
    directory.mkdir(parents=True)
    study = optuna.create_study(study_name="people's", storage=own_url)
    stored = upload_artifact(
        artifact_store=FileSystemArtifactStore(directory), file_path=str(page), study_or_trial=study
    )
    dashboard = start(own_url, "--files", tmp_path / "files")
    number = dashboard.studies()["people's"]
    answer = dashboard.ask(f"/artifacts/{number}/{stored}", Origin="http://evil.example")
    assert (answer.status, answer.body) == (200, HTML.encode())
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"] == "attachment"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Access-Control-Allow-Origin"] is None
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_no_favicon_crash(dashboard: Dashboard) -> None:
    """A client without Accept-Encoding gets the icon and the script."""
    assert dashboard.ask("/favicon.ico").status == 200
    assert dashboard.ask("/static/bundle.js").status == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7"])  # noqa: S104 - refused
def test_far_without_password(lamsearch: Lamsearch, finished_url: str, host: str) -> None:
    """Any address but loopback is refused without a password."""
    done = lamsearch("dashboard", "--storage", finished_url, "--host", host, "--port", 0)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"Error: host: {host} can be reached from other machines")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("text", [None, "", "\n", "short", "        \n"])
def test_bad_password_file(
    lamsearch: Lamsearch, finished_url: str, tmp_path: Path, text: str | None
) -> None:
    """A password file that is missing, empty or too short is refused, and not shown."""
    path = tmp_path / "password"
    if text is not None:
        path.write_text(text)
    done = lamsearch(
        "dashboard", "--storage", finished_url, "--port", 0, "--password-file", path,
        env={"LAMSEARCH_DASHBOARD_PASSWORD": PASSWORD},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"Error: password file {path}")
    assert "short" not in done.stderr.replace(str(path), "")


@pytest.mark.parametrize("source", ["file", "environment"])
def test_password(finished_url: str, tmp_path: Path, start: Start, source: str) -> None:
    """On every address the password is asked for, a wrong one opens nothing, and none sees it."""
    options: list[Any] = ["--host", "0.0.0.0"]  # noqa: S104 - with a password
    environment = {"LAMSEARCH_DASHBOARD_PASSWORD": PASSWORD}
    if source == "file":
        (tmp_path / "password").write_text(PASSWORD + "\n")
        options += ["--password-file", tmp_path / "password"]
        environment = {"LAMSEARCH_DASHBOARD_PASSWORD": "another password"}
    dashboard = start(finished_url, *options, fresh=True, **environment)
    assert dashboard.ask("/api/studies").status == 401
    assert dashboard.ask("/dashboard", Authorization=basic("wrong horse battery")).status == 401
    opened = dashboard.ask("/api/studies", Authorization=basic(PASSWORD))
    assert (opened.status, len(opened.document["study_summaries"])) == (200, 4)
    foreign = dashboard.ask("/api/studies", Authorization=basic(PASSWORD), Host="evil.example")
    assert foreign.status == 403
    assert "without TLS" in dashboard.stderr
    assert PASSWORD not in dashboard.stderr
    command = Path(f"/proc/{dashboard.process.pid}/cmdline")
    if command.exists():
        assert PASSWORD.encode() not in command.read_bytes()


def test_port_in_use(lamsearch: Lamsearch, finished_url: str) -> None:
    """A port that is taken is one sentence."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = lamsearch("dashboard", "--storage", finished_url, "--port", port)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"Error: port: 127.0.0.1:{port} cannot be listened on: Address already in use\n"
    )


def test_no_such_place(lamsearch: Lamsearch, tmp_path: Path, finished_url: str) -> None:
    """A host that is none, and a storage that is not there, are one sentence each."""
    done = lamsearch("dashboard", "--storage", finished_url, "--host", "no such host")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    done = lamsearch("dashboard", "--storage", f"sqlite:///{tmp_path / 'none.db'}")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_end(finished_url: str, start: Start, number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM end it at once, with 0 and without a word."""
    dashboard = start(finished_url)
    with socket.create_connection(("127.0.0.1", dashboard.port)):  # somebody is still connected
        code, seconds = dashboard.leave(number)
    assert (code, dashboard.stderr) == (0, "")
    assert seconds < promised(10)


def test_upload_needs_writable(own_url: str, tmp_path: Path, start: Start) -> None:
    """Writable, a file attached to a study is kept in the files and comes back; then it goes."""
    dashboard = start(own_url, "--writable", "--files", tmp_path / "files")
    content = base64.b64encode(io.BytesIO(b"a,b\n1,2\n").read()).decode()
    body = {"file": f"data:text/csv;base64,{content}", "filename": "own.csv"}
    answer = dashboard.ask("/api/artifacts/1", "POST", body=body)
    assert answer.status == 201
    name = answer.document["artifact_id"]
    assert dashboard.ask(f"/artifacts/1/{name}").body == b"a,b\n1,2\n"
    assert [path.name for path in (tmp_path / "files" / "artifacts").iterdir()] == [name]
    assert dashboard.ask(f"/api/artifacts/1/{name}", "DELETE").status == 204
    assert list((tmp_path / "files" / "artifacts").iterdir()) == []


def attached(url: str, directory: Path, name: str) -> str:
    """Make a study of somebody's own with a file attached to it; return the file's id."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "own").write_text("own")
    study = optuna.create_study(study_name=name, storage=url)
    return upload_artifact(
        artifact_store=FileSystemArtifactStore(directory),
        file_path=str(directory / "own"),
        study_or_trial=study,
    )


@pytest.mark.parametrize("where", ["file", "directory"])
def test_a_link_among_the_files(own_url: str, tmp_path: Path, start: Start, where: str) -> None:
    """A link that somebody laid in place of an attached file, or of the directory, is not read
    through, nor written or removed through, and the log says why."""
    outside, directory = tmp_path / "outside", tmp_path / "files" / "artifacts"
    outside.mkdir()
    stored = attached(own_url, directory, "people's")
    (outside / stored).write_text(PASSWORD)
    if where == "file":
        (directory / stored).unlink()
        (directory / stored).symlink_to(outside / stored)
    else:
        directory.rename(tmp_path / "moved")
        directory.symlink_to(outside)
    dashboard = start(own_url, "--writable", "--files", tmp_path / "files")
    number = dashboard.studies()["people's"]
    answer = dashboard.ask(f"/artifacts/{number}/{stored}")
    assert (answer.status, PASSWORD.encode() in answer.body) == (404, False)
    assert b"terminal says why" in answer.body
    assert "symbolic links are not followed" in dashboard.stderr
    dashboard.ask(f"/api/artifacts/{number}/{stored}", "DELETE")
    assert [path.read_text() for path in outside.iterdir()] == [PASSWORD]


@pytest.mark.parametrize("name", ["../secret", "..", "secret", ".", "", "a/../../secret"])
def test_an_artifact_id_of_the_database_names_no_file(
    own_url: str, tmp_path: Path, start: Start, name: str
) -> None:
    """An artifact id that is none, laid in the database, has nothing read or removed when the
    study that it is attached to is removed with its files."""
    stored = attached(own_url, tmp_path / "files" / "artifacts", "people's")
    for path in (tmp_path / "files/secret", tmp_path / "files/artifacts/secret"):
        path.write_text(PASSWORD)
    study = optuna.load_study(study_name="people's", storage=own_url)
    meta = json.dumps({"artifact_id": name, "filename": "x", "mimetype": "text/plain"})
    study._storage.set_study_system_attr(study._study_id, f"artifacts:{stored}", meta)
    dashboard = start(own_url, "--writable", "--files", tmp_path / "files")
    body = {"remove_associated_artifacts": True}
    dashboard.ask(f"/api/studies/{study._study_id}", "DELETE", body=body)
    assert "people's" not in dashboard.studies()
    assert (tmp_path / "files/secret").exists()
    assert (tmp_path / "files/artifacts/secret").exists()
