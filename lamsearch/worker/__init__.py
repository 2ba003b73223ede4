"""The worker: claims a cohort, trains, checkpoints, tells, again, until the study is over.

Enters: a planned study in a database, a data directory. Leaves: results told, models in files.
Decides when to save and when to stop; knows neither terminals nor exit codes.
"""

from lamsearch.worker.loop import Settings, Worker
from lamsearch.worker.renewer import LeaseRenewer, Retry

__all__ = ["LeaseRenewer", "Retry", "Settings", "Worker"]
