"""The worker: claims a cohort, trains, checkpoints, tells, again, until the study is over.

Enters: a planned study in a database, a data folder. Leaves: results told, models in files.
Decides when to save and when to stop; knows neither terminals nor exit codes.
"""

from lamsearch.worker.keeper import Keeper, Patience
from lamsearch.worker.loop import Settings, Worker

__all__ = ["Keeper", "Patience", "Settings", "Worker"]
