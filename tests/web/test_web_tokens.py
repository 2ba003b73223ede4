"""The token of programs at the access control: what it lets in, and what it alone may change."""

from __future__ import annotations

import pytest
from web_requests import HOST, HOSTS, Behind, answered, basic, knock

from lamsearch.web.access_control import AccessControl, Rules
from lamsearch.web.attempts import Attempts

TOKEN = "abcdefgh-12345678"  # noqa: S105 - of these tests alone
RIGHT, WRONG = f"Bearer {TOKEN}", "Bearer abcdefgh-1234567X"
STUDIES = "/api/v1/studies"
WRITABLE = Rules(hosts=HOSTS, writable=True, token=TOKEN.encode())
BOTH = Rules(hosts=HOSTS, writable=True, token=TOKEN.encode(), password=b"correct horse")


@pytest.mark.parametrize("header", [RIGHT, f"bearer  {TOKEN} ", f"BEARER {TOKEN}"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_token_lets_programs_read_and_write(header: str, method: str) -> None:
    """Whatever the case of the scheme and the blanks around it, with a password or without."""
    for rules in (WRITABLE, BOTH):
        behind = Behind()
        assert knock(behind, rules, STUDIES, method, authorization=header)[0] == 200
        assert behind.environ is not None


@pytest.mark.parametrize("header", [WRONG, "Bearer", "Bearer \udcff\udcfe", f"{RIGHT} {TOKEN}"])
def test_another_token_lets_nobody_in(header: str) -> None:
    """Not even to what needs no token: who gives one gives the right one."""
    behind = Behind()
    for path in (STUDIES, "/"):
        status, headers, body = knock(behind, WRITABLE, path, authorization=header)
        assert (status, behind.environ) == (401, None)
        assert headers["www-authenticate"] == 'Bearer realm="lamsearch", error="invalid_token"'
        assert b"this is not the server's token" in body


def test_a_token_is_no_password_nor_the_other_way_round() -> None:
    """A bearer where only a password is known, and a password's header with the token in it."""
    people = Rules(hosts=HOSTS, writable=True, password=b"correct horse")
    assert knock(Behind(), people, STUDIES, authorization="Bearer correct horse")[0] == 401
    assert knock(Behind(), BOTH, STUDIES, authorization=basic(f"me:{TOKEN}"))[0] == 401
    assert knock(Behind(), BOTH, STUDIES)[0] == 401


@pytest.mark.parametrize(
    ("rules", "headers", "status", "sentence", "asks"),
    [
        (WRITABLE, {}, 401, b"changing studies needs the server's token: Authorization: Bearer",
         'Bearer realm="lamsearch"'),
        (BOTH, {"authorization": basic("me:correct horse")}, 401, b"needs the server's token",
         'Bearer realm="lamsearch"'),
        (Rules(hosts=HOSTS, writable=True), {}, 403,
         b"this server has no token, so nothing changes over its API; see --token-file", None),
        (Rules(hosts=HOSTS, writable=True), {"authorization": RIGHT}, 403, b"has no token", None),
        (Rules(hosts=HOSTS, token=TOKEN.encode()), {"authorization": RIGHT}, 403,
         b"this server is read-only; --writable lets it write", None),
    ],
)  # fmt: skip
def test_nothing_changes_over_the_api_without_the_token(
    rules: Rules, headers: dict[str, str], status: int, sentence: bytes, asks: str | None
) -> None:
    """The password alone changes nothing there; what is missing is said."""
    behind = Behind()
    found, sent, body = knock(behind, rules, STUDIES, "POST", **headers)
    assert (found, behind.environ) == (status, None)
    assert sentence in body
    assert sent.get("www-authenticate") == asks


def test_pages_of_people_need_no_token_to_write() -> None:
    """Optuna's dashboard beside the API is written to by who is let in."""
    header = basic("me:correct horse")
    assert knock(Behind(), BOTH, "/api/studies", "POST", authorization=header)[0] == 200
    assert knock(Behind(), WRITABLE, "/api/studies", "POST")[0] == 200


def test_wrong_tokens_are_counted_logged_and_slowed_down() -> None:
    """As wrong passwords are, by the name of what was guessed; the right one then waits too."""
    lines: list[str] = []
    attempts = Attempts(lines.append, clock=lambda: 1000.0)
    found = [
        knock(Behind(), WRITABLE, STUDIES, attempts=attempts, authorization=f"{WRONG}{number}")
        for number in range(20)
    ]
    assert found[0][0] == 401
    assert found[-1][0] == 429
    assert b"too many wrong tokens from this address" in found[-1][2]
    assert lines
    assert all("wrong token from" in line and TOKEN not in line for line in lines)
    assert knock(Behind(), WRITABLE, STUDIES, attempts=attempts, authorization=RIGHT)[0] == 429


def test_wrong_passwords_are_logged_as_such() -> None:
    """The line says what was guessed, never the guess."""
    lines: list[str] = []
    header = basic("me:wrong horse")
    knock(Behind(), BOTH, "/", attempts=Attempts(lines.append), authorization=header)
    assert len(lines) == 1
    assert "wrong password from" in lines[0]


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_supervisors_need_no_secret_to_read(path: str) -> None:
    """Reading is free there, a write is not, and neither is a path beside it."""
    assert knock(Behind(), BOTH, path)[0] == 200
    assert knock(Behind(), BOTH, path, "HEAD")[0] == 200
    assert knock(Behind(), BOTH, path, "POST")[0] == 401
    assert knock(Behind(), BOTH, f"{path}/")[0] == 401
    assert knock(Behind(), BOTH, path, host="evil.example")[0] == 403
    # a refused secret is not looked at where none is asked for
    assert knock(Behind(), BOTH, path, authorization=WRONG)[0] == 200


def test_a_request_without_a_path_is_refused() -> None:
    """It is none of the free ones."""
    environ = {"REQUEST_METHOD": "GET", "HTTP_HOST": HOST}
    assert answered(AccessControl(Behind(), BOTH), environ)[0] == "401 Unauthorized"


@pytest.mark.parametrize(
    ("rules", "path", "header", "expected"),
    [
        (BOTH, STUDIES, RIGHT, True),
        (BOTH, "/api/studies", RIGHT, True),
        (BOTH, STUDIES, WRONG, False),
        (BOTH, "/api/studies", WRONG, False),
        (BOTH, STUDIES, basic("me:correct horse"), False),
        (BOTH, "/api/studies", basic("me:correct horse"), True),
        (BOTH, STUDIES, None, False),
        (WRITABLE, STUDIES, None, False),
        (WRITABLE, "/api/studies", None, True),
        (Rules(hosts=HOSTS, writable=True), STUDIES, RIGHT, False),
        (Rules(hosts=HOSTS, token=TOKEN.encode()), STUDIES, RIGHT, False),
    ],
)
def test_who_may_send_a_long_body_to_which_path(
    rules: Rules, path: str, header: str | None, expected: bool
) -> None:
    """To the API with the token alone, elsewhere with either, and only where writing is allowed."""
    environ = {"HTTP_HOST": HOST, "PATH_INFO": path}
    if header is not None:
        environ["HTTP_AUTHORIZATION"] = header
    assert AccessControl(Behind(), rules).may_send(environ) is expected
