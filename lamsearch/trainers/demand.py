"""What training a cohort asks of a machine, as its trainer declares it.

Enters: sizes. Leaves: bytes and seconds, of a cohort of any number of models. Refuses to know any
machine: the seconds are those of a usual core, and only compare.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What models learn from: training examples, features that they see, classes (0: a quantity).

    ``examples`` is None where it is not known yet.
    """

    examples: int | None
    features: int
    classes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Memory and time of a cohort of K models: what all share, and what each adds.

    Args:
        shared_bytes: memory that a cohort of any size takes, the splits apart.
        model_bytes: memory that each of its models adds.
        shared_seconds: of an update, for a cohort of any size: calls, a mini-batch's gathering.
        model_seconds: of an update, that each model adds. Both are 0 where an update's cost is not
            known, or one model is trained after another.
    """

    shared_bytes: float = 0.0
    model_bytes: float = 0.0
    shared_seconds: float = 0.0
    model_seconds: float = 0.0

    def memory(self, models: int) -> float:
        """Return the bytes that a cohort of so many models takes."""
        return self.shared_bytes + models * self.model_bytes

    def seconds(self, models: float) -> float:
        """Return the seconds of an update of a cohort of so many models."""
        return self.shared_seconds + models * self.model_seconds
