"""What goes wrong behind the door becomes a sentence: 503 while the database is away, no traceback.

Enters: requests that the door let in. Leaves: the application's answer, or a sentence. Refuses to
show a visitor what the database said; that goes to whoever runs the dashboard.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from lamsearch.errors import FilesError, StorageError, StorageFailedError
from lamsearch.storage import DATABASE_ERRORS, Shown, View
from lamsearch.storage.optuna_artifacts import ArtifactGoneError
from lamsearch.web.headers import Headers, answer

_RENAMING = re.compile(r"/api/studies/(\d+)/rename/?")
_AWAY = "the database cannot be used at the moment; this page works again when it can"
_UNREADABLE = "this artifact's file cannot be read or written; the dashboard's terminal says why"
_BROKEN = "the dashboard could not answer this; its terminal says why"


class ErrorHandling:
    """WSGI middleware around Optuna's application.

    Args:
        application: Optuna's, which lets exceptions through.
        view: whom to ask whether the database failed.
        shown: whom to ask what may be renamed.
        say: where whoever runs the dashboard reads of it.
    """

    def __init__(
        self, application: WSGIApplication, view: View, shown: Shown, say: Callable[[str], None]
    ) -> None:
        self._application, self._view, self._shown, self._say = application, view, shown, say
        self._away = False

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Pass on, and answer where the application could not."""
        self._view.calm()
        started: list[tuple[str, Headers]] = []

        def hold(status: str, headers: Headers, *_rest: Any) -> Callable[[bytes], object]:
            started[:] = [(status, headers)]
            return lambda _body: None

        try:
            refused = self._renaming(environ)
            if refused is not None:
                return answer(environ, start_response, "409 Conflict", refused)
            body = self._application(environ, hold)
            status, headers = started[0]
        except ArtifactGoneError:
            return answer(environ, start_response, "404 Not Found", "there is no such artifact")
        except FilesError as error:  # a link in its place, or a directory that cannot be read
            self._say(f"dashboard: {error}")
            return answer(environ, start_response, "404 Not Found", _UNREADABLE)
        except Exception as error:  # the last place where it can become a sentence
            return self._failed(environ, start_response, error)
        if status.startswith("500"):
            return self._failed(environ, start_response, None)
        self._back()
        start_response(status, headers)
        return body

    def _renaming(self, environ: WSGIEnvironment) -> str | None:
        """Renaming copies a study and removes it: refused before it has begun."""
        found = _RENAMING.fullmatch(environ.get("PATH_INFO", ""))
        if found is None or environ["REQUEST_METHOD"] != "POST":
            return None
        return self._shown.refusal(int(found[1]), renaming=True)

    def _failed(
        self, environ: WSGIEnvironment, start_response: StartResponse, error: Exception | None
    ) -> Iterable[bytes]:
        refused, trouble = self._view.refused(), self._view.trouble()
        if isinstance(error, (StorageError, StorageFailedError)):
            trouble = str(error)
        if refused is not None:
            return answer(environ, start_response, "409 Conflict", refused)
        if trouble is not None or isinstance(error, DATABASE_ERRORS):
            if not self._away:
                self._say(trouble or "storage: the database cannot be used")
            self._away = True
            return answer(environ, start_response, "503 Service Unavailable", _AWAY)
        if error is not None:
            path = environ.get("PATH_INFO", "").encode("unicode_escape").decode()
            self._say(f"dashboard: {path}: {type(error).__name__}: {error}")
        return answer(environ, start_response, "500 Internal Server Error", _BROKEN)

    def _back(self) -> None:
        if self._away and self._view.trouble() is None:
            self._away = False
            self._say("storage: the database answers again")


class FirstLine(logging.Filter):
    """Shortens what Optuna's application logs, a whole traceback, to its first line.

    A database that is away is said once, elsewhere.
    """

    def __init__(self, view: View) -> None:
        super().__init__()
        self._view = view

    def filter(self, record: logging.LogRecord) -> bool:
        """Shorten a record, or drop it."""
        if self._view.trouble() is not None or self._view.refused() is not None:
            return False
        record.msg, record.args = record.getMessage().partition("\n")[0], None
        record.exc_info = None
        return True
