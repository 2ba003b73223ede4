"""How often workers ask the database: as often as few would, and no oftener together when many.

Enters: how long a lease holds, how many work. Leaves: seconds. Refuses to know what is asked.
"""

from __future__ import annotations

# of all workers together, per second
HEARTBEATS, LOOKS, POLLS, RETRIES = 20.0, 100.0, 200.0, 400.0
GLANCES = 250.0  # at whether anything was written, which is no question to the database's tables
_OFTEN = 2.0  # what whoever watches takes for live
_MARGIN = 10.0  # of a lease, in which a renewal that fails is tried again


def usual_seconds(lease: float) -> float:
    """Between two heartbeats where few work."""
    return min(lease / 4, _OFTEN)


def heartbeat_seconds(lease: float, workers: int) -> float:
    """Between two writes that renew a lease and show progress; late enough is soon enough."""
    latest = lease - min(lease / 4, _MARGIN)
    return max(usual_seconds(lease), min(workers / HEARTBEATS, latest))


def look_seconds(lease: float, workers: int) -> float:
    """Between two looks whether the lease is lost, or the study halted."""
    return max(usual_seconds(lease), workers / LOOKS)


def wait_seconds(workers: int) -> float:
    """Between two looks of a worker that waits whether there is something to claim."""
    return workers / POLLS


def glance_seconds(workers: int) -> float:
    """Between two glances of a worker that waits at whether anything was written meanwhile."""
    return workers / GLANCES


def retry_seconds(shortest: float, workers: int) -> float:
    """Before a renewal is tried again that failed."""
    return max(shortest, min(workers / RETRIES, _MARGIN / 4))
