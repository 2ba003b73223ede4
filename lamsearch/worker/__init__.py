"""The worker: leases a cohort, trains, saves, completes, again; of one study, or of all.

Enters: planned studies in a database, a data directory. Leaves: recorded results, models in files.
Decides when to save and when to stop; knows neither terminals nor exit codes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lamsearch.lazily import parts_of

if TYPE_CHECKING:
    from lamsearch.worker.context import Settings
    from lamsearch.worker.pool_worker import PoolWorker
    from lamsearch.worker.renewer import LeaseRenewer, Retry
    from lamsearch.worker.study_worker import StudyWorker

__all__ = ["LeaseRenewer", "PoolWorker", "Retry", "Settings", "StudyWorker"]
# Loaded when they are wanted: who only waits for a database loads no trainer.
_MODULES = {
    "LeaseRenewer": "renewer", "PoolWorker": "pool_worker", "Retry": "renewer",
    "Settings": "context", "StudyWorker": "study_worker",
}  # fmt: skip
__getattr__ = parts_of(__name__, _MODULES)
