"""The application: the queue's page, reports, the API, metrics and health under one roof.

Enters: a storage and where its data and files are. Leaves: a WSGI application. Refuses to decide
who may come in.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from wsgiref.types import WSGIApplication

from a2wsgi import ASGIMiddleware
from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException

from lamsearch import __version__
from lamsearch.results import StudyState
from lamsearch.web import api, monitoring, openapi, report_pages
from lamsearch.web.outages import Outages
from lamsearch.web.problems import handle_errors
from lamsearch.web.queue_page import queue_page
from lamsearch.web.studies import Studies

_ASSETS = Path(__file__).parent / "assets"
_OWN = frozenset({"read-only.css", "queue.css", "queue.js", "api.js"})
_SWAGGER = frozenset({"swagger-ui.css", "swagger-ui-bundle.js"})
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
_NO_STORE = {"Cache-Control": "no-store"}
_KEEP = {"Cache-Control": "private, max-age=3600"}


def application(studies: Studies, say: Callable[[str], None]) -> WSGIApplication:
    """Return lamsearch's own application; ``say`` hears what goes wrong."""
    return ASGIMiddleware(fastapi_application(studies, say))  # type: ignore[return-value,arg-type]


def fastapi_application(studies: Studies, say: Callable[[str], None]) -> FastAPI:
    """Return it as FastAPI has it."""
    app = FastAPI(
        title="lamsearch", version=__version__, openapi_url=None, docs_url=None, redoc_url=None,
        redirect_slashes=False,
    )  # fmt: skip
    outages = Outages(studies.database, say)
    app.include_router(_pages(studies))
    app.include_router(_assets())
    app.include_router(_description(app))
    app.include_router(report_pages.router(studies))
    app.include_router(monitoring.router(studies.database, outages))
    app.include_router(api.router(studies))
    handle_errors(app, outages, say)
    return app


def _pages(studies: Studies) -> APIRouter:
    routes = APIRouter(include_in_schema=False)

    @routes.get("/")
    def queue(state: str = "", page: str = "1") -> Response:
        known = StudyState(state) if state in list(StudyState) else None
        number = int(page) if page.isascii() and page.isdigit() and len(page) < 9 else 1
        return HTMLResponse(queue_page(studies, state=known, number=number), headers=_NO_STORE)

    return routes


def _assets() -> APIRouter:
    routes = APIRouter(include_in_schema=False)

    @routes.get("/assets/{name}")
    def asset(name: str) -> Response:
        if name in _OWN:
            content = (_ASSETS / name).read_bytes()
        elif name in _SWAGGER:
            content = openapi.swagger_file(name)
        else:
            raise HTTPException(404)
        return Response(content, media_type=_TYPES[Path(name).suffix], headers=_KEEP)

    return routes


def _description(app: FastAPI) -> APIRouter:
    routes = APIRouter(include_in_schema=False)

    @routes.get(openapi.DESCRIPTION)
    def description() -> Response:
        return JSONResponse(openapi.described(app), headers=_NO_STORE)

    @routes.get("/api/v1/docs")
    def page() -> Response:
        return HTMLResponse(openapi.PAGE, headers=_NO_STORE)

    return routes
