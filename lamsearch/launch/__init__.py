"""Launching: a crew of local workers, supervised.

Enters: a planned study and a number. Leaves: when the study is over, or cannot go on.
"""

from lamsearch.launch.crew import Crew

__all__ = ["Crew"]
