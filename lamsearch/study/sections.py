"""What all tables of a study file share, and those that say what is trained and how: [trainer],
[network], [training]. Those of the stages stand in `stages`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
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
from lamsearch.results import Activation

NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"  # of a study
MOST = 2**31 - 1  # what a database's whole numbers hold
Positive = Annotated[int, Field(ge=1, le=MOST)]
Rate = Annotated[float, Field(gt=0, le=1e10)]  # float32 holds none beyond 3.4e38
MOST_LAYERS = 32  # hidden ones
Share = Annotated[float, Field(ge=0, lt=1)]
OptimiserName = Literal["sgd", "momentum", "nesterov", "adam", "adamw"]


SampleEvery = Positive | Literal["epoch", "cycle"]


class Section(BaseModel):
    """What all sections share: frozen, strict types, unknown keys refused, no NaN."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", allow_inf_nan=False,
        defer_build=True,  # who reads no study file is spared the time
    )  # fmt: skip

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
    schedule: Literal["triangular", "triangular2", "exp_range"] = Field(
        "triangular", description="how the learning rate goes up and down (Smith 2015)"
    )
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
