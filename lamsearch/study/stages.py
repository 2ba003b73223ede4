"""The tables of the stages: what overrides [training], what is searched, who is chosen, the final.

Enters: their keys. Leaves: frozen tables, or issues between a table's own keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue

from lamsearch.errors import Issue
from lamsearch.registries import checked
from lamsearch.space import LAMBDA, Bounds, Point
from lamsearch.study.samplers import SAMPLERS
from lamsearch.study.sections import (
    NAME_PATTERN,
    OptimiserName,
    Positive,
    Rate,
    SampleEvery,
    Section,
    Share,
)
from lamsearch.study.shares import Size
from lamsearch.study.spaces import bounds_of, space_issues

LEAST_WIDTH = 1e-6  # of an interval of log10 λ
LEAST_SNAPSHOTS, MOST_SNAPSHOTS = 2, 100  # cycle ends: the mean of one is that one
Log10 = Annotated[float, Field(ge=-30.0, le=10.0)]
Interval = tuple[Log10, Log10]


def _known_sampler(name: str) -> str:
    def rule(names: tuple[str, ...]) -> str:
        *most, last = map(repr, names)
        return f"must be {', '.join(most)} or {last}"

    return checked(SAMPLERS, name, rule)


Sampler = Annotated[str, AfterValidator(_known_sampler)]


class Stage(Section):
    """Overrides of [training] that every stage may carry."""

    batch_size: Positive | None = None
    schedule: Literal["triangular", "triangular2", "exp_range"] | None = None
    eta_min: Rate | None = None
    eta_max: Rate | None = None
    gamma: float | None = Field(None, gt=0, le=1)
    step_size: Positive | None = None
    cycles: Positive | None = None
    sample_every: SampleEvery | None = None
    optimiser: OptimiserName | None = None
    momentum: Share | None = None
    beta2: Share | None = None
    epsilon: float | None = Field(None, gt=0, le=1)
    components: Positive | None = Field(None, description="instead of data.components")


class Axis(Section):
    """How one further parameter is searched: one of these."""

    log: tuple[float, float] | None = Field(None, description="bounds, even in log10 of the value")
    uniform: tuple[float, float] | None = Field(None, description="bounds, even in the value")
    integer: tuple[int, int] | None = Field(None, description="bounds of a whole number, included")
    choice: tuple[JsonValue, ...] | None = Field(None, description="values, without an order")


def lambda_of(stage: Stage) -> Any:
    """Return what a stage says of log10 λ: bounds, one value, or None."""
    return getattr(stage, LAMBDA.name, None)


class Search(Stage):
    """A stage that draws candidates."""

    written = frozenset({"sampler", "halving"})

    trials: Positive | None = Field(None, description="candidates to draw")
    log10_lambda: Interval | None = Field(None, description="bounds of log10 λ")
    sampler: Sampler = Field(
        "random", description="a registered sampler",
        json_schema_extra={"enum": list(SAMPLERS.builtin)},
    )  # fmt: skip
    values: tuple[Log10, ...] | None = Field(None, description="log10 λ of given candidates")
    halving: bool = Field(
        False, description="the worse half of each cohort leaves after cycle 1, and after cycle 2"
    )
    space: dict[str, Axis] = Field(
        {}, description="further parameters of the trainer that are searched, by name"
    )

    @property
    def bounds(self) -> Bounds | None:
        """The bounds that candidates are drawn within, None where none are given."""
        return None if self.log10_lambda is None else (self.log10_lambda, *bounds_of(self.axes))

    @property
    def axes(self) -> dict[str, dict[str, Any]]:
        """The further parameters as plain values, as a canonical form has them."""
        return {name: axis.model_dump(mode="json") for name, axis in self.space.items()}

    @property
    def points(self) -> tuple[Point, ...] | None:
        """The given candidates, None where they are drawn."""
        return None if self.values is None else tuple((value,) for value in self.values)

    def issues(self) -> Iterator[Issue]:
        """Check that candidates are drawn or given, not both, from an interval that is one."""
        where = type(self).__name__.lower()
        yield from self._interval_issues(f"{where}.log10_lambda")
        yield from space_issues(f"{where}.space", self.axes)
        if self.values is None:
            if self.trials is None:
                yield Issue(where=f"{where}.trials", rule="is required")
            return
        if not self.values or len(set(self.values)) < len(self.values):
            rule = "must hold at least one log10 λ, each once"
            yield Issue(where=f"{where}.values", rule=rule, value=list(self.values))
        for key in ("trials", "log10_lambda"):
            if getattr(self, key) is not None:
                rule = "must not stand beside values"
                yield Issue(where=f"{where}.{key}", rule=rule, value=getattr(self, key))
        if self.sampler != "random":  # the default may be written out
            rule = "must not stand beside values"
            yield Issue(where=f"{where}.sampler", rule=rule, value=self.sampler)
        if self.space:
            rule = "must not stand beside values, which are log10 λ alone"
            yield Issue(where=f"{where}.space", rule=rule, value=sorted(self.space))

    def _interval_issues(self, where: str) -> Iterator[Issue]:
        if self.log10_lambda is None:
            return
        low, high = self.log10_lambda
        rule = ""
        if not low < high:
            rule = "the lower bound must be below the upper one"
        elif high - low < LEAST_WIDTH:
            rule = (
                f"the bounds must be at least {LEAST_WIDTH:g} apart, as float32's values of λ are"
            )
        if rule:
            yield Issue(where=where, rule=rule, value=[low, high])


def _as_tuples(value: object) -> object:
    """Arrays in arrays as tuples, which a strict model asks for."""
    return tuple(map(_as_tuples, value)) if isinstance(value, (list, tuple)) else value


Observed = Annotated[tuple[tuple[tuple[float, ...], ...], ...], BeforeValidator(_as_tuples)]


class Coarse(Search):
    """The first look over a wide interval, and what another study has seen of it.

    ``prior`` has for each stage of the study named in ``start_from`` a row for each candidate: its
    coordinates, its mean score, the variance of that. Planning writes it, so that the answer stays
    the same whatever becomes of that study.
    """

    start_from: str | None = Field(
        None, pattern=f"^{NAME_PATTERN}$", max_length=100,
        description="a study in the same storage whose scores the model's rule starts from",
    )  # fmt: skip
    prior: Observed | None = Field(
        None, description="what start_from was planned with; written by planning"
    )

    def issues(self) -> Iterator[Issue]:
        """Check as every search, and that what was seen is seen in this space."""
        yield from super().issues()
        if self.prior is None:
            return
        if self.start_from is None:
            rule = "must not be given without start_from"
            yield Issue(where="coarse.prior", rule=rule, value="…")
        width = len(self.space) + 3  # λ, the further coordinates, mean, variance
        if not self.prior or not all(
            stage and all(len(row) == width and row[-1] > 0 for row in stage)
            for stage in self.prior
        ):
            rule = f"must hold rows of {width} numbers by stage, the last of them above 0"
            yield Issue(where="coarse.prior", rule=rule, value="…")


class Fine(Search):
    """A second look, on the span of the best ``keep`` of coarse."""

    written = Search.written | {"rounds", "extend"}

    keep: Positive | None = Field(None, description="candidates whose span is searched next")
    rounds: Positive = Field(1, description="after the first, each on the span of the best so far")
    extend: bool = Field(False, description="go on past the edge while the best is the outermost")

    @property
    def kept(self) -> int:
        """``keep``, or its default."""
        return self.keep or 3

    def issues(self) -> Iterator[Issue]:
        """Check as every search, and that given candidates are all there is."""
        yield from super().issues()
        if self.values is None:
            return
        rule = "must not stand beside values"
        if self.rounds > 1:
            yield Issue(where="fine.rounds", rule=rule, value=self.rounds)
        if self.extend:
            yield Issue(where="fine.extend", rule=rule, value=True)


class Finalists(Stage):
    """The best candidates again, at the final schedule, over fresh seeds."""

    written = frozenset({"keep", "replicates", "extend", "rounds", "rule"})

    keep: Positive = Field(4, description="candidates at most")
    replicates: Positive = Field(5, description="repetitions with seeds of their own")
    extend: bool = Field(False, description="try further λs while the best one is the outermost")
    rounds: Positive = Field(1, description="after the first, a model proposes `keep` further λs")
    rule: Literal["best", "one_standard_error", "model"] = Field(
        "best", description="how the winner is chosen from the finalists"
    )


class Final(Stage):
    """The winner (or a given λ) trained for good; the only stage whose end opens the test set."""

    written = frozenset({"replicates", "test_curves"})

    log10_lambda: Log10 | None = Field(None, description="λ where nothing is to be selected")
    train: Size | None = Field(None, description="examples to train on, instead of data.train")
    validation: Size | None = Field(None, description="instead of data.validation")
    replicates: Positive = Field(5, description="repetitions with seeds of their own")
    test_curves: bool = Field(False, description="sample test curves; only where λ is given")
    snapshots: bool | Annotated[int, Field(ge=LEAST_SNAPSHOTS, le=MOST_SNAPSHOTS)] = Field(
        False,
        description="test means over cycle ends too: over all but the first (of two cycles both), "
        "or over so many of the last",
    )

    @property
    def point(self) -> Point | None:
        """The given point, None where one is to be selected."""
        return None if self.log10_lambda is None else (self.log10_lambda,)

    def snapshot_cycles(self, cycles: int) -> tuple[int, ...]:
        """Return which of ``cycles`` have their ends averaged; none unless that is asked for.

        The last is always among them (Huang et al. 2017, arXiv:1704.00109).
        """
        if self.snapshots is False:
            return ()
        count = max(LEAST_SNAPSHOTS, cycles - 1) if self.snapshots is True else self.snapshots
        return tuple(range(cycles - count + 1, cycles + 1))
