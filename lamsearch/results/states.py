"""Where a study stands in the queue: its states, and a study as the queue shows it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lamsearch.metrics import DEFAULT_METRIC
from lamsearch.results.decisions import Selected
from lamsearch.space import SPACE, Space


class StudyState(StrEnum):
    """Queued: no worker holds a lease in it at the moment, and one may take one; running: some do.

    The others change by what people ask for, or by what the study comes to.
    """

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    DONE = "done"
    FAILED = "failed"

    @property
    def over(self) -> bool:
        """Whether nothing will ever run in it again."""
        return self in (StudyState.CANCELLED, StudyState.DONE, StudyState.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedStudy:
    """A study as the queue shows it.

    ``priority``: higher ones are served first, then older ones. ``created`` and ``started`` (its
    first lease) are seconds since 1970 UTC, ``age`` seconds since it was submitted. ``progress`` is
    the share of the updates that its stages are expected to take, between 0 and 1. ``workers``
    counts leases that hold. ``unable`` has a sentence for each host that cannot serve it, where no
    worker does. ``space`` is that of ``selected``, as long as there is one.
    """

    name: str
    id: str
    state: StudyState
    priority: int
    created: float
    started: float | None
    age: float
    finished_trials: int
    planned_trials: int
    progress: float
    workers: int
    selected: Selected | None
    failure: str | None = None
    unable: tuple[str, ...] = ()
    metric: str = DEFAULT_METRIC.name
    space: Space = SPACE
