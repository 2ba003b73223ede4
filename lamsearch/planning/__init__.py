"""Planning a study and removing one, for the command line and the service alike.

Enters: a checked study, and where its data and files are. Leaves: the study as it is stored, or a
refusal before anything is changed. Refuses to know how an error or a warning is shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lamsearch.lazily import parts_of

if TYPE_CHECKING:
    from lamsearch.planning.attempts import Attempt, once
    from lamsearch.planning.cohorts import Suited, cohort_line, suited, with_cohort_for
    from lamsearch.planning.location import (
        FILES_VARIABLE,
        files_default,
        files_given,
        place_of,
        present,
        present_or_beside,
    )
    from lamsearch.planning.memory import lacking, redrawn
    from lamsearch.planning.planned import Places, Planned, Settings, check_given, plan
    from lamsearch.planning.removal import Removable, check_removable, remove

__all__ = [
    "Attempt", "FILES_VARIABLE", "Places", "Planned", "Removable", "Settings", "Suited",
    "check_given", "check_removable", "cohort_line", "files_default", "files_given", "lacking",
    "once", "place_of", "plan", "present", "present_or_beside", "redrawn", "remove", "suited",
    "with_cohort_for",
]  # fmt: skip
# Loaded when they are wanted: who only reads a storage loads no trainer and no data.
_MODULES = {
    "Attempt": "attempts", "FILES_VARIABLE": "location", "Places": "planned", "Planned": "planned",
    "Removable": "removal", "Settings": "planned", "Suited": "cohorts", "check_given": "planned",
    "check_removable": "removal", "cohort_line": "cohorts", "files_default": "location",
    "files_given": "location", "lacking": "memory", "once": "attempts", "place_of": "location",
    "plan": "planned", "present": "location", "present_or_beside": "location", "redrawn": "memory",
    "remove": "removal", "suited": "cohorts", "with_cohort_for": "cohorts",
}  # fmt: skip
__getattr__ = parts_of(__name__, _MODULES)
