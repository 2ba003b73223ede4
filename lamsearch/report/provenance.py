"""When a study was planned, how long it took, and what computed it. Enters: a record. Leaves: text.

Refuses to look at a clock: the same record gives the same sentence.
"""

from __future__ import annotations

import math

from lamsearch.environment import CPU
from lamsearch.findings import versions
from lamsearch.report.lines import one_line
from lamsearch.results import StudyRecord


def made(record: StudyRecord) -> str:
    """Say when a study was planned, how long it took and on what; empty where nobody knows."""
    parts = []
    if record.planned_at is not None:
        parts.append(f"Planned {_moment(record.planned_at)}")
        if record.seconds is not None:
            parts.append(f"finished after {_duration(record.seconds)}, waiting included")
    found = versions.computing(record)
    if found is not None:
        devices = versions.devices(record)
        trained = "" if set(devices) <= {CPU} else f", trained on {' and '.join(devices)}"
        parts.append(one_line(f"computed by lamsearch {found.text_of('lamsearch')} on "
                              f"{found.processor}{trained}"))  # fmt: skip
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _moment(text: str) -> str:
    """A time of a record to the minute: ``2026-11-26 15:56 UTC``."""
    date, _, time = one_line(text).partition("T")
    return f"{date} {time[:5]} UTC"


def _duration(seconds: float) -> str:
    if not math.isfinite(seconds):
        return "an unknown time"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours else f"{minutes} min"
