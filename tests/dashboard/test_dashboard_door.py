"""The door by itself, in front of an application that answers whatever it is told to."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest

from lamsearch.dashboard.attempts import Attempts
from lamsearch.dashboard.door import Door, Rules

HOST = "127.0.0.1:8080"
HOSTS = frozenset({HOST, "localhost:8080", "[::1]:8080"})


class Behind:
    """An application that remembers that it was reached."""

    def __init__(self, *headers: tuple[str, str]) -> None:
        self.headers = headers or (("Content-Type", "application/json"),)
        self.environ: dict[str, Any] | None = None

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer 200."""
        self.environ = environ
        start_response("200 OK", list(self.headers))
        return [b"{}"]


def knock(
    behind: Behind, rules: Rules, path: str = "/api/studies", method: str = "GET", *,
    attempts: Attempts | None = None, address: str = "127.0.0.1", **headers: str,
) -> tuple[int, dict[str, str], bytes]:  # fmt: skip
    """Send a request through the door."""
    environ: dict[str, Any] = {
        "PATH_INFO": path, "REQUEST_METHOD": method, "HTTP_HOST": HOST, "REMOTE_ADDR": address,
    }  # fmt: skip
    setup_testing_defaults(environ)
    environ |= {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    answered: list[tuple[str, list[tuple[str, str]]]] = []
    door = Door(behind, rules, attempts)
    body = b"".join(door(environ, lambda s, h, *_: answered.append((s, h))))  # type: ignore[arg-type,return-value]
    status, found = answered[0]
    return int(status[:3]), {name.lower(): value for name, value in found}, body


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "LOCALHOST:8080", "[::1]:8080"])
def test_own_names_pass(host: str) -> None:
    """The names of this machine with the port pass, in either case."""
    assert knock(Behind(), Rules(hosts=HOSTS), host=host)[0] == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8080", "127.0.0.1", "127.0.0.1:80",
     "127.0.0.1.evil.example:8080", "localhost.:8080", "localhost:8080@evil.example", "",
     "192.0.2.1:8080"],
)  # fmt: skip
def test_foreign_names_are_refused(host: str) -> None:
    """A Host that is not this server's, as after DNS rebinding, does not reach the application."""
    behind = Behind()
    status, _, body = knock(behind, Rules(hosts=HOSTS), host=host)
    assert (status, behind.environ) == (403, None)
    assert b"answers to" in body


@pytest.mark.parametrize(
    ("host", "status"),
    [("192.0.2.1:9000", 200), ("[2001:db8::1]:9000", 200), ("evil.example:9000", 403)],
)
def test_every_address(host: str, status: int) -> None:
    """A server on all addresses answers to any address, and still to no foreign name."""
    assert knock(Behind(), Rules(hosts=HOSTS, any_address=True), host=host)[0] == status


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "X"])
def test_read_only(method: str) -> None:
    """Without --writable nothing but GET and HEAD reaches the application, whatever its origin."""
    behind = Behind()
    status, _, body = knock(behind, Rules(hosts=HOSTS), method=method, sec_fetch_site="same-origin")
    assert (status, behind.environ) == (403, None)
    assert b"read-only" in body


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),  # no browser: nobody's session is ridden on
        ({"origin": f"http://{HOST}"}, 200),
        ({"origin": f"https://{HOST}", "sec_fetch_site": "same-origin"}, 200),
        ({"sec_fetch_site": "same-origin"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-site"}, 403),
        ({"sec_fetch_site": "none"}, 403),
        ({"origin": f"http://{HOST}", "sec_fetch_site": "cross-site"}, 403),
        ({"origin": "http://evil.example", "sec_fetch_site": "same-origin"}, 403),
    ],
)
def test_origin_of_writes(headers: dict[str, str], status: int) -> None:
    """With --writable a write passes from this server's own pages only, body or not."""
    behind = Behind()
    rules = Rules(hosts=HOSTS, writable=True)
    assert knock(behind, rules, "/incompatible-rdb-schema", "POST", **headers)[0] == status
    assert (behind.environ is None) == (status == 403)


