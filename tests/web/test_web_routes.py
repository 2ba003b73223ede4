"""Every attack on the dashboard, tried on the queue, the reports, the API and the metrics."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from storage_stub import Window, planned
from web_stack import HOST, PASSWORD, TOKEN, Stack

from lamsearch.storage import Database, Leases
from lamsearch.study import Study

PAGES = ("/", "/studies/small/", "/api/v1/docs", "/dashboard")
FREE = ("/healthz", "/readyz")
READS = (
    *PAGES, "/metrics", "/assets/queue.js", "/assets/swagger-ui.css", "/api/v1/openapi.json",
    "/api/v1/studies", "/api/v1/studies/small", "/api/v1/studies/small/result",
    "/studies/small/results.json", "/studies/small/trials.csv", "/studies/small/report.md",
    "/studies/small/figures/accuracy_over_lambda.png", "/api/studies",
)  # fmt: skip
WRITES = (
    ("POST", "/api/v1/studies", b"name = 'x'"),
    ("POST", "/api/v1/studies/small/pause", None),
    ("POST", "/api/v1/studies/small/resume", None),
    ("POST", "/api/v1/studies/small/cancel", None),
    ("POST", "/api/v1/studies/small/finish", None),
    ("PUT", "/api/v1/studies/small/priority", b'{"priority": 3}'),
    ("DELETE", "/api/v1/studies/small", None),
)
RIGHT = f"Bearer {TOKEN}"


def basic(password: str) -> str:
    """Return the header of a login."""
    return "Basic " + base64.b64encode(f"me:{password}".encode()).decode()


@pytest.fixture(scope="module")
def locked(finished_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A server that only reads, with a password and a token."""
    rules = {"password": PASSWORD.encode(), "token": TOKEN.encode()}
    with Stack(finished_url, tmp_path_factory.mktemp("locked"), **rules) as stack:
        yield stack


@pytest.fixture
def writer(own_url: str, tmp_path: Path) -> Iterator[Stack]:
    """A server whose API may write, with a password."""
    rules = {"writable": True, "token": TOKEN.encode(), "password": PASSWORD.encode()}
    with Stack(own_url, tmp_path, **rules) as stack:
        yield stack


@pytest.mark.parametrize("path", [*READS, *FREE])
def test_a_foreign_host_reads_nothing(locked: Stack, path: str) -> None:
    """A page whose DNS name was rebound to this machine is refused everywhere."""
    answer = locked.ask(path, Host="evil.example", Authorization=basic(PASSWORD))
    assert answer.status == 403
    assert b"small" not in answer.body


@pytest.mark.parametrize("path", READS)
def test_the_password_or_the_token_opens(locked: Stack, path: str) -> None:
    """Each route asks for the password, which opens it, and so does the token."""
    refused = locked.ask(path)
    assert (refused.status, "www-authenticate" in refused.headers) == (401, True)
    assert b"small" not in refused.body
    assert locked.ask(path, Authorization=basic(PASSWORD), client="10.0.0.2").status == 200
    assert locked.ask(path, Authorization=RIGHT, client="10.0.0.2").status == 200


@pytest.mark.parametrize("path", FREE)
def test_supervisors_need_no_password(locked: Stack, path: str) -> None:
    """Health and readiness answer everybody who names this server, and say nothing but that."""
    answer = locked.ask(path)
    assert (answer.status, answer.body) == (200, b"ok\n")
    assert locked.ask(path, "POST").status == 401


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_read_only_nothing_is_written(
    locked: Stack, finished_url: str, method: str, path: str, body: bytes | None
) -> None:
    """Without --writable the right token changes nothing."""
    before = Window(finished_url).tables()
    answer = locked.change(path, method, body=body)
    assert (answer.status, answer.headers["content-type"]) == (403, "application/problem+json")
    assert answer.document["detail"] == "this server is read-only; --writable lets it write"
    assert Window(finished_url).tables() == before


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_writing_needs_the_token(
    writer: Stack, own_url: str, method: str, path: str, body: bytes | None
) -> None:
    """Neither the password nor a wrong token changes anything, nor does a page of another site that
    got hold of the right one."""
    before = Window(own_url).tables()
    for given in (basic(PASSWORD), "Bearer wrong", f"Bearer {TOKEN}x", f"Basic {TOKEN}"):
        assert writer.ask(path, method, body=body, Authorization=given).status == 401
    assert writer.ask(path, method, body=body).status == 401
    for foreign in ({"Origin": "http://evil.example"}, {"Sec_Fetch_Site": "cross-site"}):
        assert writer.change(path, method, body=body, client="10.0.0.9", **foreign).status == 403
    assert Window(own_url).tables() == before


