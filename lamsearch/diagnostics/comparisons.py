"""What a gradient check found: comparisons of arrays with two oracles, and the worst of them.

Enters: errors. Leaves: records that say whether they passed. Refuses to know how gradients are
made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

CENTRAL_TOLERANCE = 1e-7
ORACLE_TOLERANCE = 1e-10
KINDS = ("W", "b", "gamma")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One parameter array of one model against both oracles.

    ``models`` is the K of the stack that the model stood in. Errors are max|a − n| / max|a|,
    infinite where the gradient has a value that is not finite. ``entries`` were compared with
    central differences; ``kinks`` were left out there. All were compared with the complex step.
    """

    array: str
    lam: float
    batch_size: int
    seed: int
    models: int
    central_error: float
    oracle_error: float
    entries: int
    kinks: int

    @property
    def passed(self) -> bool:
        """Whether something was compared and both errors are below their tolerances."""
        central = self.central_error < CENTRAL_TOLERANCE
        return central and self.oracle_error < ORACLE_TOLERANCE and self.entries > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The worst of all seeds and stacks for one array, λ and batch size; counts are sums."""

    array: str
    lam: float
    batch_size: int
    central_error: float
    oracle_error: float
    entries: int
    kinks: int
    passed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All comparisons of one gradient check."""

    comparisons: tuple[Comparison, ...]

    @property
    def passed(self) -> bool:
        """Whether there are comparisons and all of them passed."""
        return bool(self.comparisons) and all(one.passed for one in self.comparisons)

    def rows(self) -> tuple[Row, ...]:
        """Return the comparisons worst-case per (array, λ, batch size), as first met."""
        groups: dict[tuple[str, float, int], list[Comparison]] = {}
        for one in self.comparisons:
            groups.setdefault((one.array, one.lam, one.batch_size), []).append(one)
        ordered = sorted(groups, key=lambda key: order(key[0]))
        return tuple(_row(groups[key]) for key in ordered)


def order(name: str) -> tuple[int, int]:
    """Arrays layer by layer, in each the weights first."""
    kind = name.rstrip("0123456789")
    return int(name.removeprefix(kind)), KINDS.index(kind)


def _row(group: Sequence[Comparison]) -> Row:
    return Row(
        array=group[0].array,
        lam=group[0].lam,
        batch_size=group[0].batch_size,
        central_error=max(one.central_error for one in group),
        oracle_error=max(one.oracle_error for one in group),
        entries=sum(one.entries for one in group),
        kinks=sum(one.kinks for one in group),
        passed=all(one.passed for one in group),
    )
