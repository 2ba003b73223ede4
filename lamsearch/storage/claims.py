"""What is claimed and reported: a cohort under a lease, its trials, or that there is none now.

Enters and leaves: plain values. Refuses to know the database.
"""

from __future__ import annotations

from dataclasses import dataclass

from lamsearch.results import StageName
from lamsearch.space import Point


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasedTrial:
    """One trial of a claimed cohort: Optuna's id, the candidate, its point."""

    trial: int
    candidate: int
    point: Point


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A lease on a cohort. ``tests`` says that the work is to open the test set, not to train.

    ``replanned`` has a sentence for each trial that another program has had, and that was planned
    anew.
    """

    study: str
    stage: StageName
    tests: bool
    number: int
    replicate: int
    token: int
    reclaimed: bool
    trials: tuple[LeasedTrial, ...]
    replanned: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Nothing to claim now: others hold all that is left of the stage, or the study is paused."""

    cohorts: int
    paused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """What a renewal tells whoever watches: progress, and the best candidate so far.

    ``recovered`` is the update at which a cohort begun before was resumed; None where none was.
    """

    updates: int
    per_second: float
    recovered: int | None = None
    best: float | None = None
    best_at: Point | None = None
