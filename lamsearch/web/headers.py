"""Headers: what every answer carries, so that nothing that is stored can act in a browser.

Enters: a path, and the application's answer to it. Leaves: the answer with a content policy for
what is shown at that path, and without what lets other sites in. Refuses to know who asks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

Headers = list[tuple[str, str]]

API = "/api/v1/"
PROBLEM = "application/problem+json"
# Scripts and styles of our own packages; whatever else comes could be what somebody stored.
_STATIC = re.compile(r"/static/bundle\.js(\.[\w.]+)?\Z|/assets/[\w-]+\.(js|css|png)\Z")
# What a browser may show from a stored file; anything else it may only save.
_PASSIVE = re.compile(
    r"image/(png|jpeg|gif|webp|avif|bmp|x-icon|vnd\.microsoft\.icon)|text/(csv|plain)"
    r"|application/(json|jsonl|x-ndjson)|audio/[\w.+-]+|video/[\w.+-]+"
)
_CLOSED = ("object-src 'none'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'")
_DASHBOARD_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data: blob:",
        "style-src 'self' data: 'unsafe-inline'",
        "script-src 'self' 'unsafe-eval'",  # Plotly compiles its WebGL drawing at run time
        "connect-src 'self'",
        "font-src 'self' data:",
        *_CLOSED,
    )
)
_QUEUE_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        *_CLOSED,
    )
)
_REPORT_POLICY = "; ".join(
    ("default-src 'none'", "style-src 'unsafe-inline'", "img-src data:", *_CLOSED)
)
_API_PAGE_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",  # Swagger UI sets styles of its elements
        "connect-src 'self'",
        "img-src 'self' data:",
        *_CLOSED,
    )
)
_PAGES = (
    (re.compile(r"/dashboard(/|$)"), _DASHBOARD_POLICY),
    (re.compile(r"/\Z"), _QUEUE_POLICY),
    (re.compile(r"/studies/[^/]+/\Z"), _REPORT_POLICY),
    (re.compile(r"/api/v1/docs\Z"), _API_PAGE_POLICY),
)
_FILE_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # none at all would make the Origin of a write "null"
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def problem(status: int, title: str, sentence: str) -> dict[str, object]:
    """Return an error as RFC 9457 has it; ``detail`` is the command line's sentence."""
    return {"type": "about:blank", "title": title, "status": status, "detail": sentence}


def answer(
    environ: WSGIEnvironment,
    start_response: StartResponse,
    status: str,
    sentence: str,
    more: Iterable[tuple[str, str]] = (),
) -> Iterable[bytes]:
    """Answer with one sentence, as JSON where the application would."""
    kind, body = _sentence(environ.get("PATH_INFO", ""), status, sentence)
    content = body.encode()
    headers = [
        ("Content-Type", kind),
        ("Content-Length", str(len(content))),
        ("Cache-Control", "no-store"),
        *more,
    ]
    start_response(status, headers)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [content]


def _sentence(path: str, status: str, sentence: str) -> tuple[str, str]:
    """The type and the text of an answer that is one sentence."""
    if path.startswith(API):
        number, _, title = status.partition(" ")
        return PROBLEM, json.dumps(problem(int(number), title, sentence))
    if path.startswith("/api/"):
        return "application/json", json.dumps({"reason": sentence})
    return "text/plain; charset=utf-8", f"{sentence}\n"


def guarded(
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
    policy = _page_policy(path, kind)
    added = {**_ALWAYS, "Content-Security-Policy": policy or _FILE_POLICY}
    is_file = status.startswith("200") and policy is None and not _STATIC.match(path)
    if is_file and not _PASSIVE.fullmatch(kind):
        kept = [pair for pair in kept if pair[0].lower() != "content-type"]
        added |= {"Content-Type": "application/octet-stream", "Content-Disposition": "attachment"}
    elif is_file and path.startswith("/csv/"):
        name = next((v for n, v in headers if n.lower() == "content-disposition"), "attachment")
        added["Content-Disposition"] = name
    return [*kept, *added.items()]


def _page_policy(path: str, kind: str) -> str | None:
    """The content policy of a page of ours or Optuna's; None for all else."""
    if kind != "text/html":
        return None
    return next((policy for pattern, policy in _PAGES if pattern.match(path)), None)
