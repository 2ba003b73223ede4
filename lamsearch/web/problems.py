"""Errors of the API and the pages: each becomes a status and the command line's sentence.

Enters: an exception, or Starlette's refusal. Leaves: `application/problem+json`, or plain text for
who asked for a page. Refuses to show what a database's driver said.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse, Response
from starlette.exceptions import HTTPException

from lamsearch.errors import (
    InputError,
    LamsearchError,
    StorageAwayError,
    StorageBusyError,
    StorageError,
    StorageFailedError,
    StudyFileError,
    StudyStateError,
    UnknownStudyError,
)
from lamsearch.storage import DATABASE_ERRORS
from lamsearch.web.headers import API, PROBLEM, problem
from lamsearch.web.outages import Outages

AWAY = "the database cannot be used at the moment; try again when it can"
BROKEN = "the server could not answer this; its log says why"


def status_of(error: LamsearchError) -> HTTPStatus:
    """Return the status that an error of lamsearch's is answered with."""
    if isinstance(error, UnknownStudyError):
        return HTTPStatus.NOT_FOUND
    if isinstance(error, (StorageAwayError, StorageFailedError)):
        return HTTPStatus.SERVICE_UNAVAILABLE
    if isinstance(error, StudyStateError):
        return HTTPStatus.CONFLICT
    if isinstance(error, InputError):
        return HTTPStatus.UNPROCESSABLE_ENTITY
    return HTTPStatus.INTERNAL_SERVER_ERROR


def refusal(request: Request, status: int, sentence: str, **more: object) -> Response:
    """Answer with a sentence, as a program or as a person reads it."""
    headers = {"Cache-Control": "no-store"}
    if not request.url.path.startswith(API):
        text = f"{sentence}\n".encode("utf-8", errors="replace")
        return PlainTextResponse(text, status, headers)
    document = problem(status, HTTPStatus(status).phrase, sentence) | more
    return Response(json.dumps(document), status, headers, media_type=PROBLEM)


def handle_errors(app: FastAPI, outages: Outages, say: Callable[[str], None]) -> None:
    """Answer all errors; ``say`` hears what a visitor is not told."""

    async def of_lamsearch(request: Request, error: Exception) -> Response:
        assert isinstance(error, LamsearchError)  # noqa: S101 - registered for it
        status = status_of(error)
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            if not isinstance(error, StorageBusyError):
                outages.failed(str(error))
            return refusal(request, status, AWAY)
        if status == HTTPStatus.INTERNAL_SERVER_ERROR or isinstance(error, StorageError):
            say(f"{request.url.path}: {error}")
        issues = [str(one) for one in error.issues] if isinstance(error, StudyFileError) else None
        return refusal(request, status, str(error), **({"issues": issues} if issues else {}))

    async def of_database(request: Request, error: Exception) -> Response:
        outages.failed(outages.sentence(error))
        return refusal(request, HTTPStatus.SERVICE_UNAVAILABLE, AWAY)

    async def of_request(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it
        found = [f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors()]
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        return refusal(request, status, "; ".join(found) or "the request is malformed")

    async def of_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
        answer = refusal(request, error.status_code, _sentence(error))
        answer.headers.update(error.headers or {})
        return answer

    app.add_exception_handler(LamsearchError, of_lamsearch)
    app.add_exception_handler(RequestValidationError, of_request)
    app.add_exception_handler(HTTPException, of_http)
    for kind in DATABASE_ERRORS:
        app.add_exception_handler(kind, of_database)
    app.add_middleware(_LastResort, outages=outages, say=say)


def _sentence(error: HTTPException) -> str:
    if error.status_code == HTTPStatus.NOT_FOUND and error.detail == HTTPStatus.NOT_FOUND.phrase:
        return "there is nothing at this address"
    return str(error.detail)


class _LastResort:
    """ASGI middleware that answers what nobody expected, and lets no traceback out."""

    def __init__(self, app: Any, outages: Outages, say: Callable[[str], None]) -> None:
        self._app, self._outages, self._say = app, outages, say

    async def __call__(
        self, scope: Any, receive: Any, send: Callable[[Any], Awaitable[None]]
    ) -> None:
        """Pass on; answer 500 where that raises before anything was sent."""
        began = False

        async def watched(message: Any) -> None:
            nonlocal began
            if not began and message.get("status") == 200 and _of_studies(scope):
                self._outages.answered()
            began = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:  # the last place where it can become a sentence
            path = str(scope.get("path", "")).encode("unicode_escape").decode()
            self._say(f"{path}: {type(error).__name__}: {error}")
            if began:
                return
            answer = refusal(Request(scope), HTTPStatus.INTERNAL_SERVER_ERROR, BROKEN)
            await answer(scope, receive, send)


def _of_studies(scope: Any) -> bool:
    """Whether a request is answered from the database."""
    path = str(scope.get("path", ""))
    return path == "/" or path.startswith(("/studies/", f"{API}studies"))