def test_strange_methods() -> None:
    """With --writable a method that no dashboard needs is still refused."""
    assert knock(Behind(), Rules(hosts=HOSTS, writable=True), method="TRACE")[0] == 405


def basic(text: str) -> str:
    """Return an HTTP Basic header."""
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (basic("me:correct horse"), 200),
        (basic(":correct horse"), 200),
        (basic("me:correct horse").replace("Basic", "bAsIc"), 200),
        (basic("me:correct hors"), 401),
        (basic("me:correct horse "), 401),
        (basic("correct horse:"), 401),
        (basic("correct horse"), 401),
        ("Basic !!!", 401),
        ("Basic é", 401),
        ("Bearer correct horse", 401),
        ("", 401),
    ],
)
def test_password(header: str, status: int) -> None:
    """Only the password opens, whatever the user name, and a refusal asks for it."""
    behind = Behind()
    rules = Rules(hosts=HOSTS, password=b"correct horse")
    answered, headers, _ = knock(behind, rules, authorization=header)
    assert answered == status
    assert (behind.environ is None) == (status == 401)
    assert ("www-authenticate" in headers) == (status == 401)


def test_passwords_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What decides is `hmac.compare_digest` on two digests of one length, whatever was typed."""
    compared: list[tuple[int, int]] = []
    rules = Rules(hosts=HOSTS, password=b"correct horse")

    def says(outcome: bool) -> None:
        def compare(one: bytes, other: bytes) -> bool:
            compared.append((len(one), len(other)))
            return outcome

        monkeypatch.setattr(
            "lamsearch.dashboard.door.hmac", SimpleNamespace(compare_digest=compare)
        )

    for outcome, status in ((True, 200), (False, 401)):
        says(outcome)
        for password in ("correct horse", "x", "y" * 500):
            assert knock(Behind(), rules, authorization=basic(f"me:{password}"))[0] == status
    assert compared == [(32, 32)] * 6


@pytest.mark.parametrize("path", ["/", "/api/meta", "/artifacts/1/2", "/dashboard", "/x", "//x"])
def test_headers_everywhere(path: str) -> None:
    """Every answer carries the headers that keep other sites out, and none that lets them in."""
    behind = Behind(("Content-Type", "text/html"), ("Access-Control-Allow-Origin", "*"),
                    ("X-Frame-Options", "ALLOWALL"), ("Content-Security-Policy", "x"))  # fmt: skip
    _, headers, _ = knock(behind, Rules(hosts=HOSTS), path)
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["referrer-policy"] == "same-origin"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert not any(name.startswith("access-control-") for name in headers)


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("image/png", True), ("image/jpeg", True), ("text/csv", True), ("application/json", True),
        ("video/mp4", True), ("text/html", False), ("image/svg+xml", False), ("text/xml", False),
        ("application/javascript", False), ("text/css", False), ("application/pdf", False),
        ("IMAGE/PNG, text/html", False), ("", False),
    ],
)  # fmt: skip
def test_stored_files(kind: str, shown: bool) -> None:
    """A stored file that could act in a browser is only ever saved, and none runs a script."""
    behind = Behind(("Content-Type", kind), ("Content-Disposition", "inline"))
    _, headers, _ = knock(behind, Rules(hosts=HOSTS), "/artifacts/1/2/ab")
    assert (headers.get("content-disposition") == "attachment") != shown
    assert headers["content-type"] == (kind if shown else "application/octet-stream")
    assert headers["content-security-policy"].startswith("default-src 'none'; sandbox")


def test_accept_encoding() -> None:
    """The application finds an Accept-Encoding header, which it needs, where none was sent."""
    behind = Behind()
    knock(behind, Rules(hosts=HOSTS), "/favicon.ico")
    assert behind.environ is not None
    assert behind.environ["HTTP_ACCEPT_ENCODING"] == "identity"
