"""`lamsearch.Client` against a really running server: what a script does all day."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from storage_stub import work
from test_web_api import STUDY
from web_process import Dashboard
from web_stack import PASSWORD, TOKEN

import lamsearch
from lamsearch.errors import (
    AccessError,
    InputError,
    InterruptedWorkError,
    ServerAwayError,
    ServerError,
    StudyStateError,
    UnknownStudyError,
    WorkFailedError,
)
from lamsearch.storage import Database, Leases


class Server(Dashboard):
    """A really running `lamsearch serve`."""

    verb = "serve"


@pytest.fixture(scope="module")
def served(
    finished_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, str]]:
    """A server that may write, with a password and a token, and its storage's URL."""
    directory = tmp_path_factory.mktemp("served")
    (directory / "token").write_text(TOKEN + "\n")
    (directory / "own.db").write_bytes(finished_file.read_bytes())
    url = f"sqlite:///{directory / 'own.db'}"
    options = ("--writable", "--token-file", directory / "token")
    with Server(url, directory, *options, LAMSEARCH_DASHBOARD_PASSWORD=PASSWORD) as running:
        yield running, url


@pytest.fixture
def client(served: tuple[Server, str]) -> lamsearch.Client:
    """A client with the token."""
    return lamsearch.Client(served[0].url, token=TOKEN)


def test_a_study_from_its_file_to_its_result(
    served: tuple[Server, str], client: lamsearch.Client, tmp_path: Path
) -> None:
    """A study that is handed in, paused, moved and resumed is worked on, and `wait` returns its
    result; then it is removed."""
    (tmp_path / "study.toml").write_text(STUDY)
    found = client.submit(tmp_path / "study.toml", priority=3)
    assert (found["name"], found["created"]) == ("handed-in", True)
    assert client.submit(STUDY)["created"] is False
    assert client.pause("handed-in")["state"] == "paused"
    assert [one["name"] for one in client.list(state="paused")] == ["handed-in"]
    assert client.prioritize("handed-in", -4)["priority"] == -4
    assert client.resume("handed-in")["state"] == "queued"
    database = Database(served[1])
    worker = threading.Thread(
        target=work, args=[Leases(database, "handed-in", owner="worker-1", seconds=600.0)]
    )
    worker.start()
    result = client.wait("handed-in", timeout=60)
    worker.join()
    database.close()
    assert result["selected"]["params"].keys() == {"log10_lambda"}
    assert result == client.result("handed-in")
    assert client.status("handed-in")["state"] == "done"
    client.delete("handed-in")
    assert [one["name"] for one in client.list()] == ["small"]


def test_a_cancelled_study_is_no_result(client: lamsearch.Client) -> None:
    """Who waits for a study that was cancelled is told, and one that goes on is waited for only so
    long."""
    client.submit(STUDY.replace("handed-in", "unwanted"))
    with pytest.raises(InterruptedWorkError, match=r"is not over after 0\.2 s"):
        client.wait("unwanted", timeout=0.2)
    assert client.finish("unwanted")["search_ended"]
    assert client.cancel("unwanted")["state"] == "cancelled"
    with pytest.raises(WorkFailedError, match="unwanted was cancelled"):
        client.wait("unwanted")
    client.delete("unwanted")


def test_errors_are_of_the_family(client: lamsearch.Client) -> None:
    """What a server refuses is raised as the error that the verb would raise."""
    with pytest.raises(UnknownStudyError, match="no study 'none'"):
        client.status("none")
    with pytest.raises(StudyStateError, match="is done and cannot be cancelled"):
        client.cancel("small")
    with pytest.raises(InputError, match=r"study: coarse.trials: "):
        client.submit(STUDY.replace("trials = 3", "trials = -3"))
    with pytest.raises(InputError, match="cannot be read"):
        client.submit("/nowhere/study.toml")


def test_who_is_let_in(served: tuple[Server, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """With the password one reads; to write needs the token, from the argument or environment."""
    reading = lamsearch.Client(served[0].url, password=PASSWORD)
    assert reading.status("small")["state"] == "done"
    with pytest.raises(AccessError, match="needs the server's token"):
        reading.cancel("small")
    with pytest.raises(AccessError, match="asks for its password"):
        lamsearch.Client(served[0].url).list()
    monkeypatch.setenv("LAMSEARCH_TOKEN", TOKEN)
    assert lamsearch.Client(served[0].url).list()


@pytest.mark.parametrize(
    "url", ["ftp://host/", "127.0.0.1:8080", "http://", "http://me:secret@host/", "file:///etc"]
)
def test_an_address_that_is_none(url: str) -> None:
    """A client is made for an http address without a password in it, else it says why not."""
    with pytest.raises(InputError, match="url: must") as raised:
        lamsearch.Client(url)
    assert "secret" not in str(raised.value)


def test_a_token_that_fits_no_header() -> None:
    """A token with a line end or a blank in it is refused before anything is sent."""
    with pytest.raises(InputError, match="token: must be ASCII without blanks"):
        lamsearch.Client("http://127.0.0.1:9/", token="a\r\nHost: evil")  # noqa: S106 - made up


def test_nobody_there() -> None:
    """A server that is not there is an error of its own, which says where it was looked for."""
    with pytest.raises(ServerAwayError, match=r"server: http://127\.0\.0\.1:9/api/v1/studies"):
        lamsearch.Client("http://127.0.0.1:9/").list()


@contextmanager
def answering(respond: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[HTTPServer]:
    """Provide a server that answers each request as it is told."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            respond(self)

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_token_is_sent_to_no_other_server() -> None:
    """A redirection is not followed: the token would go with it."""

    def redirect(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", "http://127.0.0.1:9/stolen")
        handler.end_headers()

    with answering(redirect) as server:
        url = f"http://127.0.0.1:{server.server_address[1]}/"
        with pytest.raises(ServerError, match="answered 302"):
            lamsearch.Client(url, token=TOKEN).list()


def test_another_server() -> None:
    """What answers with something else is no lamsearch server."""

    def hello(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(b"<html>hello")

    with answering(hello) as server:
        url = f"http://127.0.0.1:{server.server_address[1]}/"
        with pytest.raises(ServerError, match="is no lamsearch server"):
            lamsearch.Client(url).list()


def test_a_proxy_whose_server_starts_again_is_waited_for() -> None:
    """502 and 504 are of a server that is away, as 503 is, while a study's end is waited for."""
    answers = iter([(502, {}), (200, {"state": "done"}), (504, {}), (200, {"state": "done"}),
                    (200, {"answer": 1})])  # fmt: skip

    def respond(handler: BaseHTTPRequestHandler) -> None:
        status, document = next(answers)
        content = json.dumps(document).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    with answering(respond) as server:
        client = lamsearch.Client(f"http://127.0.0.1:{server.server_address[1]}/")
        assert client.wait("one", timeout=30) == {"answer": 1}
    assert next(answers, None) is None
