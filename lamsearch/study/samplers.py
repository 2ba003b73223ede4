"""Samplers by name: how candidates are drawn from the bounds of a search.

Enters: a name. Leaves: what is registered under it. Another package adds one by an entry point of
the group ``lamsearch.samplers``. Refuses to draw.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lamsearch import registries
from lamsearch.registries import Registry

# number of candidates, dimensions, generator → shares (count, dimensions) of the bounds, in [0, 1)
Draw = Callable[[int, int, np.random.Generator], npt.NDArray[np.float64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampler:
    """How candidates are drawn; ``draw`` is None where each is chosen as its trial begins."""

    name: str
    draw: Draw | None


SAMPLERS: Registry[Sampler] = Registry(
    "lamsearch.samplers", registries.SAMPLERS, rule="a lamsearch.study.samplers.Sampler",
    fits=lambda found: isinstance(found, Sampler),
)  # fmt: skip
