"""How large a network is and how long it is trained, by the number of examples.

Enters: a number of examples, and what the user has set. Leaves: sizes. Pure. Meant for 100 to
100,000 examples:

    hidden     = √n, at least 10 and at most 100
    batch_size = n / 20, at least 10 and at most 100
    updates    = those of 10 epochs, at least 200 and at most 2,000, in each cycle
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_HIDDEN = 10, 100
_BATCH, _BATCHES = (10, 100), 20
_UPDATES, _EPOCHS = (200, 2_000), 10


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSizes:
    """Hidden units of each layer, examples in a mini-batch, updates in half a cycle."""

    hidden: tuple[int, ...]
    batch_size: int
    step_size: int


def network_sizes(
    examples: int,
    hidden: int | Sequence[int] | None = None,
    batch_size: int | None = None,
    updates: int | None = None,
) -> NetworkSizes:
    """Return the sizes for so many training examples; None stands for the formula's."""
    if hidden is None:
        hidden = _within(round(math.sqrt(examples)), _HIDDEN)
    units = (hidden,) if isinstance(hidden, int) else tuple(hidden)
    batch = _within(examples // _BATCHES, _BATCH) if batch_size is None else batch_size
    batch = min(batch, examples)
    if updates is None:
        updates = _within(_EPOCHS * math.ceil(examples / batch), _UPDATES)
    return NetworkSizes(hidden=units, batch_size=batch, step_size=max(1, updates // 2))


def _within(value: int, bounds: tuple[int, int]) -> int:
    return min(max(value, bounds[0]), bounds[1])