def test_without_a_token_nothing_changes_over_the_api(own_url: str, tmp_path: Path) -> None:
    """A server that was given no token lets nobody write over its API, not even on this machine."""
    with Stack(own_url, tmp_path, writable=True) as stack:
        before = Window(own_url).tables()
        for method, path, body in WRITES:
            for given in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer None"}):
                answer = stack.ask(path, method, body=body, **given)
                assert answer.status == 403
                assert "no token" in answer.document["detail"]
        assert Window(own_url).tables() == before


def test_guesses_of_the_token_are_slowed(writer: Stack) -> None:
    """Wrong tokens are counted like wrong passwords: soon even the right one has to wait, from that
    address alone."""
    statuses = [
        writer.ask("/api/v1/studies", Authorization=f"Bearer guess-{n}").status for n in range(20)
    ]
    assert statuses[:4] == [401] * 4
    assert set(statuses[4:]) == {429}
    waiting = writer.ask("/api/v1/studies", Authorization=RIGHT)
    assert (waiting.status, "retry-after" in waiting.headers) == (429, True)
    assert waiting.document["status"] == 429
    assert writer.ask("/", Authorization=basic(PASSWORD)).status == 429
    assert writer.ask("/api/v1/studies", Authorization=RIGHT, client="10.0.0.3").status == 200
    assert writer.lines[0] == "dashboard: wrong token from 127.0.0.1, 1 so far"
    assert not any("guess" in line for line in writer.lines)


@pytest.mark.parametrize("path", [*READS, *FREE, "/studies/none/", "/api/v1/none", "/assets/none"])
def test_every_answer_is_guarded(locked: Stack, path: str) -> None:
    """Every answer keeps other sites out, and is run by no browser unless it is a page of ours."""
    answer = locked.ask(path, Authorization=basic(PASSWORD), Origin="http://evil.example")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in answer.headers
    policy = answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    if path not in PAGES:
        assert policy == "default-src 'none'; sandbox; frame-ancestors 'none'"
    elif path != "/dashboard":
        assert policy.startswith("default-src 'none'; ")
        assert "unsafe-eval" not in policy
        assert "script-src 'unsafe-inline'" not in policy


def test_the_queue_s_page_runs_our_script_alone(locked: Stack) -> None:
    """The queue's page has scripts and styles from this server only, and none in itself."""
    answer = locked.ask("/", Authorization=basic(PASSWORD))
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'; style-src 'self';" in policy
    page = answer.body.decode()
    assert "<style" not in page
    assert "style=" not in page
    assert " on" not in page.partition("<body>")[2].replace(" one", "")
    assert (
        page.count("<script") == page.count('<script src="/assets/queue.js" defer></script>') == 1
    )


HOSTILE = "<script>alert(1)</script>"


def test_what_is_stored_is_text(own_url: str, tmp_path: Path) -> None:
    """HTML in what a database says of a study is shown, and never part of a page."""
    Window(own_url).execute(
        "UPDATE lamsearch_study SET failure = :html, finished = NULL", html=HOSTILE
    )
    with Stack(own_url, tmp_path) as stack:
        for path in ("/", "/studies/small/"):
            page = stack.ask(path).body
            assert HOSTILE.encode() not in page
            assert b"&lt;script&gt;alert(1)" in page


