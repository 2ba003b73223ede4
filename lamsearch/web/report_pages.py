"""A study's report as it stands now: the page, and what of it can be downloaded.

Enters: a study's name. Leaves: what `lamsearch report` would write, made when somebody asks for it
and kept in memory until something has changed.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from lamsearch import report as reporting
from lamsearch.report.rendering import RenderedFigure, figures
from lamsearch.results import StudyRecord
from lamsearch.web.documents import report_path
from lamsearch.web.queue_page import dashboard_path
from lamsearch.web.studies import Studies, model_files

_KEPT = 16  # drawn reports in memory; a figure has about 100 kB
_NO_STORE = {"Cache-Control": "no-store"}
_NONE = "the report has no such file"
_FIGURE_TYPES = {"png": "image/png", "svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """The figures of a report, and the document that they were drawn for."""

    document: str
    figures: tuple[RenderedFigure, ...]


class Reports:
    """Reports of the studies of a storage; figures are drawn anew when a study has changed."""

    def __init__(self, studies: Studies) -> None:
        self.studies = studies
        self._kept: OrderedDict[str, Drawn] = OrderedDict()
        self._lock = threading.Lock()  # one report is drawn at a time: others still answer

    def page(self, name: str) -> str:
        """Return the page with links to what this server has of the study."""
        record = self.studies.record(name)
        return reporting.page(record, self.drawn(record), list(self._links(record)))

    def figure(self, name: str, file_name: str) -> tuple[bytes, str] | None:
        """Return a figure and its type, None where there is none of that file name."""
        wanted, _, form = file_name.partition(".")
        if form not in _FIGURE_TYPES:  # nothing is drawn for it
            return None
        found = (one for one in self.drawn(self.studies.record(name)) if one.name == wanted)
        one = next(found, None)
        if one is None:
            return None
        return (one.png if form == "png" else one.svg), _FIGURE_TYPES[form]

    def drawn(self, record: StudyRecord) -> tuple[RenderedFigure, ...]:
        """Return the figures of a report."""
        document = reporting.to_json(record)
        with self._lock:
            known = self._kept.get(record.name)
            if known is None or known.document != document:
                known = Drawn(document=document, figures=tuple(figures(record)))
            self._kept[record.name] = known
            self._kept.move_to_end(record.name)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return known.figures

    def _links(self, record: StudyRecord) -> Iterator[tuple[str, str]]:
        yield "all studies", "/"
        glance = self.studies.glances([record.name])[record.name]
        if (address := dashboard_path(glance.numbers)) is not None:
            yield "dashboard", address
        for file_name in ("results.json", "trials.csv", "report.md"):
            yield file_name, file_name
        for file_name in model_files(record):
            yield file_name, f"models/{quote(file_name)}"


def router(studies: Studies) -> APIRouter:
    """Return the routes of the reports."""
    routes, reports = APIRouter(prefix="/studies", include_in_schema=False), Reports(studies)

    @routes.get("/{name}")
    def without_slash(name: str) -> Response:
        return RedirectResponse(report_path(name), headers=_NO_STORE)

    @routes.get("/{name}/")
    def page(name: str) -> Response:
        return _text(reports.page(name), "text/html; charset=utf-8")

    @routes.get("/{name}/results.json")
    def results(name: str) -> Response:
        text = reporting.to_json(studies.record(name))
        return _text(text, "application/json")

    @routes.get("/{name}/trials.csv")
    def trials(name: str) -> Response:
        return _text(reporting.trials_csv(studies.record(name)), "text/csv; charset=utf-8")

    @routes.get("/{name}/report.md")
    def markdown(name: str) -> Response:
        return _text(reporting.markdown(studies.record(name)), "text/plain; charset=utf-8")

    @routes.get("/{name}/figures/{file_name}")
    def figure(name: str, file_name: str) -> Response:
        found = reports.figure(name, file_name)
        if found is None:
            raise HTTPException(404, _NONE)
        return Response(found[0], media_type=found[1], headers=_NO_STORE)

    @routes.get("/{name}/models/{file_name}")
    def model(name: str, file_name: str) -> Response:
        content = studies.model(studies.record(name), file_name)
        if content is None:
            raise HTTPException(404, _NONE)
        return Response(content, media_type="application/octet-stream", headers=_NO_STORE)

    return routes


def _text(text: str, media_type: str) -> Response:
    # a file name in a reason may hold bytes that are no UTF-8 (lone surrogates here)
    content = text.encode("utf-8", errors="replace")
    return Response(content, media_type=media_type, headers=_NO_STORE)
