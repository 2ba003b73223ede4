"""Trials: the only door to Optuna and its database.

Enters: plans, claims' results. Leaves: claims, records. Refuses to know how a cohort is trained.
"""

from lamsearch.trials.contents import Mode
from lamsearch.trials.damage import damage_is_said
from lamsearch.trials.engine import Database
from lamsearch.trials.environments import join
from lamsearch.trials.failures import (
    DATABASE_ERRORS,
    is_conflict,
    is_outage,
    is_read_only,
    passes,
)
from lamsearch.trials.leases import Beat, Claim, Held, Leases, Wait
from lamsearch.trials.notes import ArtifactGoneError, ArtifactKind, CurveOf, Shown, Teller
from lamsearch.trials.reading import (
    Point,
    Recovery,
    StageStatus,
    Status,
    WorkerStatus,
    read_status,
    read_study,
)
from lamsearch.trials.retries import RETRIED, retry
from lamsearch.trials.schema import VERSION as SCHEMA_VERSION
from lamsearch.trials.stored import Stored
from lamsearch.trials.studies import create, damage_of, delete, load, names
from lamsearch.trials.transition import advance
from lamsearch.trials.urls import parse_url, sqlite_file
from lamsearch.trials.viewing import PlannedStage, View

__all__ = [
    "DATABASE_ERRORS",
    "RETRIED",
    "damage_is_said",
    "damage_of",
    "SCHEMA_VERSION",
    "ArtifactGoneError",
    "ArtifactKind",
    "Beat",
    "Claim",
    "CurveOf",
    "Database",
    "Held",
    "Leases",
    "Mode",
    "PlannedStage",
    "Point",
    "Recovery",
    "Shown",
    "StageStatus",
    "Status",
    "Stored",
    "Teller",
    "View",
    "Wait",
    "WorkerStatus",
    "advance",
    "create",
    "delete",
    "is_conflict",
    "is_outage",
    "is_read_only",
    "join",
    "load",
    "names",
    "parse_url",
    "passes",
    "read_status",
    "read_study",
    "retry",
    "sqlite_file",
]
