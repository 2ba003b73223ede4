"""What ends a search early: a time limit, a target. Enters: keys of a study file. Leaves: numbers.

A study that has one is not bound to give the same answer again: how far it comes is a matter of
the machine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0}
_DURATION = re.compile(r"(?:(\d{1,5})d)?(?:(\d{1,5})h)?(?:(\d{1,6})m)?(?:(\d{1,7})s)?", re.ASCII)
_LONGEST_SECONDS = 366 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When searching ends, whatever is left of it; None where it does not end early.

    ``time_limit`` is in words, ``seconds`` the same: wall clock since the study's first lease,
    pauses apart. ``target`` is a validation score, higher is better.
    """

    time_limit: str | None = None
    seconds: float | None = None
    target: float | None = None

    def __bool__(self) -> bool:
        """Whether there is one."""
        return self.seconds is not None or self.target is not None


def seconds_of(text: str) -> float:
    """Return the seconds of a duration such as ``2h``, ``90m`` or ``1d12h``.

    Raises:
        ValueError: It is none.
    """
    found = _DURATION.fullmatch(text)
    parts = [] if found is None else zip(found.groups(), _UNITS.values(), strict=True)
    seconds = sum(float(count) * unit for count, unit in parts if count is not None)
    if not 0 < seconds <= _LONGEST_SECONDS:
        raise ValueError("must be a time such as '2h', '90m' or '1d12h', of 366 days at most")
    return seconds
