"""Requests to the access control by itself, in front of an application that answers anything."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any
from wsgiref.util import setup_testing_defaults

from lamsearch.web.access_control import AccessControl, Rules
from lamsearch.web.attempts import Attempts

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
    status, found, body = answered(AccessControl(behind, rules, attempts), environ)
    return int(status[:3]), {name.lower(): value for name, value in found}, body


def answered(
    door: AccessControl, environ: dict[str, Any]
) -> tuple[str, list[tuple[str, str]], bytes]:
    """Return status, headers and body as they leave the door."""
    found: list[tuple[str, list[tuple[str, str]]]] = []
    body = b"".join(door(environ, lambda s, h, *_: found.append((s, h))))  # type: ignore[arg-type,return-value]
    return (*found[0], body)


def basic(text: str) -> str:
    """Return an HTTP Basic header."""
    return "Basic " + base64.b64encode(text.encode()).decode()
