"""Launching: a crew of local workers, or a Dask cluster's, supervised.

Enters: a planned study, and a number or a cluster. Leaves: when the study is over, or cannot go on.
"""

from lamsearch.launch.cluster import Cluster, connect
from lamsearch.launch.crew import Crew

__all__ = ["Cluster", "Crew", "connect"]
