"""The documents of the API: what programs read and send, as checked models.

Enters: records of the storage. Leaves: plain values that OpenAPI describes. Refuses to print a NaN:
what is no number is null.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field

from lamsearch.report.status import queued_document, status_document
from lamsearch.results import QueuedStudy, StudyState
from lamsearch.storage import MOST_PRIORITY, Status
from lamsearch.web.studies import Submitted

MOST_STUDIES = 10_000


class Document(BaseModel):
    """Something of the API."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Problem(BaseModel):
    """An error as RFC 9457 describes one; ``detail`` is the sentence of the command line."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    issues: list[str] | None = Field(
        default=None, description="every broken rule of a study file, one sentence each"
    )


class ScoreDocument(Document):
    """A mean validation score; higher is better."""

    mean: float | None
    se: float | None = Field(description="standard error")
    n: int = Field(description="replicates measured at that very point; 0 where it was predicted")
    kind: str = Field(description="measured or predicted")


class Choice(BaseModel):
    """The chosen candidate."""

    model_config = ConfigDict(extra="allow", frozen=True)

    log10_lambda: float | None
    params: dict[str, Any] = Field(
        description="what was chosen of each parameter, by the name that a study file gives it"
    )
    rule: str = Field(description="the rule that chose it")
    score: ScoreDocument | None


class QueueEntry(Document):
    """A study as the queue has it: as `lamsearch status --json` prints it, and its report."""

    name: str
    id: str
    state: StudyState
    priority: int = Field(description="higher ones are served first, then older ones")
    created: float | None = Field(description="when it was submitted: seconds since 1970 UTC")
    started: float | None = Field(description="when a worker first took something of it")
    age: float | None = Field(description="seconds since it was submitted")
    finished_trials: int
    planned_trials: int
    progress: float | None = Field(description="share of the updates that are done, from 0 to 1")
    workers: int = Field(description="how many work on it at the moment")
    metric: str
    selected: Choice | None
    failure: str | None
    unable: list[str] = Field(description="why nobody serves it: a sentence per host")
    report: str = Field(description="where its report is on this server")


class Queue(Document):
    """A part of the queue: running, queued and paused studies, then those that are over."""

    total: int = Field(description="how many there are in all of it")
    studies: list[QueueEntry]


class Stage(Document):
    """How far a stage is: trials and updates."""

    name: str
    planned: int
    finished: int
    updates: int
    total: int


class Working(Document):
    """A worker and the cohort that it has leased."""

    owner: str
    stage: str
    cohort: int
    updates: int
    total: int
    per_second: float | None
    renewed_ago: float | None = Field(description="seconds since it renewed its lease")
    expired: bool


class Resumed(Document):
    """A cohort that was resumed from a checkpoint."""

    stage: str
    cohort: int
    taken_from: str | None = Field(description="whose lease ran out; null where it was given back")
    owner: str | None
    updates: int
    total: int


class StudyDocument(BaseModel):
    """A study at a glance, as `lamsearch status NAME --json` prints it."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str
    state: StudyState
    priority: int
    stages: list[Stage]
    workers: list[Working]
    takeovers: int = Field(description="how often a lease ran out and another worker went on")
    recovered: list[Resumed] = Field(description="the latest cohorts that were resumed")
    best: list[float | None] | None = Field(description="log10 λ and score of the best so far")
    best_candidate: dict[str, float | None] | None = Field(
        None, description="the same by name: its coordinate, such as log10_lambda, and its score"
    )
    failure: str | None
    selected: Choice | None
    elapsed: float | None = Field(description="seconds since it was submitted, or that it took")
    points: list[dict[str, Any]] = Field(description="validation scores so far")
    metric: str
    search_ended: str | None = Field(description="why searching ended before its stages did")
    unable: list[str]
    report: str


class Accepted(Document):
    """A study that was handed in."""

    name: str
    created: bool = Field(description="false where this very study was there already")
    warnings: list[str] = Field(description="what is hardly meant")
    report: str


class Priority(Document):
    """Where in the queue a study is to be."""

    priority: Annotated[int, Field(ge=-MOST_PRIORITY, le=MOST_PRIORITY)]


def queue_json(total: int, studies: Iterable[QueuedStudy]) -> str:
    """Return a `Queue` as JSON text; a thousand studies are too many to be checked one by one."""
    entries = [queued_document(one) | {"report": report_path(one.name)} for one in studies]
    return json.dumps({"total": total, "studies": entries}, allow_nan=False)


def study_json(status: Status) -> str:
    """Return a `StudyDocument` as JSON text, whatever letters a database holds."""
    document = status_document(status) | {"report": report_path(status.name)}
    return json.dumps(document, allow_nan=False)


def accepted(study: Submitted) -> Accepted:
    """Return the answer to a submission."""
    return Accepted(
        name=study.name,
        created=study.is_new,
        warnings=list(study.warnings),
        report=report_path(study.name),
    )


def report_path(name: str) -> str:
    """Return where a study's report is."""
    return f"/studies/{quote(name, safe='')}/"


def moment(seconds: float) -> str:
    """Return a time in UTC, to the second; what is none, as a damaged row may hold, is empty."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return ""
