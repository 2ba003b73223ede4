"""Access control: which requests may come in, to the dashboard, the pages and the API alike.

Enters: any HTTP request. Leaves: a refusal in one sentence, or the application's answer with the
headers that keep what is stored from running in the browser. Refuses to know what is shown.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import NamedTuple
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from lamsearch.web.attempts import Attempts, client_address
from lamsearch.web.headers import API, Headers, answer, guarded

_READING = frozenset({"GET", "HEAD"})
_WRITING = frozenset({"POST", "PUT", "DELETE", "PATCH"})
_TICKET = "lamsearch_known_browser"
# What says whether the process and its database are there, and nothing else: for supervisors.
_FREE = frozenset({"/healthz", "/readyz"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Who may do what.

    ``hosts`` are the accepted values of the Host header, in lower case; ``any_address`` also
    accepts any IP address there (it can be no name that was rebound), for a server that listens
    on all of them. ``password`` None asks for none. ``token`` lets programs in without the
    password, and is needed to change anything over the API; None lets nobody.
    """

    hosts: frozenset[str]
    any_address: bool = False
    writable: bool = False
    password: bytes | None = None
    token: bytes | None = None


class Refusal(NamedTuple):
    """What is answered to whom is not let in."""

    status: str
    sentence: str
    headers: tuple[tuple[str, str], ...] = ()


_UNKNOWN = Refusal(
    "401 Unauthorized",
    "this dashboard asks for its password (any user name)",
    (("WWW-Authenticate", 'Basic realm="lamsearch", charset="UTF-8"'),),
)
_WRONG_TOKEN = Refusal(
    "401 Unauthorized",
    "this is not the server's token",
    (("WWW-Authenticate", 'Bearer realm="lamsearch", error="invalid_token"'),),
)
_TOKEN_NEEDED = Refusal(
    "401 Unauthorized",
    "changing studies needs the server's token: Authorization: Bearer TOKEN",
    (("WWW-Authenticate", 'Bearer realm="lamsearch"'),),
)
_NO_TOKEN = Refusal(
    "403 Forbidden", "this server has no token, so nothing changes over its API; see --token-file"
)


