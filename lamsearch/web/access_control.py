"""The door: what may come in to Optuna's application, and what may go out.

Enters: any HTTP request. Leaves: a refusal in one sentence, or the application's answer with the
headers that keep what is stored from running in the browser. Refuses to know what is shown.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
import json
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any, NamedTuple
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from lamsearch.web.attempts import Attempts, client_address

_READING = frozenset({"GET", "HEAD"})
_WRITING = frozenset({"POST", "PUT", "DELETE", "PATCH"})
_PAGE = re.compile(r"/dashboard(/|$)")
_STATIC = re.compile(r"/static/bundle\.js(\.[\w.]+)?$")
# What a browser may show from a stored file; anything else it may only save.
_PASSIVE = re.compile(
    r"image/(png|jpeg|gif|webp|avif|bmp|x-icon|vnd\.microsoft\.icon)|text/(csv|plain)"
    r"|application/(json|jsonl|x-ndjson)|audio/[\w.+-]+|video/[\w.+-]+"
)
_PAGE_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data: blob:",
        "style-src 'self' data: 'unsafe-inline'",
        "script-src 'self' 'unsafe-eval'",  # Plotly compiles its WebGL drawing at run time
        "connect-src 'self'",
        "font-src 'self' data:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_FILE_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # none at all would make the Origin of a write "null"
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
Headers = list[tuple[str, str]]
_TICKET = "lamsearch_known_browser"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Who may do what.

    ``hosts`` are the accepted values of the Host header, in lower case; ``any_address`` also
    accepts any IP address there (it can be no name that was rebound), for a server that listens
    on all of them. ``password`` None asks for none.
    """

    hosts: frozenset[str]
    any_address: bool = False
    writable: bool = False
    password: bytes | None = None


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
            return answer(environ, _guarded(environ, start_response), *refusal)
        # Optuna's application looks for it without asking whether it is there
        environ.setdefault("HTTP_ACCEPT_ENCODING", "identity")
        return self._application(environ, _guarded(environ, start_response, added))

    def may_send(self, environ: WSGIEnvironment) -> bool:
        """Whether a request's head gives reason to receive a long body; counts as no attempt."""
        return (
            self._rules.writable
            and self._known_host(environ)
            and (self._rules.password is None or self._right(_given(environ)))
        )

    def _refusal(self, environ: WSGIEnvironment) -> Refusal | None:
        """Return how to refuse; None for what may pass."""
        if not self._known_host(environ):
            hosts = ", ".join(sorted(self._rules.hosts))
            return Refusal("403 Forbidden", f"this dashboard answers to {hosts} only, see --host")
        return self._unknown(environ) or self._forbidden(environ)

    def _forbidden(self, environ: WSGIEnvironment) -> Refusal | None:
        """What nobody may do, whoever it is."""
        method = environ["REQUEST_METHOD"]
        if method in _READING:
            return None
        if not self._rules.writable:
            return Refusal("403 Forbidden", "this dashboard is read-only; --writable lets it write")
        if method not in _WRITING:
            return Refusal("405 Method Not Allowed", f"{method} is nothing that a dashboard does")
        if not _same_origin(environ):
            return Refusal("403 Forbidden", "writing is refused to pages of another origin")
        return None

    def _known_host(self, environ: WSGIEnvironment) -> bool:
        """Whether the Host header names this server, and not what an attacker's DNS points here."""
        host = environ.get("HTTP_HOST", "").lower()
        if host in self._rules.hosts:
            return True
        return self._rules.any_address and _is_address(host)

    def _unknown(self, environ: WSGIEnvironment) -> Refusal | None:
        """Refuse who does not give the password, or guessed wrong too often just now."""
        given = _given(environ)
        if self._rules.password is None:
            return None
        if given is None:
            return _UNKNOWN
        wait = self._attempts.judge(self._client(environ), given, right=self._right(given))
        if not wait:
            return None if wait is None else _UNKNOWN
        return Refusal(
            "429 Too Many Requests",
            f"too many wrong passwords from this address; try again in {math.ceil(wait)} s",
            (("Retry-After", str(math.ceil(wait))),),
        )

    def _right(self, given: bytes | None) -> bool:
        # digests are as long as each other, whatever was typed
        return (
            given is not None
            and self._rules.password is not None
            and hmac.compare_digest(
                hashlib.sha256(given).digest(), hashlib.sha256(self._rules.password).digest()
            )
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


def _is_address(host: str) -> bool:
    """Whether a Host header is an IP address, with or without a port."""
    name = re.sub(r":\d+$", "", host)
    try:
        ipaddress.ip_address(name[1:-1] if name.startswith("[") else name)
    except ValueError:
        return False
    return True


def answer(
    environ: WSGIEnvironment,
    start_response: StartResponse,
    status: str,
    sentence: str,
    more: Iterable[tuple[str, str]] = (),
) -> Iterable[bytes]:
    """Answer with one sentence, as JSON where the application would."""
    as_json = environ.get("PATH_INFO", "").startswith("/api/")
    body = json.dumps({"reason": sentence}) if as_json else f"{sentence}\n"
    content = body.encode()
    headers = [
        ("Content-Type", "application/json" if as_json else "text/plain; charset=utf-8"),
        ("Content-Length", str(len(content))),
        ("Cache-Control", "no-store"),
        *more,
    ]
    start_response(status, headers)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [content]


def _guarded(
    environ: WSGIEnvironment, start_response: StartResponse, added: Headers | None = None
) -> StartResponse:
    """Put the headers on whatever is answered."""
    path = environ.get("PATH_INFO", "")

    def start(status: str, headers: Headers, *rest: Any) -> Callable[[bytes], object]:
        return start_response(status, _headers(path, status, headers) + (added or []), *rest)

    return start


def _headers(path: str, status: str, headers: Headers) -> Headers:
    """The application's headers, less what lets other sites in, with what keeps files passive."""
    own = {"content-security-policy", "content-disposition", *map(str.lower, _ALWAYS)}
    kept = [
        (name, value)
        for name, value in headers
        if name.lower() not in own and not name.lower().startswith("access-control-")
    ]
    kind = next((v for n, v in kept if n.lower() == "content-type"), "").partition(";")[0].strip()
    is_page = bool(_PAGE.match(path)) and kind == "text/html"
    added = {**_ALWAYS, "Content-Security-Policy": _PAGE_POLICY if is_page else _FILE_POLICY}
    is_file = status.startswith("200") and not is_page and not _STATIC.match(path)
    if is_file and not _PASSIVE.fullmatch(kind):
        kept = [pair for pair in kept if pair[0].lower() != "content-type"]
        added |= {"Content-Type": "application/octet-stream", "Content-Disposition": "attachment"}
    elif is_file and path.startswith("/csv/"):
        name = next((v for n, v in headers if n.lower() == "content-disposition"), "attachment")
        added["Content-Disposition"] = name
    return [*kept, *added.items()]
