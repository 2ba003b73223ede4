"""A client of `lamsearch serve`: hand studies in, watch, wait for results, from Python.

Enters: an address, and where the server asks for them a token and a password. Leaves: plain
documents, as the API describes them, or an error of the family that the verbs raise. Needs nothing
but the standard library.
"""

from __future__ import annotations

import base64
import json
import os
import re
import time
from collections.abc import Callable, Mapping
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from lamsearch.errors import (
    AccessError,
    InputError,
    InterruptedWorkError,
    LamsearchError,
    ServerAwayError,
    ServerError,
    StudyStateError,
    UnknownStudyError,
    WorkFailedError,
)

TOKEN_VARIABLE = "LAMSEARCH_TOKEN"  # noqa: S105  # a variable's name
_ERRORS: Mapping[int, type[LamsearchError]] = {
    401: AccessError, 403: AccessError, 404: UnknownStudyError, 409: StudyStateError,
    422: InputError, 429: AccessError,
    # of a server without its database, and of a proxy while the server behind it starts again
    502: ServerAwayError, 503: ServerAwayError, 504: ServerAwayError,
}  # fmt: skip
_OVER = ("done", "failed", "cancelled")
_LONGEST_PAUSE = 5.0

Document = dict[str, Any]


class Client:
    """A server of `lamsearch serve`.

    Args:
        url: its address, ``http://…`` or ``https://…``.
        token: needed to change anything; else from ``LAMSEARCH_TOKEN``.
        password: for reading, where the server asks for one and there is no token.
        timeout: seconds for one answer.

    Every method raises ``AccessError`` where the server wants another token or password,
    ``ServerAwayError`` where it or its database cannot be reached, ``UnknownStudyError`` and
    ``StudyStateError`` for studies that are not there, or not in the state for it.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        password: str | None = None,
        timeout: float = 60.0,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(f"url: must begin with http:// or https:// and a host, got {url!r}")
        if parts.username is not None or parts.password is not None:
            raise InputError("url: must hold no password: give it as password=")
        self._base = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}/api/v1/studies"
        self._authorization = _authorization(token or os.environ.get(TOKEN_VARIABLE), password)
        self._timeout = timeout
        self._opener = build_opener(_NoRedirect)  # a token goes to the server that it is for

    def submit(self, study: str | Path, *, priority: int = 0) -> Document:
        """Hand in a study file; one that was handed in before is found.

        Args:
            study: the path of a TOML file, or the text of one (which has a line end).
            priority: higher ones are served first.

        Returns:
            Its ``name``, whether it was ``created``, ``warnings``, and where its ``report`` is.

        Raises:
            InputError: The file has issues, all of which the message lists.
        """
        content = _content(study)
        query = urlencode({"priority": priority})
        return self._ask("POST", f"?{query}", content, "application/toml")

    def list(self, *, state: str | None = None) -> list[Document]:
        """Return all studies, or those in a state: what runs, what waits, what is over."""
        query: dict[str, object] = {"limit": 10_000} | ({} if state is None else {"state": state})
        found: list[Document] = self._ask("GET", f"?{urlencode(query)}")["studies"]
        return found

    def status(self, name: str) -> Document:
        """Return how far a study is, who works on it, and the best so far."""
        return self._ask("GET", _path(name))

    def result(self, name: str) -> Document:
        """Return the result document as it stands now: ``results.json`` of the report."""
        return self._ask("GET", _path(name, "result"))

    def wait(self, name: str, *, timeout: float | None = None) -> Document:
        """Return the result document once the study is done.

        A server that is away for a while is waited for.

        Raises:
            WorkFailedError: The study failed or was cancelled.
            InterruptedWorkError: It is not over after ``timeout`` seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        pause = 0.1
        while True:
            status = self._if_there(self.status, name)
            if status is not None and status["state"] in _OVER:
                if status["state"] != "done":
                    why = status.get("failure") or f"study: {name} was {status['state']}"
                    raise WorkFailedError(str(why))
                if (result := self._if_there(self.result, name)) is not None:
                    return result
            if deadline is not None and time.monotonic() + pause > deadline:
                raise InterruptedWorkError(f"study: {name!r} is not over after {timeout:g} s")
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def pause(self, name: str) -> Document:
        """Let nothing of a study be started; what runs is saved first."""
        return self._ask("POST", _path(name, "pause"))

    def resume(self, name: str) -> Document:
        """Let a paused study go on."""
        return self._ask("POST", _path(name, "resume"))

    def cancel(self, name: str) -> Document:
        """End a study; what has ended stays."""
        return self._ask("POST", _path(name, "cancel"))

    def finish(self, name: str) -> Document:
        """End the search of a study: finalists and final follow with what is there."""
        return self._ask("POST", _path(name, "finish"))

    def prioritize(self, name: str, priority: int) -> Document:
        """Move a study in the queue."""
        content = json.dumps({"priority": priority}).encode()
        return self._ask("PUT", _path(name, "priority"), content, "application/json")

    def delete(self, name: str) -> None:
        """Remove a study with all its results."""
        self._ask("DELETE", _path(name))

    def _if_there(self, ask: Callable[[str], Document], name: str) -> Document | None:
        try:
            return ask(name)
        except ServerAwayError:
            return None

    def _ask(
        self, method: str, path: str, content: bytes | None = None, kind: str | None = None
    ) -> Document:
        headers = {"Accept": "application/json"}
        if kind is not None:
            headers["Content-Type"] = kind
        if self._authorization is not None:
            headers["Authorization"] = self._authorization
        request = Request(self._base + path, content, headers, method=method)  # noqa: S310 - checked above
        try:
            with self._opener.open(request, timeout=self._timeout) as answer:
                return self._document(answer)
        except HTTPError as error:
            with error:
                raise _refusal(error) from None
        except (URLError, HTTPException, OSError) as error:
            reason = getattr(error, "reason", None) or error
            raise ServerAwayError(f"server: {self._base} cannot be reached: {reason}") from error

    def _document(self, answer: HTTPResponse) -> Document:
        content = answer.read()
        if not content:
            return {}
        try:
            found = json.loads(content)
        except ValueError as error:
            raise ServerError(f"server: {self._base} is no lamsearch server") from error
        if not isinstance(found, dict):
            raise ServerError(f"server: {self._base} is no lamsearch server")
        return found