class AccessControl:
    """WSGI middleware that lets in what the rules allow.

    Args:
        application: what is behind the door.
        rules: who may do what.
        attempts: who guessed wrong before.
    """

    def __init__(
        self, application: WSGIApplication, rules: Rules, attempts: Attempts | None = None
    ) -> None:
        self._application, self._rules = application, rules
        self._attempts = attempts or Attempts(lambda _line: None)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Refuse, or pass on."""
        added = self._ticket(environ)
        refusal = self._refusal(environ)
        if refusal is not None:
            return answer(environ, guarded(environ, start_response), *refusal)
        # Optuna's application looks for it without asking whether it is there
        environ.setdefault("HTTP_ACCEPT_ENCODING", "identity")
        return self._application(environ, guarded(environ, start_response, added))

    def may_send(self, environ: WSGIEnvironment) -> bool:
        """Whether a request's head gives reason to receive a long body; counts as no attempt."""
        if not self._rules.writable or not self._known_host(environ):
            return False
        if self._rules.token is not None and _same(_bearer(environ), self._rules.token):
            return True
        if environ.get("PATH_INFO", "").startswith(API):
            return False
        return self._rules.password is None or _same(_given(environ), self._rules.password)

    def _refusal(self, environ: WSGIEnvironment) -> Refusal | None:
        """Return how to refuse; None for what may pass."""
        if not self._known_host(environ):
            hosts = ", ".join(sorted(self._rules.hosts))
            return Refusal("403 Forbidden", f"this dashboard answers to {hosts} only, see --host")
        if environ.get("PATH_INFO", "") in _FREE and environ["REQUEST_METHOD"] in _READING:
            return None
        return self._unknown(environ) or self._forbidden(environ)

    def _forbidden(self, environ: WSGIEnvironment) -> Refusal | None:
        """What nobody may do, whoever it is; over the API, what nobody may do without the token."""
        method = environ["REQUEST_METHOD"]
        programs = environ.get("PATH_INFO", "").startswith(API)
        if method in _READING:
            return None
        if not self._rules.writable:
            what = "server" if programs else "dashboard"
            return Refusal("403 Forbidden", f"this {what} is read-only; --writable lets it write")
        if method not in _WRITING:
            return Refusal("405 Method Not Allowed", f"{method} is nothing that a dashboard does")
        if not _same_origin(environ):
            return Refusal("403 Forbidden", "writing is refused to pages of another origin")
        if not programs or (_bearer(environ) is not None and self._rules.token is not None):
            return None  # a token that was given is the right one by now
        return _NO_TOKEN if self._rules.token is None else _TOKEN_NEEDED

    def _known_host(self, environ: WSGIEnvironment) -> bool:
        """Whether the Host header names this server, and not what an attacker's DNS points here."""
        host = environ.get("HTTP_HOST", "").lower()
        if host in self._rules.hosts:
            return True
        return self._rules.any_address and _is_address(host)

    def _unknown(self, environ: WSGIEnvironment) -> Refusal | None:
        """Refuse who does not give the password or the token, or guessed too often just now."""
        token = None if self._rules.token is None else _bearer(environ)
        if token is not None:
            right = _same(token, self._rules.token)
            return self._judged(environ, token, right, "token", _WRONG_TOKEN)
        if self._rules.password is None:
            return None
        given = _given(environ)
        if given is None:
            return _UNKNOWN
        right = _same(given, self._rules.password)
        return self._judged(environ, given, right, "password", _UNKNOWN)

    def _judged(
        self, environ: WSGIEnvironment, given: bytes, right: bool, what: str, wrong: Refusal
    ) -> Refusal | None:
        """Let in who knows a secret; refuse who does not, for longer each time."""
        wait = self._attempts.judge(self._client(environ), given, right=right, what=what)
        if not wait:
            return None if wait is None else wrong
        return Refusal(
            "429 Too Many Requests",
            f"too many wrong {what}s from this address; try again in {math.ceil(wait)} s",
            (("Retry-After", str(math.ceil(wait))),),
        )

    def _client(self, environ: WSGIEnvironment) -> str:
        """By which name a client's attempts are counted; what it says of itself is no proof."""
        address = client_address(environ.get("REMOTE_ADDR", ""))
        return self._attempts.client(address, _cookie(environ))

    def _ticket(self, environ: WSGIEnvironment) -> Headers:
        """What a browser that is let in keeps, so that others' guesses do not lock it out."""
        address = client_address(environ.get("REMOTE_ADDR", ""))
        if self._rules.password is None or self._client(environ) != address:
            return []
        value = f"{_TICKET}={self._attempts.ticket()}; Path=/; HttpOnly; SameSite=Strict"
        return [("Set-Cookie", value)]


def _same_origin(environ: WSGIEnvironment) -> bool:
    """Whether a write comes from a page of this server, or from no page at all.

    Browsers send Origin with every write, and Sec-Fetch-Site; neither can be forged by a page.
    """
    origin, site = environ.get("HTTP_ORIGIN"), environ.get("HTTP_SEC_FETCH_SITE")
    host = environ["HTTP_HOST"].lower()  # known by now
    if origin is not None and origin.lower() not in (f"http://{host}", f"https://{host}"):
        return False
    return site is None or site == "same-origin"


def _cookie(environ: WSGIEnvironment) -> str:
    """Return what a browser kept, empty where that is nothing."""
    try:
        found = SimpleCookie(environ.get("HTTP_COOKIE", "")).get(_TICKET)
    except CookieError:
        return ""
    return "" if found is None else found.value


def _given(environ: WSGIEnvironment) -> bytes | None:
    """Return the password of an HTTP Basic header, None where there is none."""
    scheme, _, value = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    _, colon, password = decoded.partition(b":")
    return password if colon else None


def _bearer(environ: WSGIEnvironment) -> bytes | None:
    """Return the token of an HTTP Bearer header, None where there is none."""
    scheme, _, value = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    token: str = value
    return token.strip().encode("utf-8", errors="surrogateescape")


def _same(given: bytes | None, secret: bytes | None) -> bool:
    """Whether a secret was given; it takes as long whatever was typed."""
    if given is None or secret is None:
        return False
    # digests are as long as each other
    one, other = hashlib.sha256(given).digest(), hashlib.sha256(secret).digest()
    return hmac.compare_digest(one, other)


def _is_address(host: str) -> bool:
    """Whether a Host header is an IP address, with or without a port."""
    name = re.sub(r":\d+$", "", host)
    try:
        ipaddress.ip_address(name[1:-1] if name.startswith("[") else name)
    except ValueError:
        return False
    return True
