"""Text from outside on one line. Enters: anything. Leaves: a line that obeys no markup of ours."""

from __future__ import annotations

from lamsearch.results import StudyRecord


def one_line(text: object) -> str:
    """Return text from outside on one line, without control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())


def predictions(record: StudyRecord) -> str:
    """Return what models answer, as sentences call it."""
    classes = record.metric.task == "classification"
    return "softmax probabilities" if classes else "predicted values"
