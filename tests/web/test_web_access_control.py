"""The door by itself, in front of an application that answers whatever it is told to."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest
from web_requests import HOST, HOSTS, Behind, answered, basic, knock

from lamsearch.web.access_control import AccessControl, Rules
from lamsearch.web.attempts import Attempts


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
    [
        ("192.0.2.1:9000", 200),
        ("[2001:db8::1]:9000", 200),
        ("[::1]:9000", 200),
        ("[2001:db8:0:0:0:0:0:1]:9000", 200),
        ("evil.example:9000", 403),
    ],
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
        (basic("me:correct horse").replace(" ", "  "), 200),
        (basic("me:correct horse").replace("Y29", "Y!29"), 401),
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
            "lamsearch.web.access_control.hmac", SimpleNamespace(compare_digest=compare)
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


ALWAYS = [
    ("X-Content-Type-Options", "nosniff"), ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"), ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
]  # fmt: skip
PASSIVE = ("Content-Security-Policy", "default-src 'none'; sandbox; frame-ancestors 'none'")
PAGE = (
    "Content-Security-Policy",
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self' data: 'unsafe-inline'; "
    "script-src 'self' 'unsafe-eval'; connect-src 'self'; font-src 'self' data:; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
)
ASKED = ("WWW-Authenticate", 'Basic realm="lamsearch", charset="UTF-8"')


@pytest.mark.parametrize("path", ["/api/studies", "/x"])
@pytest.mark.parametrize(
    ("change", "status", "sentence", "more"),
    [
        ({"HTTP_HOST": "x"}, "403 Forbidden",
         "this dashboard answers to a:1, b:2 only, see --host", []),
        ({}, "401 Unauthorized", "this dashboard asks for its password (any user name)", [ASKED]),
        ({"REQUEST_METHOD": "POST", "HTTP_AUTHORIZATION": "OK"}, "403 Forbidden",
         "this dashboard is read-only; --writable lets it write", []),
        ({"REQUEST_METHOD": "TRACE", "HTTP_AUTHORIZATION": "OK", "writable": "yes"},
         "405 Method Not Allowed", "TRACE is nothing that a dashboard does", []),
        ({"REQUEST_METHOD": "PUT", "HTTP_AUTHORIZATION": "OK", "HTTP_ORIGIN": "x", "writable": "y"},
         "403 Forbidden", "writing is refused to pages of another origin", []),
        ({"HTTP_AUTHORIZATION": "OK", "REMOTE_ADDR": "192.0.2.9"}, "429 Too Many Requests",
         "too many wrong passwords from this address; try again in 8 s", [("Retry-After", "8")]),
    ],
)  # fmt: skip
def test_refusals_word_for_word(
    path: str, change: dict[str, str], status: str, sentence: str, more: list[tuple[str, str]]
) -> None:
    """Each refusal has its status, its sentence, as JSON where the application would answer so,
    and no headers but these."""
    attempts = Attempts(lambda _: None, clock=lambda: 1000.0)
    attempts.judge("192.0.2.9", b"wrong", right=False)
    attempts._records["192.0.2.9"].until = 1007.5
    rules = Rules(
        hosts=frozenset({"b:2", "a:1"}), writable="writable" in change, password=b"correct horse"
    )
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "HTTP_HOST": "a:1", **change}
    if environ.get("HTTP_AUTHORIZATION") == "OK":
        environ["HTTP_AUTHORIZATION"] = basic("me:correct horse")
    found = answered(AccessControl(Behind(), rules, attempts), environ)
    as_json = path.startswith("/api/")
    body = f'{{"reason": "{sentence}"}}' if as_json else f"{sentence}\n"
    kind = "application/json" if as_json else "text/plain; charset=utf-8"
    assert found == (
        status,
        [("Content-Type", kind), ("Content-Length", str(len(body))), ("Cache-Control", "no-store"),
         *more, *ALWAYS, PASSIVE],
        body.encode(),
    )  # fmt: skip


def test_a_refusal_of_head_has_no_body() -> None:
    """HEAD is refused with the headers of GET alone."""
    rules = Rules(hosts=HOSTS)
    length = knock(Behind(), rules, host="x")[1]["content-length"]
    _, headers, body = knock(Behind(), rules, method="HEAD", host="x")
    assert (headers["content-length"], body) == (length, b"")


@pytest.mark.parametrize(
    ("path", "given", "expected"),
    [
        ("/dashboard", [("Content-Type", "text/html; charset=UTF-8")],
         [("Content-Type", "text/html; charset=UTF-8"), *ALWAYS, PAGE]),
        ("/dashboard/studies/1", [("content-type", "text/html"), ("Content-Disposition", "x"),
          ("content-security-policy", "x")],
         [("content-type", "text/html"), *ALWAYS, PAGE]),
        ("/dashboard", [("Content-Type", "text/css")],
         [*ALWAYS, PASSIVE, ("Content-Type", "application/octet-stream"),
          ("Content-Disposition", "attachment")]),
        ("/dashboards", [("content-TYPE", "text/html"), ("X-Other", "1")],
         [("X-Other", "1"), *ALWAYS, PASSIVE, ("Content-Type", "application/octet-stream"),
          ("Content-Disposition", "attachment")]),
        ("/static/bundle.js", [("Content-Type", "application/javascript")],
         [("Content-Type", "application/javascript"), *ALWAYS, PASSIVE]),
        ("/csv/1", [("Content-Type", "text/csv"), ("Content-Disposition", "attachment; x")],
         [("Content-Type", "text/csv"), *ALWAYS, PASSIVE,
          ("Content-Disposition", "attachment; x")]),
        ("/csv/1", [("Content-Type", "text/csv; charset=UTF-8")],
         [("Content-Type", "text/csv; charset=UTF-8"), *ALWAYS, PASSIVE,
          ("Content-Disposition", "attachment")]),
        ("/artifacts/1/a", [("Content-Type", "image/png; x=y"), ("Content-Disposition", "inline")],
         [("Content-Type", "image/png; x=y"), *ALWAYS, PASSIVE]),
        ("/artifacts/1/a", [("X-Other", "1")],
         [("X-Other", "1"), *ALWAYS, PASSIVE, ("Content-Type", "application/octet-stream"),
          ("Content-Disposition", "attachment")]),
        (None, [("Content-Type", "text/html")],
         [*ALWAYS, PASSIVE, ("Content-Type", "application/octet-stream"),
          ("Content-Disposition", "attachment")]),
    ],
)  # fmt: skip
def test_headers_word_for_word(
    path: str | None, given: list[tuple[str, str]], expected: list[tuple[str, str]]
) -> None:
    """What the application answers leaves with these headers, in this order, and no others."""
    environ = {"REQUEST_METHOD": "GET", "HTTP_HOST": HOST, "PATH_INFO": path}
    if path is None:  # as WSGI lets a server leave out what is empty
        del environ["PATH_INFO"]
    assert answered(AccessControl(Behind(*given), Rules(hosts=HOSTS)), environ)[1] == expected


@pytest.mark.parametrize("path", ["/csv/1", "/artifacts/1/a", "/dashboard"])
def test_an_error_of_the_application_is_no_file(path: str) -> None:
    """What the application refuses is shown as it is said, and never as a page of scripts."""

    def application(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        try:
            raise ValueError
        except ValueError:
            start_response("404 Not Found", [("Content-Type", "text/css")], sys.exc_info())
        return [b"no"]

    raised = list[object]()
    environ = {"REQUEST_METHOD": "GET", "HTTP_HOST": HOST, "PATH_INFO": path}
    found: list[tuple[str, list[tuple[str, str]]]] = []

    def start(status: str, headers: list[tuple[str, str]], *rest: object) -> Any:
        found.append((status, headers))
        raised.extend(rest)

    assert b"".join(AccessControl(application, Rules(hosts=HOSTS))(environ, start)) == b"no"
    assert found == [("404 Not Found", [("Content-Type", "text/css"), *ALWAYS, PASSIVE])]
    assert [type(one) for one in raised] == [tuple]


def test_a_request_without_a_host_is_refused() -> None:
    """Where nothing says which server is meant, nothing is answered but that."""
    found = answered(AccessControl(Behind(), Rules(hosts=HOSTS)), {"REQUEST_METHOD": "POST"})
    assert (found[0], found[1][0]) == (
        "403 Forbidden",
        ("Content-Type", "text/plain; charset=utf-8"),
    )
    found = answered(
        AccessControl(Behind(), Rules(hosts=HOSTS, any_address=True)), {"REQUEST_METHOD": "GET"}
    )
    assert found[0] == "403 Forbidden"


def test_an_origin_is_the_server_s_in_either_case() -> None:
    """Host and Origin are compared without regard to case, as browsers and people write them."""
    rules = Rules(hosts=HOSTS, writable=True)
    for host, origin in (("LOCALHOST:8080", "http://localhost:8080"), (HOST, f"HTTP://{HOST}")):
        assert knock(Behind(), rules, method="PUT", host=host, origin=origin)[0] == 200
    assert knock(Behind(), rules, method="PUT", host=HOST, origin="http://")[0] == 403


def test_a_password_may_hold_colons() -> None:
    """The user's name ends at the first colon, and all that follows is the password."""
    rules = Rules(hosts=HOSTS, password=b"correct:horse")
    assert knock(Behind(), rules, authorization=basic("me:correct:horse"))[0] == 200
    assert knock(Behind(), rules, authorization=basic("me:x:correct:horse"))[0] == 401


@pytest.mark.parametrize(
    ("rules", "headers", "expected"),
    [
        (Rules(hosts=HOSTS), {}, False),
        (Rules(hosts=HOSTS, writable=True), {}, True),
        (Rules(hosts=HOSTS, writable=True), {"HTTP_HOST": "evil.example"}, False),
        (Rules(hosts=HOSTS, writable=True, password=b"correct horse"), {}, False),
        (Rules(hosts=HOSTS, writable=True, password=b"correct horse"),
         {"HTTP_AUTHORIZATION": basic("me:correct horse")}, True),
        (Rules(hosts=HOSTS, writable=True, password=b"correct horse"),
         {"HTTP_AUTHORIZATION": basic("me:wrong horse")}, False),
        (Rules(hosts=HOSTS, password=b"correct horse"),
         {"HTTP_AUTHORIZATION": basic("me:correct horse")}, False),
    ],
)  # fmt: skip
def test_who_may_send_much(rules: Rules, headers: dict[str, str], expected: bool) -> None:
    """A long body is received only where writing is allowed, from who gives host and password."""
    environ = {"HTTP_HOST": HOST, **headers}
    assert AccessControl(Behind(), rules).may_send(environ) is expected