class _NoRedirect(HTTPRedirectHandler):
    """Follows nothing."""

    def redirect_request(self, *_arguments: Any) -> None:
        """Return no request: the redirection is an error."""


def _authorization(token: str | None, password: str | None) -> str | None:
    if token is not None:
        if not re.fullmatch(r"[\x21-\x7e]+", token.strip()):
            raise InputError("token: must be ASCII without blanks")
        return f"Bearer {token.strip()}"
    if password is None:
        return None
    return "Basic " + base64.b64encode(f"lamsearch:{password}".encode()).decode()


def _content(study: str | Path) -> bytes:
    """The bytes of a study file, or of its text."""
    if isinstance(study, str) and "\n" in study:
        return study.encode()
    try:
        return Path(study).read_bytes()
    except OSError as error:
        raise InputError(f"{study}: cannot be read: {error.strerror or error}") from error


def _path(name: str, action: str | None = None) -> str:
    return f"/{quote(name, safe='')}" + ("" if action is None else f"/{action}")


def _refusal(error: HTTPError) -> LamsearchError:
    """The error that the server's sentence stands for."""
    kind = _ERRORS.get(error.code, ServerError)
    try:
        sentence = str(json.loads(error.read())["detail"])
    except (ValueError, KeyError, TypeError, OSError):
        sentence = f"server: answered {error.code} {error.reason}"
    return kind(sentence)
