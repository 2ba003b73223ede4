"""Mounting: lamsearch's own application and Optuna's dashboard at one address.

Enters: any request that access control let in. Leaves: the answer of whose path it is. Refuses what
cannot be a path or a query of either.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from lamsearch.web.headers import answer

_OWN = re.compile(r"/(\Z|(studies|assets|api/v1)(/|\Z)|(metrics|healthz|readyz)\Z)")


class Mounted:
    """WSGI: who answers which path.

    Args:
        own: lamsearch's application.
        dashboard: Optuna's.
    """

    def __init__(self, own: WSGIApplication, dashboard: WSGIApplication) -> None:
        self._own, self._dashboard = own, dashboard

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Pass on."""
        if _OWN.match(environ.get("PATH_INFO", "")) is None:
            return self._dashboard(environ, start_response)
        if not _is_text(environ):
            sentence = "an address must be text in UTF-8"
            return answer(environ, start_response, "400 Bad Request", sentence)
        if environ["REQUEST_METHOD"] != "HEAD":
            return self._own(environ, start_response)
        for _ in self._own({**environ, "REQUEST_METHOD": "GET"}, start_response):
            pass
        return []


def _is_text(environ: WSGIEnvironment) -> bool:
    """Whether path, query and headers are what an ASGI application can be given."""
    try:
        environ["PATH_INFO"].encode("latin-1").decode("utf-8")
        environ.get("QUERY_STRING", "").encode("ascii")
    except UnicodeError:
        return False
    return True
