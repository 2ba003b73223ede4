"""Storage: plans, results → leases, records; all that knows Optuna and its database.

Enters: plans, results of claims. Leaves: claims, records. Refuses to know how a cohort is trained.
"""

from lamsearch.storage.annotated import Shown
from lamsearch.storage.annotations import Annotator, ArtifactKind, CurveOf
from lamsearch.storage.claims import Claim, Heartbeat, LeasedTrial, Wait
from lamsearch.storage.contents import Mode
from lamsearch.storage.counts import Counts, read_counts
from lamsearch.storage.damage import damage_is_said
from lamsearch.storage.engine import Database
from lamsearch.storage.environments import join
from lamsearch.storage.failures import (
    DATABASE_ERRORS,
    is_conflict,
    is_outage,
    is_read_only,
    passes,
)
from lamsearch.storage.glances import Glance, read_glances
from lamsearch.storage.leases import Leases
from lamsearch.storage.opening import load as load_opening
from lamsearch.storage.overview import read_queue
from lamsearch.storage.planned_study import PlannedStudy
from lamsearch.storage.pool_queue import Claimable, StudyQueue, next_study
from lamsearch.storage.reading import read_study
from lamsearch.storage.remaining import Remaining, read_remaining
from lamsearch.storage.retention import KeptStudy, Since, read_kept
from lamsearch.storage.retries import RETRIED, retry
from lamsearch.storage.schema import VERSION as SCHEMA_VERSION
from lamsearch.storage.states import (
    MOST_PRIORITY,
    cancel,
    check_priority,
    finish,
    pause,
    prioritize,
    resume,
)
from lamsearch.storage.status import (
    Recovery,
    Scored,
    StageStatus,
    Status,
    WorkerStatus,
    read_status,
)
from lamsearch.storage.studies import create, damage_of, delete, load, names
from lamsearch.storage.transition import advance
from lamsearch.storage.unable import clear_unable, write_unable
from lamsearch.storage.urls import parse_url, sqlite_file
from lamsearch.storage.viewing import PlannedStage, View
from lamsearch.storage.worker_transactions import Outages

__all__ = [
    "DATABASE_ERRORS",
    "RETRIED",
    "damage_is_said",
    "damage_of",
    "SCHEMA_VERSION",
    "ArtifactKind",
    "Heartbeat",
    "Claim",
    "Claimable",
    "Counts",
    "CurveOf",
    "Database",
    "load_opening",
    "Glance",
    "LeasedTrial",
    "KeptStudy",
    "Leases",
    "MOST_PRIORITY",
    "Mode",
    "Outages",
    "PlannedStage",
    "Recovery",
    "Remaining",
    "Scored",
    "Shown",
    "Since",
    "StageStatus",
    "StudyQueue",
    "Status",
    "PlannedStudy",
    "Annotator",
    "View",
    "Wait",
    "WorkerStatus",
    "advance",
    "cancel",
    "check_priority",
    "clear_unable",
    "create",
    "delete",
    "finish",
    "is_conflict",
    "is_outage",
    "is_read_only",
    "join",
    "load",
    "names",
    "next_study",
    "parse_url",
    "passes",
    "pause",
    "prioritize",
    "read_kept",
    "read_counts",
    "read_glances",
    "read_queue",
    "read_remaining",
    "resume",
    "write_unable",
    "read_status",
    "read_study",
    "retry",
    "sqlite_file",
]
