"""The tables of a study file, each with the checks between its own keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    Tag,
    field_validator,
    model_serializer,
    model_validator,
)

from lamsearch.errors import Issue
from lamsearch.registries import checked
from lamsearch.results import Activation
from lamsearch.space import Bounds, Point
from lamsearch.study.samplers import SAMPLERS
from lamsearch.study.spaces import bounds_of, space_issues

MOST = 2**31 - 1  # what a database's whole numbers hold
Positive = Annotated[int, Field(ge=1, le=MOST)]
Rate = Annotated[float, Field(gt=0, le=1e10)]  # float32 holds none beyond 3.4e38
MOST_LAYERS = 32  # hidden ones
LEAST_WIDTH = 1e-6  # of an interval of log10 λ
Share = Annotated[float, Field(ge=0, lt=1)]
LEAST_SNAPSHOTS, MOST_SNAPSHOTS = 2, 100  # cycle ends: the mean of one is that one
OptimiserName = Literal["sgd", "momentum", "nesterov", "adam", "adamw"]
Log10 = Annotated[float, Field(ge=-30.0, le=10.0)]
Interval = tuple[Log10, Log10]


def _known_sampler(name: str) -> str:
    def rule(names: tuple[str, ...]) -> str:
        *most, last = map(repr, names)
        return f"must be {', '.join(most)} or {last}"

    return checked(SAMPLERS, name, rule)


Sampler = Annotated[str, AfterValidator(_known_sampler)]
SampleEvery = Positive | Literal["epoch", "cycle"]


class Section(BaseModel):
    """What all sections share: frozen, strict types, unknown keys refused, no NaN."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    # Defaults that the canonical form writes out, as the first fingerprints had them. It leaves
    # out those of keys that came later, so that studies of before keep their fingerprints.
    written: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _canonical(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = type(self).model_fields
        spare = {
            key
            for key, field in fields.items()
            if key not in self.written
            and not field.is_required()
            and getattr(self, key) == field.get_default(call_default_factory=True)
        }
        return {key: value for key, value in write(self).items() if key not in spare}

    def issues(self) -> Iterator[Issue]:
        """Yield what is wrong between keys that are each right."""
        yield from ()

    @model_validator(mode="before")
    @classmethod
    def _tuples(cls, data: Any) -> Any:
        # TOML has arrays only; in strict mode a tuple field would refuse them.
        if not isinstance(data, Mapping):
            return data
        return {key: tuple(v) if isinstance(v, list) else v for key, v in data.items()}


class Trainer(Section):
    """What trains the candidates. Keys other than ``name`` are the trainer's own, and it checks
    them."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, JsonValue] = Field(init=False)

    name: str = Field("network", description="a registered trainer", max_length=50)

    @property
    def options(self) -> dict[str, JsonValue]:
        """The trainer's own keys."""
        return dict(self.__pydantic_extra__)

    @model_validator(mode="before")
    @classmethod
    def _tuples(cls, data: Any) -> Any:
        return data  # options keep their arrays


def _of_hidden(value: object) -> str:
    # pydantic puts a member's tag into an error's location; those of types are left out there
    return "list[int]" if isinstance(value, tuple) else "int"


Units = Annotated[tuple[Positive, ...], Field(max_length=MOST_LAYERS)]
Hidden = Annotated[
    Annotated[Positive, Tag("int")] | Annotated[Units, Tag("list[int]")], Discriminator(_of_hidden)
]


class Network(Section):
    """The built-in trainer's network: fully connected layers."""

    written = frozenset({"hidden"})

    hidden: Hidden = Field(
        50, description="hidden units, or a list of those of each hidden layer; [] is linear"
    )
    activation: Activation = Field("relu", description="of every hidden layer")
    initialisation: Literal["scaled", "he"] = Field(
        "scaled", description="deviation of initial weights: 1/√fan-in, or he: √(2/fan-in)"
    )
    batch_norm: bool = Field(False, description="normalise over the mini-batch before activations")
    dropout: Share = Field(0.0, description="share of hidden activations dropped in training")
    input_dropout: Share = Field(0.0, description="share of inputs dropped in training")

    @property
    def units(self) -> tuple[int, ...]:
        """The units of each hidden layer."""
        return (self.hidden,) if isinstance(self.hidden, int) else self.hidden

    @field_validator("hidden", mode="after")
    @classmethod
    def _one_layer(cls, hidden: int | tuple[int, ...]) -> int | tuple[int, ...]:
        # [50] and 50 are the same network, and must have the same fingerprint
        return hidden[0] if isinstance(hidden, tuple) and len(hidden) == 1 else hidden


class Training(Section):
    """Mini-batches under a cyclical learning rate (Smith 2015, arXiv:1506.01186)."""

    written = frozenset(
        {"batch_size", "schedule", "eta_min", "eta_max", "gamma", "cycles", "sample_every"}
    )

    batch_size: Positive = Field(100, description="images in a mini-batch")
    schedule: Literal["triangular", "triangular2", "exp_range"] = "triangular"
    eta_min: Rate = Field(1e-5, description="the lowest learning rate")
    eta_max: Rate = Field(1e-1, description="the highest learning rate")
    gamma: float = Field(1.0, gt=0, le=1, description="decay per update, for exp_range")
    step_size: Positive = Field(description="updates in half a cycle (n_s)")
    cycles: Positive = Field(1, description="cycles of 2 * step_size updates")
    sample_every: SampleEvery = Field(
        "epoch", description="where curves are sampled: every k updates, 'epoch' or 'cycle'"
    )
    optimiser: OptimiserName = Field("sgd", description="how weights are stepped")
    momentum: Share = Field(0.9, description="of momentum and nesterov; Adam's first decay, β1")
    beta2: Share = Field(0.999, description="Adam's second decay")
    epsilon: float = Field(1e-8, gt=0, le=1, description="Adam's ε, beside √ŝ")

    @property
    def updates(self) -> int:
        """Updates of a whole training, 2 · step_size · cycles."""
        return 2 * self.step_size * self.cycles

    def issues(self) -> Iterator[Issue]:
        """Check the two learning rates against each other."""
        if self.eta_min > self.eta_max:
            rule = f"must be at most eta_max = {self.eta_max!r}"
            yield Issue(where="training.eta_min", rule=rule, value=self.eta_min)


OPTIMISER_KEYS = ("optimiser", "momentum", "beta2", "epsilon")


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


class Coarse(Search):
    """The first look over a wide interval."""


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
    train: Positive | None = Field(None, description="images to train on, instead of data.train")
    validation: Positive | None = Field(None, description="instead of data.validation")
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
