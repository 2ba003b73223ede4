"""Launching: a pool of local workers, or a Dask cluster's, supervised.

Enters: a planned study or all, and a number or a cluster. Leaves: when the study is over, or the
workers cannot go on.
"""

from lamsearch.machine import cores
from lamsearch.pool.cluster import Cluster, connect
from lamsearch.pool.forks import WaitingForks
from lamsearch.pool.local import LocalPool
from lamsearch.pool.supervision import StandingWatch, Watch

__all__ = ["Cluster", "LocalPool", "StandingWatch", "WaitingForks", "Watch", "connect", "cores"]
