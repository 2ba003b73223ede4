"""Launching: a pool of local workers, or a Dask cluster's, supervised.

Enters: a planned study, and a number or a cluster. Leaves: when the study is over, or cannot go on.
"""

from lamsearch.pool.cluster import Cluster, connect
from lamsearch.pool.local import LocalPool

__all__ = ["Cluster", "LocalPool", "connect"]
