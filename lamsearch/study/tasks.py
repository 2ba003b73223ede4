"""What a metric's task asks of the data: classes to tell apart, or a quantity to predict.

Enters: a metric's name and a [data] table that parsed. Leaves: issues. Refuses to know what the
source holds.
"""

from __future__ import annotations

from collections.abc import Iterator

from lamsearch.errors import InputError, Issue, LamsearchError
from lamsearch.metrics import metric_of
from lamsearch.study.data import Data
from lamsearch.study.sources import source_of


def task_issues(metric: object, data: Data | None) -> Iterator[Issue]:
    """Yield what a study's data table lacks, or has too much, for the metric's task."""
    try:
        regression = metric_of(metric).task == "regression"
    except InputError:  # which its key says
        return
    if data is None or not regression:
        return
    try:
        source = source_of(data.source)
    except LamsearchError:  # as above
        return
    if not getattr(source, "quantities", False):
        rule = f"is of a quantity, but the targets of {data.source} are classes"
        yield Issue(where="metric", rule=rule, value=metric)
    if data.stratified:
        rule = f"must be false with metric {metric!r}: a quantity has no classes to keep shares of"
        yield Issue(where="data.stratified", rule=rule, value=True)
    if data.weight is not None:
        rule = f"must not be given with metric {metric!r}: a quantity has no classes to weight"
        yield Issue(where="data.weight", rule=rule, value=data.weight)
