"""What decided, and how the ensemble erred, as plain values. Enters: a record. Leaves: JSON values.

Refuses to round: what is no finite number is null.
"""

from __future__ import annotations

from typing import Any

from lamsearch.report.numbers import finite
from lamsearch.report.view import confusion_classes
from lamsearch.results import FinalScore, StudyRecord
from lamsearch.statistics import DecidingCurve


def curve_document(record: StudyRecord, found: DecidingCurve) -> dict[str, Any]:
    """Return the model that chose: the means that it rests on, and it along each parameter.

    ``sd`` are standard deviations of differences between candidates.
    """
    dimensions = record.space.dimensions
    return {
        "stage": found.stage,
        "points": [
            {
                "params": record.space.named(one.point),
                "mean": finite(one.mean),
                "sd": finite(one.sd),
            }
            for one in found.points
        ],
        "curves": [
            {
                "parameter": dimensions[section.dimension].name,
                "values": [
                    {
                        "value": dimensions[section.dimension].named(at),
                        "mean": finite(mean),
                        "sd": finite(sd),
                    }
                    for at, mean, sd in zip(section.at, section.mean, section.sd, strict=True)
                ],
            }
            for section in found.sections
        ],
    }


def confusion_document(record: StudyRecord, final: FinalScore) -> dict[str, Any] | None:
    """Return the ensemble's confusion matrix: a row for each true class; None without classes."""
    if not final.confusion:
        return None
    counts = [list(row) for row in final.confusion]
    return {"classes": confusion_classes(record), "counts": counts}
