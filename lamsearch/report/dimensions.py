"""What only a search in several dimensions has: where each was searched, which of them matter.

Enters: a study's record. Leaves: tables, sentences, values; none where λ alone was searched.
Refuses to know markup, and to give a share without the number of trials behind it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lamsearch import points
from lamsearch.report.tables import Table
from lamsearch.results import STAGES, StageName, StudyRecord
from lamsearch.space import Bounds, Dimension, Point, Scale, Space
from lamsearch.statistics import Importances, best_score, importances

_SCALES = {
    Scale.LINEAR: "linear", Scale.LOG10: "logarithmic", Scale.LOG: "logarithmic",
    Scale.INTEGER: "whole numbers", Scale.CHOICE: "choice",
}  # fmt: skip
_ROUGH = 20  # trials per dimension, below which importances are rough


def searched_table(record: StudyRecord) -> Table | None:
    """Return a row per dimension: its scale, each stage's bounds, its best, what was chosen."""
    if not record.space.several:
        return None
    found = [(name, record.stages[name]) for name in STAGES if name in record.stages]
    bounds = {name: one.bounds for name, one in found if one.bounds is not None}
    best = {
        name: point
        for name, _ in found
        if name != "final" and (point := _best(record, name)) is not None
    }
    chosen = None if record.selected is None else record.selected.point
    head = ["parameter", *([] if chosen is None else ["chosen"]), "scale"]
    head += [*(f"{name} from … to" for name in bounds), *(f"best of {name}" for name in best)]
    rows = tuple(
        (
            one.symbol,
            *(() if chosen is None else (one.shown_value(chosen[index]),)),
            _SCALES[one.scale],
            *(points.interval_words(one, *ends[index]) for ends in bounds.values()),
            *(one.shown_value(point[index]) for point in best.values()),
        )
        for index, one in enumerate(record.space.dimensions)
    )
    return Table(title="What was searched", head=tuple(head), rows=rows)


def importance_table(record: StudyRecord) -> Table | None:
    """Return a row per dimension, the most important first, with each evaluator's share."""
    if not record.space.several:
        return None
    found = importances(record)
    if not found.evaluated:
        return None
    head = ("parameter", *(one.evaluator for one in found.evaluated))
    rows = tuple(
        (
            record.space.dimensions[index].symbol,
            *(_share(one.shares[index], one.chance) for one in found.evaluated),
        )
        for index in found.order
    )
    return Table(title="Which dimension matters", head=head, rows=rows)


def importance_sentences(record: StudyRecord) -> Iterator[str]:
    """Say what the importances are, what they rest on, and how far to trust them."""
    if not record.space.several:
        return
    found = importances(record)
    if found.why is not None:
        yield f"There are no importances: {found.why}."
        return
    names = [f"{one.evaluator} ({one.about})" for one in found.evaluated]
    yield (
        f"Importances by Optuna's {points.listed(names)}, from {found.trials} complete trials of "
        f"{points.listed(found.stages)}; the shares of one evaluator sum to 100 %."
    )
    limits = [f"{100 * one.chance:.1f} % ({one.evaluator})" for one in found.evaluated]
    yield (
        "Dimensions whose values were shuffled among the trials got up to "
        f"{points.listed(limits)}: a share that is no larger says nothing, and is marked as chance."
    )
    yield from _caveats(record, found)


def importance_line(record: StudyRecord) -> str:
    """Return the importances in a line for a terminal: the first evaluator's."""
    found = importances(record)
    if not found.evaluated:
        return f"There are no importances: {found.why}."
    first, dimensions = found.evaluated[0], record.space.dimensions
    shares = [
        f"{dimensions[index].symbol} {_share(first.shares[index], first.chance)}"
        for index in found.order
    ]
    rest = f"{found.trials} trials of {points.listed(found.stages)}"
    return f"Importances ({first.evaluator}, {rest}): {', '.join(shares)}"


def importance_document(record: StudyRecord) -> dict[str, Any]:
    """Return the importances as plain values, by the dimensions' names."""
    found, names = importances(record), [one.name for one in record.space.dimensions]
    return {
        "stages": list(found.stages),
        "trials": found.trials,
        "why_none": found.why,
        "evaluators": [
            {
                "evaluator": one.evaluator,
                "shares": dict(zip(names, one.shares, strict=True)),
                "chance": one.chance,
            }
            for one in found.evaluated
        ],
    }


def bounds_document(space: Space, bounds: Bounds) -> dict[str, list[Any]]:
    """Return bounds by name, as what stands under it: two ends, or all choices between."""
    pairs = zip(space.dimensions, bounds, strict=True)
    return {one.name: _ends(one, low, high) for one, (low, high) in pairs}


def ranges_document(space: Space, bounds: Bounds) -> dict[str, dict[str, Any]]:
    """Return bounds by name as objects: ``low`` and ``high``, or the ``choices`` between."""
    pairs = zip(space.dimensions, bounds, strict=True)
    ends = {one.name: (one, _ends(one, low, high)) for one, (low, high) in pairs}
    return {
        name: dict(zip(("low", "high"), found, strict=True)) if one.ordered else {"choices": found}
        for name, (one, found) in ends.items()
    }


def _ends(dimension: Dimension, low: float, high: float) -> list[Any]:
    if dimension.ordered:
        return [dimension.named(low), dimension.named(high)]
    return [dimension.named(index) for index in range(round(low), round(high) + 1)]


def _best(record: StudyRecord, name: StageName) -> Point | None:
    first = best_score(record, name)
    return None if first is None else first.point


def _share(share: float, chance: float) -> str:
    return f"{100 * share:.1f} %{'' if share > chance else ' (chance)'}"


def _caveats(record: StudyRecord, found: Importances) -> Iterator[str]:
    if found.trials < _ROUGH * len(record.space.dimensions):
        yield (
            f"With {found.trials} trials for {len(record.space.dimensions)} dimensions the shares "
            "are rough: other trials would give others."
        )
    if found.left_out:
        yield (
            f"{points.listed(found.left_out).capitalize()} was trained otherwise, so its scores "
            "do not compare and are left out."
        )