@pytest.mark.parametrize(
    "path",
    [
        "/studies/..%2f..%2fetc%2fpasswd/", "/studies/small/models/..%2f..%2fx.safetensors",
        "/studies/small/figures/..%2f..%2fx.png", "/assets/..%2fqueue.html.jinja",
        "/assets/%2e%2e/serving.py", "/assets/queue.html.jinja", "/studies/small/models/final-9",
        "/studies/%00/", "/api/v1/studies/%2e%2e", "/api/v1/studies/%0a", "/api/v1/../healthz",
        "//api/v1/studies", "/api/v1//studies", "/metrics/", "/healthz/x", "/studies",
    ],
)  # fmt: skip
def test_strange_addresses_are_nothing(locked: Stack, path: str) -> None:
    """A path that leads elsewhere, or to nothing, is answered with 4xx and a sentence."""
    answer = locked.ask(path, Authorization=basic(PASSWORD))
    assert answer.status in (404, 422)
    assert b"Traceback" not in answer.body
    assert locked.lines == []


@pytest.mark.parametrize(
    "address", ["/api/v1/studies/%ff", "/studies/%c3%28/", "/api/v1/studies?state=é"]
)
def test_what_is_no_text_is_refused(locked: Stack, address: str) -> None:
    """An address that is no UTF-8 is 400, and nothing is logged of it."""
    answer = locked.ask(address, Authorization=basic(PASSWORD))
    assert answer.status == 400
    assert locked.lines == []


def test_no_attack_on_the_list_s_parameters(locked: Stack) -> None:
    """Whatever the page's number and state are, there is a page."""
    for query in ("page=0", "page=-1", "page=99999999999999", "page=x", "state=none", "page=²"):
        if query.isascii():
            answer = locked.ask(f"/?{query}", Authorization=basic(PASSWORD))
            assert (answer.status, b"small" in answer.body) == (200, True)


def test_readiness_says_whether_the_database_is_there(own_url: str, tmp_path: Path) -> None:
    """Readiness says nothing of why, and the log says it without a path to the visitor."""
    with Stack(own_url, tmp_path) as stack:
        Path(own_url.removeprefix("sqlite:///")).unlink()
        answer = stack.ask("/readyz")
        assert (answer.status, answer.body) == (503, b"the database is away\n")


def test_long_bodies_are_for_who_has_the_token(writer: Stack) -> None:
    """Over the API a long body is received from who gives the token, not the password."""
    environ = {"HTTP_HOST": HOST, "PATH_INFO": "/api/v1/studies"}
    assert writer._door.may_send({**environ, "HTTP_AUTHORIZATION": RIGHT})
    assert not writer._door.may_send({**environ, "HTTP_AUTHORIZATION": basic(PASSWORD)})
    assert not writer._door.may_send({**environ, "HTTP_AUTHORIZATION": "Bearer wrong"})
    assert not writer._door.may_send(environ)
    dashboard = {**environ, "PATH_INFO": "/api/artifacts/1"}
    assert writer._door.may_send({**dashboard, "HTTP_AUTHORIZATION": basic(PASSWORD)})


def test_a_page_of_a_running_study(
    own_url: str, tmp_path: Path, small_study: Callable[..., Study]
) -> None:
    """A report is there from the first moment of a study, and changes with it."""
    database = Database(own_url)
    planned(database, small_study(name="mine"))
    with Stack(own_url, tmp_path) as stack:
        assert b"0 of 5 trials of coarse have ended" in stack.ask("/studies/mine/").body
        claim = Leases(database, "mine", owner="host-7", seconds=600.0).claim()
        page = stack.ask("/").body.decode()
        assert 'class="running"' in page
        assert claim
    database.close()


@pytest.mark.parametrize(
    "path",
    [
        "/studies/small/", "/studies/small/results.json", "/studies/small/report.md",
        "/api/v1/studies/small/result",
    ],
)  # fmt: skip
def test_letters_that_are_none(
    finished_url: str, tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reason with a file name that is no UTF-8 is shown with a mark or a blank in its place."""
    with Stack(finished_url, tmp_path) as stack:
        record = replace(stack.studies.record("small"), failure="cannot read a\udcffb")
        monkeypatch.setattr(stack.studies, "record", lambda _name: record)
        answer = stack.ask(path)
        assert answer.status == 200
        assert re.search(rb"cannot read a[ ?]b", answer.body)
