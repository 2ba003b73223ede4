"""How a study is laid out that suits so many examples.

Enters: what was found in data. Leaves: numbers. They follow what was measured: the layouts of
`docs/selection.md`, for few examples and for many, and the schedules of the studies that come with
lamsearch.
"""

from __future__ import annotations

from dataclasses import dataclass

from lamsearch.drafting.examined import Examined
from lamsearch.errors import DataError

LEAST = 10  # examples
_FEW = 2000  # examples, below which one split says too little of a λ
_MOST_SCORED = 10_000  # examples that validate, or test
_WIDE = 200  # features: a quantity is then learned at lower rates
_TALL = 500  # features of images, for which more units are worth their time


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A study's sizes, schedule and search; ``few`` says that examples are."""

    few: bool
    train: int
    validation: int
    test: int | None
    final_train: int
    final_validation: int
    hidden: int
    batch_size: int
    eta_max: float
    step_size: int
    cycles: int
    interval: tuple[float, float]
    coarse: int
    fine: int
    keep: int

    @property
    def epochs(self) -> float:
        """How often a training sees each of its examples."""
        return 2 * self.step_size * self.cycles * self.batch_size / self.train


def layout(found: Examined, where: str) -> Layout:
    """Return the layout for what was found; ``where`` opens the sentence.

    Raises:
        DataError: There are too few examples to train, select and test with.
    """
    examples = found.examples
    if examples < LEAST:
        raise DataError(f"{where}: must have at least {LEAST} examples, got {examples}")
    few, regression = examples < _FEW, found.task == "regression"
    test = None if found.own_test else min(_MOST_SCORED, examples // 5)
    pool = examples - (test or 0)
    validation = min(_MOST_SCORED, pool // 4 if few else pool // 5)
    train = pool - validation
    batch = _batch(train)
    last = max(1, pool // 10)
    return Layout(
        few=few, train=train, validation=validation, test=test,
        final_train=pool - last, final_validation=last,
        hidden=20 if few else 100 if found.features >= _TALL else 50,
        batch_size=batch,
        eta_max=_rate(found.features) if regression else 0.1,
        step_size=min(2000, max(100, (20 if few else 4) * (train // batch))),
        cycles=3 if few else 2,
        interval=_interval(few=few, regression=regression),
        coarse=16 if few else 12, fine=16 if few else 8, keep=4 if few else 3,
    )  # fmt: skip


def _batch(train: int) -> int:
    """The size of mini-batches: some ten of them and more in an epoch, where there is enough."""
    known = ((50_000, 200), (1000, 100), (300, 50), (60, 20))
    return next((size for least, size in known if train >= least), max(1, train // 4))


def _rate(features: int) -> float:
    """The highest rate at which squared errors are descended; many features make them steeper."""
    return 0.05 if features < _WIDE else 0.01


def _interval(*, few: bool, regression: bool) -> tuple[float, float]:
    """Bounds of log10 λ: the fewer examples, the larger the best one."""
    if regression:
        return (-5.0, 1.0)
    return (-4.0, 0.5) if few else (-6.0, -1.0)
