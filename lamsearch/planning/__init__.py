"""Planning a study and removing one, for the command line and the service alike.

Enters: a checked study, and where its data and files are. Leaves: the study as it is stored, or a
refusal before anything is changed. Refuses to know how an error or a warning is shown.
"""

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
from lamsearch.planning.plan import Places, Planned, Settings, check_given, plan
from lamsearch.planning.removal import Removable, check_removable, remove

__all__ = [
    "Attempt", "FILES_VARIABLE", "Places", "Planned", "Removable", "Settings", "Suited",
    "check_given", "check_removable", "cohort_line", "files_default", "files_given", "lacking",
    "once", "place_of", "plan", "present", "present_or_beside", "redrawn", "remove", "suited",
    "with_cohort_for",
]  # fmt: skip
