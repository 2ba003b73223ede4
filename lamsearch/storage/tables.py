"""Our tables beside Optuna's: studies, stages, cohorts with their leases, curves.

Times are seconds since 1970 UTC by the database's clock. What changes here needs a step in
`migrations`, which brings the tables of earlier versions up to these.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import (
    JSON,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData()

# What a cohort can be.
OPEN, LEASED, DONE = 0, 1, 2
# The work after the final's cohorts: its one row is claimed like a cohort, and has no trials.
TEST = "test"

studies = Table(
    "lamsearch_study",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("id", String(32), nullable=False),  # drawn at creation; files are keyed by it
    Column("document", JSON, nullable=False),  # the study file's canonical form
    Column("fingerprint", String(64), nullable=False),
    Column("data_fingerprint", String(64), nullable=False),
    Column("validation_images", JSON, nullable=False),  # of each stage
    Column("classes", JSON, nullable=False),
    Column("data_facts", JSON),  # what was seen of the data; null in studies of earlier versions
    Column("environment", JSON),  # where it was planned; null in studies of earlier versions
    Column("origin", Text, nullable=False),  # the directory of the study file
    Column("files", Text, nullable=False),  # fsspec URL
    Column("created", Double, nullable=False),
    Column("finished", Double),
    Column("failure", Text),
    Column("halted", String(20)),  # paused or cancelled by somebody; null while it may go on
    Column("priority", Integer, nullable=False, server_default="0"),  # higher ones first
    Column("started", Double),  # the first lease
    Column("paused_at", Double),
    Column("paused_seconds", Double, nullable=False, server_default="0"),  # of pauses that are over
    Column("search_ended", Text),  # why searching ended before its stages did
    # until when somebody computes what comes next, whom others leave it to
    Column("transition_until", Double),
    Column("expected_updates", Double),  # of all stages; null in studies of earlier versions
    Column("selected", JSON),
    Column("openings", JSON, nullable=False),
    Column("final", JSON),
)

# What workers may take something of, in the order in which they do.
ACTIVE = sa.and_(
    studies.c.finished.is_(None), studies.c.failure.is_(None), studies.c.halted.is_(None)
)
# In words: as an `Index` it would load the dialects of both databases in every process.
sa.event.listen(
    studies,
    "after_create",
    sa.DDL(  # type: ignore[no-untyped-call]  # not typed in SQLAlchemy
        "CREATE INDEX lamsearch_study_active ON lamsearch_study (priority DESC, created)"
        " WHERE finished IS NULL AND failure IS NULL AND halted IS NULL"
    ),
)

stages = Table(
    "lamsearch_stage",
    metadata,
    Column("study", String(100), primary_key=True),
    Column("name", String(20), primary_key=True),
    Column("optuna_study", Integer, nullable=False),
    Column("bounds", JSON(none_as_null=True)),  # [low, high] of each dimension, if drawn within any
    Column("cohorts", Integer, nullable=False),
    Column("rounds", Integer, nullable=False),  # of candidates, the first by the stage before
    Column("decisions", JSON),  # each batch; null in stages that an earlier version planned
)

cohorts = Table(
    "lamsearch_cohort",
    metadata,
    Column("study", String(100), primary_key=True),
    Column("stage", String(20), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("replicate", Integer, nullable=False),
    Column("trials", JSON, nullable=False),  # [Optuna trial id, candidate, coordinates or null]
    Column("state", Integer, nullable=False),
    Column("owner", String(200)),
    Column("token", Integer, nullable=False),  # grows with every claim: the fence
    Column("expires", Double),
    Column("renewed", Double),
    Column("lease_seconds", Double),  # how long the lease lasts that was renewed then
    Column("takeovers", Integer, nullable=False),
    Column("taken_from", String(200)),  # whose work was last reclaimed
    # updates that its checkpoint saved when it was last resumed
    Column("resumed_update", Integer, key="recovered"),
    Column("updates", Integer, nullable=False),  # progress, for whoever watches
    Column("total", Integer, nullable=False),
    Column("per_second", Double, nullable=False),
    Column("best", Double),
    Column("best_point", JSON(none_as_null=True), key="best_at"),  # coordinates of the best
    Column("seconds", Double),
    Index("lamsearch_cohort_state", "study", "state", "number"),
    Index("lamsearch_cohort_expires", "state", "study", "expires"),
)

# Keyed by what a trial is: Optuna's trial ids are given out again by SQLite.
curves = Table(
    "lamsearch_curve",
    metadata,
    Column("study_id", String(32), primary_key=True),
    Column("stage", String(20), primary_key=True),
    Column("candidate", Integer, primary_key=True, autoincrement=False),
    Column("replicate", Integer, primary_key=True, autoincrement=False),
    Column("arrays", LargeBinary, nullable=False),  # npz without pickle
    Column("model_sha256", String(64)),  # of the final's model file; null where there is none
)

# What the workers of a study compute with; its trials name it by its number.
environments = Table(
    "lamsearch_environment",
    metadata,
    Column("study_id", String(32), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("facts", JSON, nullable=False),
    Column("mixed", Integer, nullable=False),  # whether it was admitted though it differs
    Column("joined", Double, nullable=False),
)

# Hosts whose workers cannot serve a study, and why.
unable = Table(
    "lamsearch_unable",
    metadata,
    Column("study_id", String(32), primary_key=True),
    Column("host", String(200), primary_key=True),
    Column("reason", Text, nullable=False),
    Column("at", Double, nullable=False),
)

# One row: the version of the tables above.
version = Table(
    "lamsearch_schema", metadata, Column("version", Integer, primary_key=True, autoincrement=False)
)
