"""Models that leave a cohort before the end. Enters: reasons, or text of a checkpoint. Leaves: who
left, why and when.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass

from lamsearch.results import TrialState

_SHOWN = 60  # characters of a text that is refused


@dataclass(frozen=True, slots=True)
class Departure:
    """How a model left: FAIL or PRUNED, why, after how many updates."""

    state: str
    reason: str
    updates: int


def departures_text(departures: Mapping[int, Departure]) -> str:
    """Return as JSON which models have left."""
    return json.dumps({model: astuple(one) for model, one in departures.items()})


def departures_from(text: str) -> dict[int, Departure]:
    """Return which models have left, from their JSON.

    Raises:
        ValueError: It is no such text.
    """
    try:
        found = {int(model): Departure(*one) for model, one in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        rule = "left: must say which models have left"
        raise ValueError(f"{rule}, got {text[:_SHOWN]!r}") from error
    states = (TrialState.FAIL, TrialState.PRUNED)
    for one in found.values():
        if one.state not in states or type(one.reason) is not str or type(one.updates) is not int:
            rule = "left: must say why and when a model has left"
            raise ValueError(f"{rule}, got {text[:_SHOWN]!r}")
    return found
