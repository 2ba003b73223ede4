"""Optuna's pages where nothing may be written: what would be refused is not shown.

Enters: the answers of Optuna's application. Leaves: its pages with one more style sheet, which
hides the buttons; all else as it was. tests/web/test_web_browser.py sees in a browser that they are
gone, and that what only reads is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from lamsearch.web.headers import Headers

_LINK = b'<link rel="stylesheet" href="/assets/read-only.css">'
_END = b"</head>"


class ReadOnlyPages:
    """WSGI middleware around Optuna's application.

    Args:
        application: Optuna's.
    """

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Pass on, with the style sheet in what is a page."""
        path = environ.get("PATH_INFO", "")
        if path != "/dashboard" and not path.startswith("/dashboard/"):
            return self._application(environ, start_response)
        given: list[tuple[str, Headers]] = []

        def keep(status: str, headers: Headers, *_rest: Any) -> Callable[[bytes], object]:
            given[:] = [(status, headers)]
            return lambda _body: None

        answered = self._application(environ, keep)
        body = b"".join(answered)
        if hasattr(answered, "close"):  # a file, as WSGI has it
            answered.close()
        status, headers = given[0]
        body = body.replace(_END, _LINK + _END, 1)
        kept = [(n, v) for n, v in headers if n.lower() != "content-length"]
        length = [] if environ["REQUEST_METHOD"] == "HEAD" else [("Content-Length", str(len(body)))]
        start_response(status, [*kept, *length])
        return [body]
