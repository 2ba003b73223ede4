"""The worker: leases a cohort, trains, saves, completes, again, until the study is over.

Enters: a planned study in a database, a data directory. Leaves: recorded results, models in files.
Decides when to save and when to stop; knows neither terminals nor exit codes.
"""

from lamsearch.worker.context import Settings
from lamsearch.worker.loop import Worker
from lamsearch.worker.renewer import LeaseRenewer, Retry

__all__ = ["LeaseRenewer", "Retry", "Settings", "Worker"]
