"""The API: the verbs of the command line as JSON over HTTP.

Enters: requests that access control let in. Leaves: documents; OpenAPI describes them all, and a
page that works without a network shows them. Refuses to know how a verb is carried out.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from lamsearch import logs
from lamsearch import report as reporting
from lamsearch import storage as store
from lamsearch.results import StudyState
from lamsearch.storage import MOST_PRIORITY, Database
from lamsearch.study import NAME_PATTERN
from lamsearch.web.documents import (
    MOST_STUDIES,
    Accepted,
    Priority,
    Queue,
    StudyDocument,
    accepted,
    queue_json,
    study_json,
)
from lamsearch.web.headers import API, PROBLEM
from lamsearch.web.studies import Studies

Name = Annotated[
    str, Path(pattern=f"^{NAME_PATTERN}$", max_length=100, description="a study's name")
]
_log = logging.getLogger(f"{logs.NAME}.serve")
_WHY = {
    400: "this is no request: its address is no text, or its body is none",
    401: "the password or the token is missing or wrong",
    403: "not from here, or the server changes nothing over its API",
    404: "there is no study of that name",
    409: "the state of the study does not allow it, or its name is another study's",
    422: "what was sent, or what is stored, breaks a rule",
    429: "too many wrong passwords or tokens from this address",
    503: "the database cannot be used at the moment",
}
_READ = (400, 401, 403, 404, 422, 429, 503)
_WRITE = (*_READ, 409)
_TOML: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "a study file",
        "content": {"application/toml": {"schema": {"type": "string"}}},
    }
}


def router(studies: Studies) -> APIRouter:
    """Return the routes of the API on the studies of a storage."""
    routes = APIRouter(prefix=API.rstrip("/"))
    _add_reading(routes, studies)
    _add_writing(routes, studies)
    _add_states(routes, studies)
    return routes


def _add_reading(routes: APIRouter, studies: Studies) -> None:
    @routes.get("/studies", tags=["read"], response_model=Queue, responses=_problems(_READ, 404))
    def list_studies(
        state: Annotated[StudyState | None, Query(description="only these")] = None,
        limit: Annotated[int, Query(ge=1, le=MOST_STUDIES)] = 1_000,
        offset: Annotated[int, Query(ge=0, le=1_000_000_000)] = 0,
    ) -> Response:
        """Return the queue: what runs, what waits in its order, then what is over, latest first."""
        found = [one for one in studies.queue() if state is None or one.state is state]
        page = found[offset : offset + limit]
        return _json(queue_json(len(found), page))

    @routes.get(
        "/studies/{name}", tags=["read"], response_model=StudyDocument, responses=_problems(_READ)
    )
    def show_study(name: Name) -> Response:
        """Return how far a study is, who works on it, and the best so far."""
        return _json(study_json(studies.status(name)))

    @routes.get(
        "/studies/{name}/result",
        tags=["read"],
        response_model=dict[str, Any],
        responses=_problems(_READ),
    )
    def show_result(name: Name) -> Response:
        """Return the result document as it stands now: `results.json` of the report."""
        return _json(reporting.to_json(studies.record(name)))


def _add_writing(routes: APIRouter, studies: Studies) -> None:
    @routes.post(
        "/studies",
        tags=["change"],
        status_code=HTTPStatus.CREATED,
        responses={
            **_problems(_WRITE, 404),
            200: {"model": Accepted, "description": "it was there already"},
        },
        openapi_extra=_TOML,
    )
    def submit_study(
        response: Response,
        content: Annotated[bytes, Depends(_content)],
        priority: Annotated[int, Query(ge=-MOST_PRIORITY, le=MOST_PRIORITY)] = 0,
    ) -> Accepted:
        """Plan the study of a study file and queue it.

        Done twice it is done once. A path in it must lead into the server's data directory.
        """
        found = studies.submit(content, priority)
        if found.is_new:
            _log.info("submitted over the API", extra={"study": found.name})
        response.status_code = HTTPStatus.CREATED if found.is_new else HTTPStatus.OK
        return accepted(found)

    @routes.delete(
        "/studies/{name}",
        tags=["change"],
        status_code=HTTPStatus.NO_CONTENT,
        responses=_problems(_WRITE),
    )
    def delete_study(name: Name) -> Response:
        """Remove a study with all its results; one that is worked on must be cancelled first."""
        studies.remove(name)
        _log.info("deleted over the API", extra={"study": name})
        return Response(status_code=HTTPStatus.NO_CONTENT)


def _add_states(routes: APIRouter, studies: Studies) -> None:
    verbs: dict[str, tuple[Callable[[Database, str], None], str]] = {
        "pause": (store.pause, "Let nothing of a study be started; what runs is saved first."),
        "resume": (store.resume, "Let a paused study go on."),
        "cancel": (store.cancel, "End a study; what has ended stays."),
        "finish": (store.finish, "End its search; finalists and final follow."),
    }
    for word, (verb, text) in verbs.items():
        _add_verb(routes, studies, word, verb, text)

    @routes.put(
        "/studies/{name}/priority",
        tags=["change"],
        response_model=StudyDocument,
        responses=_problems(_WRITE),
    )
    def prioritize_study(name: Name, body: Priority) -> Response:
        """Move a study in the queue."""

        def move(database: Database, which: str) -> None:
            store.prioritize(database, which, body.priority)

        found = studies.act(move, name)
        _log.info("priority %s, over the API", body.priority, extra={"study": name})
        return _json(study_json(found))


def _add_verb(
    routes: APIRouter,
    studies: Studies,
    word: str,
    verb: Callable[[Database, str], None],
    text: str,
) -> None:
    @routes.post(
        f"/studies/{{name}}/{word}",
        tags=["change"],
        name=f"{word}_study",
        description=text,
        response_model=StudyDocument,
        responses=_problems(_WRITE),
    )
    def act(name: Name) -> Response:
        found = studies.act(verb, name)
        _log.info("%s, asked for over the API", word, extra={"study": name})
        return _json(study_json(found))


def _json(text: str) -> Response:
    # a file name in a reason may hold bytes that are no UTF-8 (lone surrogates here)
    content = text.encode("utf-8", errors="replace")
    return Response(content, media_type="application/json", headers={"Cache-Control": "no-store"})


async def _content(request: Request) -> bytes:
    return await request.body()


def _problems(statuses: tuple[int, ...], without: int = 0) -> dict[int | str, dict[str, Any]]:
    return {
        status: {
            "description": _WHY[status],
            "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
        if status != without
    }
