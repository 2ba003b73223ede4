"""Aimed kills: workers one after the other, each armed with a fault point, until none strikes.

Enters: a site and points. Leaves: which of them struck, and the study at its end.
"""

from __future__ import annotations

import signal

from benchmarks.victims import Site, Victim

# One life of a study that passes every point; the transition into every later stage is hit twice.
TRANSITION = ("passing", "transition-written", "passed")
ALL_IN_ONE = (
    "claiming", "claimed", "renewing", "reporting", "checkpoint-writing", "checkpoint-renamed",
    "checkpoint-saved", "checkpoint-writing:3", "giving-back", "telling", "telling:2",
    "tell-finishing", "told", *TRANSITION, *TRANSITION, *TRANSITION,
    "uploaded", "transition-written", "passed",
    "test-recorded", "test-open", "test-telling", "test-told",
)  # fmt: skip


def strike(site: Site, point: str) -> Victim:
    """Run a worker armed with a point to its end."""
    victim = site.worker(point)
    victim.wait()
    return victim


def struck(victim: Victim, point: str) -> bool:
    """Whether a process died by SIGKILL at its point, and nowhere else."""
    name = point.partition(":")[0]
    return victim.poll() == -signal.SIGKILL and victim.said.endswith(f"fault: {name}\n")
