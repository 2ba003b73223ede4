"""The study file: what one study is, from data to final model.

Enters: a TOML file (or its canonical dictionary). Leaves: a frozen, checked `Study`, or one error
with every mistake in it. Refuses to know what happens to a study later.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lamsearch.errors import InputError, Mistake, StudyFileError
from lamsearch.results import STAGES, StageName

NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
# Images, features and classes of the sources whose size is known before anything is read.
KNOWN_SOURCES = {"digits": (1797, 64, 10), "cifar10": (50_000, 3072, 10)}
CIFAR10_BATCH = 10_000

Positive = Annotated[int, Field(ge=1)]
Log10 = Annotated[float, Field(ge=-30.0, le=10.0)]
Interval = tuple[Log10, Log10]
Sampler = Literal["random", "stratified", "tpe"]
SampleEvery = Annotated[int, Field(ge=1)] | Literal["epoch", "cycle"]


class _Section(BaseModel):
    """What all sections share: frozen, strict types, unknown keys refused, no NaN."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    def mistakes(self) -> Iterator[Mistake]:
        """Yield what is wrong between keys that are each right."""
        yield from ()

    @model_validator(mode="before")
    @classmethod
    def _tuples(cls, data: Any) -> Any:
        # TOML has arrays only; in strict mode a tuple field would refuse them.
        if not isinstance(data, Mapping):
            return data
        return {key: tuple(v) if isinstance(v, list) else v for key, v in data.items()}


class Data(_Section):
    """Where the images come from and how the training pool is split.

    ``test`` is how many images are set aside as the test set where the source has none of its
    own (digits, people's arrays without ``X_test``); unless given, all that no split needs.
    """

    source: Annotated[str, Field(description="digits, cifar10, npz, or the path of an .npz file")]
    path: str | None = Field(None, description="the .npz file, where source is npz")
    train: Positive | None = Field(None, description="images to train on")
    validation: Positive | None = Field(None, description="images to select by")
    train_batches: tuple[Annotated[int, Field(ge=1, le=5)], ...] | None = None
    validation_batches: tuple[Annotated[int, Field(ge=1, le=5)], ...] | None = None
    test: Positive | None = Field(None, description="images set aside where the source has none")
    stratified: bool = Field(False, description="keep the classes' shares in every split")

    @property
    def kind(self) -> Literal["digits", "cifar10", "npz"]:
        """The kind of source, whichever way it was written."""
        return "npz" if self.source not in KNOWN_SOURCES else self.source  # type: ignore[return-value]  # a key of KNOWN_SOURCES is one of the two

    @property
    def npz_path(self) -> str | None:
        """The path of people's own arrays as the file gives it."""
        if self.kind != "npz":
            return None
        return self.path if self.source == "npz" else self.source

    def mistakes(self) -> Iterator[Mistake]:
        """Check the source, and that there is one complete way of splitting."""
        if self.kind == "npz" and self.source != "npz" and not self.source.endswith(".npz"):
            law = "must be digits, cifar10, npz, or a path that ends in .npz"
            yield Mistake(where="data.source", law=law, value=self.source)
        if self.source == "npz" and not self.path:
            yield Mistake(where="data.path", law="is required where source is npz")
        if self.source != "npz" and self.path is not None:
            law = "is only for source = 'npz'"
            yield Mistake(where="data.path", law=law, value=self.path)
        if self.kind == "cifar10" and self.test is not None:
            law = "must not be given: cifar10 has a test set of its own"
            yield Mistake(where="data.test", law=law, value=self.test)
        yield from self._batch_mistakes()
        yield from self._size_mistakes()

    def _batch_mistakes(self) -> Iterator[Mistake]:
        if (self.train_batches is None) != (self.validation_batches is None):
            law = "train_batches and validation_batches must be given together"
            yield Mistake(where="data", law=law)
        if self.train_batches is None or self.validation_batches is None:
            for key in ("train", "validation"):
                if getattr(self, key) is None and self.train_batches is None:
                    yield Mistake(where=f"data.{key}", law="is required")
            return
        both = self.train_batches + self.validation_batches
        if self.kind != "cifar10":
            law = "is only for cifar10"
            yield Mistake(where="data.train_batches", law=law, value=list(self.train_batches))
        if not self.train_batches or not self.validation_batches or len(set(both)) < len(both):
            law = "train_batches and validation_batches must be disjoint, without repeats, not empty"
            yield Mistake(where="data", law=law, value=list(both))
        for key in ("train", "validation"):
            if getattr(self, key) is not None:
                law = "must not stand beside train_batches"
                yield Mistake(where=f"data.{key}", law=law, value=getattr(self, key))

    def _size_mistakes(self) -> Iterator[Mistake]:
        if self.kind not in KNOWN_SOURCES or self.train is None or self.validation is None:
            return
        have = KNOWN_SOURCES[self.kind][0]
        test = self.test or (1 if self.kind == "digits" else 0)  # some must be left to test with
        parts = [("train", self.train), ("validation", self.validation), ("test", test)]
        total = sum(size for _, size in parts)
        if total > have:
            names = " + ".join(name for name, size in parts if size)
            law = f"{names} must be at most the {have} images of {self.source}"
            yield Mistake(where="data", law=law, value=total)


class Network(_Section):
    """The two-layer network."""

    hidden: Positive = Field(50, description="hidden units")


class Training(_Section):
    """Mini-batch SGD under a cyclical learning rate (Smith 2015, arXiv:1506.01186)."""

    batch_size: Positive = Field(100, description="images in a mini-batch")
    schedule: Literal["triangular", "triangular2", "exp_range"] = "triangular"
    eta_min: float = Field(1e-5, gt=0, description="the lowest learning rate")
    eta_max: float = Field(1e-1, gt=0, description="the highest learning rate")
    gamma: float = Field(1.0, gt=0, le=1, description="decay per update, for exp_range")
    step_size: Positive = Field(description="updates in half a cycle (n_s)")
    cycles: Positive = Field(1, description="cycles of 2 * step_size updates")
    sample_every: SampleEvery = Field(
        "epoch", description="where curves are sampled: every k updates, 'epoch' or 'cycle'"
    )

    @property
    def updates(self) -> int:
        """Updates of a whole training, 2 · step_size · cycles."""
        return 2 * self.step_size * self.cycles

    def mistakes(self) -> Iterator[Mistake]:
        """Check the two learning rates against each other."""
        if self.eta_min > self.eta_max:
            law = f"must be at most eta_max = {self.eta_max!r}"
            yield Mistake(where="training.eta_min", law=law, value=self.eta_min)


class _Stage(_Section):
    """Overrides of [training] that every stage may carry."""

    batch_size: Positive | None = None
    schedule: Literal["triangular", "triangular2", "exp_range"] | None = None
    eta_min: float | None = Field(None, gt=0)
    eta_max: float | None = Field(None, gt=0)
    gamma: float | None = Field(None, gt=0, le=1)
    step_size: Positive | None = None
    cycles: Positive | None = None
    sample_every: SampleEvery | None = None


class _Search(_Stage):
    """A stage that draws candidates."""

    trials: Positive | None = Field(None, description="candidates to draw")
    log10_lambda: Interval | None = Field(None, description="bounds of log10 λ")
    sampler: Sampler = "random"
    values: tuple[Log10, ...] | None = Field(None, description="log10 λ of given candidates")

    def mistakes(self) -> Iterator[Mistake]:
        """Check that candidates are drawn or given, not both, from an interval that is one."""
        where = type(self).__name__.lower()
        if self.log10_lambda is not None and not self.log10_lambda[0] < self.log10_lambda[1]:
            law = "the lower bound must be below the upper one"
            value = list(self.log10_lambda)
            yield Mistake(where=f"{where}.log10_lambda", law=law, value=value)
        if self.values is None:
            if self.trials is None:
                yield Mistake(where=f"{where}.trials", law="is required")
            return
        if not self.values or len(set(self.values)) < len(self.values):
            law = "must hold at least one log10 λ, each once"
            yield Mistake(where=f"{where}.values", law=law, value=list(self.values))
        for key in ("trials", "log10_lambda"):
            if getattr(self, key) is not None:
                law = "must not stand beside values"
                yield Mistake(where=f"{where}.{key}", law=law, value=getattr(self, key))
        if "sampler" in self.model_fields_set:
            law = "must not stand beside values"
            yield Mistake(where=f"{where}.sampler", law=law, value=self.sampler)


class Coarse(_Search):
    """The first look over a wide interval."""


class Fine(_Search):
    """A second look, on the span of the best ``keep`` of coarse."""

    keep: Positive | None = Field(None, description="coarse candidates whose span is searched")


class Finalists(_Stage):
    """The best candidates again, at the final schedule, over fresh seeds."""

    keep: Positive = Field(4, description="candidates at most")
    replicates: Positive = Field(5, description="repetitions with seeds of their own")


class Final(_Stage):
    """The winner (or a given λ) trained for good; the only stage whose end opens the test set."""

    log10_lambda: Log10 | None = Field(None, description="λ where nothing is to be selected")
    train: Positive | None = Field(None, description="images to train on, instead of data.train")
    validation: Positive | None = Field(None, description="instead of data.validation")
    replicates: Positive = Field(5, description="repetitions with seeds of their own")
    test_curves: bool = Field(False, description="sample test curves; only where λ is given")


class Study(_Section):
    """A study file."""

    name: str = Field(pattern=f"^{NAME_PATTERN}$", max_length=100)
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)]
    cohort: Annotated[int, Field(ge=1, le=512)] = Field(8, description="trials trained together")
    data: Data
    network: Network = Network()
    training: Training
    coarse: Coarse | None = None
    fine: Fine | None = None
    finalists: Finalists | None = None
    final: Final | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        found = list(_all_mistakes({key: getattr(self, key) for key in SECTIONS}))
        if found:
            raise StudyFileError(found)
        return self

    @property
    def stages(self) -> tuple[StageName, ...]:
        """The stages that this study has, in their order."""
        return tuple(name for name in STAGES if getattr(self, name) is not None)

    @property
    def pool_size(self) -> int:
        """The images that the splits of all stages need; what is left may be the test set."""
        if self.data.train_batches is not None:
            return KNOWN_SOURCES["cifar10"][0]
        return max(sum(size or 0 for size in self.split_of(name)) for name in self.stages)

    @property
    def selects(self) -> bool:
        """Whether λ is to be selected (rather than given)."""
        return any(name != "final" for name in self.stages)

    def training_of(self, stage: StageName) -> Training:
        """Return [training] with the stage's overrides."""
        return _merged(self.training, getattr(self, stage))

    def split_of(self, stage: StageName) -> tuple[int | None, int | None]:
        """Return (train, validation) sizes of the stage; None where whole batches are named."""
        if stage == "final" and self.final is not None and self.data.train_batches is None:
            final, data = self.final, self.data
            return (final.train or data.train, final.validation or data.validation)
        return (self.data.train, self.data.validation)

    def validation_images(self, stage: StageName) -> int:
        """Return how many images the stage's validation accuracy is measured on."""
        if self.data.validation_batches is not None:
            return CIFAR10_BATCH * len(self.data.validation_batches)
        return self.split_of(stage)[1] or 0

    def canonical(self) -> dict[str, Any]:
        """Return the study as plain JSON values; defaults are written out, absent keys left out."""
        return self.model_dump(mode="json", exclude_none=True)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the canonical form."""
        text = json.dumps(self.canonical(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


SECTIONS: dict[str, type[_Section]] = {
    "data": Data, "network": Network, "training": Training,
    "coarse": Coarse, "fine": Fine, "finalists": Finalists, "final": Final,
}  # fmt: skip


def read_study(path: str | Path) -> Study:
    """Read and check a study file.

    Raises:
        InputError: The file is missing, unreadable or no TOML.
        StudyFileError: The file has mistakes; the error lists all of them as
            ``file: key: law, got value``.
    """
    path = Path(path)
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: must be UTF-8 text: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: must be TOML: {error}") from error
    return parse_study(document, where=str(path))


def parse_study(document: Mapping[str, Any], *, where: str = "study") -> Study:
    """Check a study given as a dictionary; ``where`` opens every line of the error."""
    found: list[Mistake] = []
    sections: dict[str, _Section | None] = {}
    for key, model in SECTIONS.items():
        if key in document:
            try:
                sections[key] = model.model_validate(document[key])
            except ValidationError as error:
                found += _from_pydantic(error, (key,), model)
    found += _all_mistakes({key: sections.get(key) for key in SECTIONS})
    top = {key: value for key, value in document.items() if key not in SECTIONS}
    if not any(name in document for name in STAGES):
        law = f"needs at least one stage of {', '.join(STAGES)}"
        found.append(Mistake(where="the file", law=law))
    try:
        study = Study.model_validate({**top, **{k: v for k, v in sections.items() if v is not None}})
    except StudyFileError:  # a StudyFileError carries only what _all_mistakes has found already
        study = None
    except ValidationError as error:
        broken = set(SECTIONS) & set(document)
        missing = [e for e in _from_pydantic(error, (), Study) if e.where not in broken]
        found = missing + found
        study = None
    if found or study is None:
        raise StudyFileError(
            Mistake(where=f"{where}: {m.where}", law=m.law, value=m.value) for m in found
        )
    return study


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return a line per key that differs between two canonical forms, ``key: old → new``."""
    before, after = dict(_flat(old)), dict(_flat(new))
    absent = "(absent)"
    return [
        f"{key}: {before.get(key, absent)} → {after.get(key, absent)}"
        for key in sorted(before.keys() | after.keys())
        if before.get(key, absent) != after.get(key, absent)
    ]


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a study file, for editors."""
    schema = Study.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _flat(document: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in document.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", json.dumps(value)


def _merged(training: Training, stage: _Stage) -> Training:
    keys = Training.model_fields.keys()
    overrides = {key: value for key in keys if (value := getattr(stage, key)) is not None}
    return training.model_copy(update=overrides)


def _all_mistakes(sections: Mapping[str, Any]) -> Iterator[Mistake]:
    """Yield what is wrong inside each section that parsed, and between those."""
    for section in sections.values():
        if section is not None:
            yield from section.mistakes()
    yield from _stage_mistakes(sections)
    yield from _training_mistakes(sections)
    yield from _final_mistakes(sections)


def _stage_mistakes(sections: Mapping[str, Any]) -> Iterator[Mistake]:
    coarse, fine, finalists = sections["coarse"], sections["fine"], sections["finalists"]
    if coarse is not None and coarse.values is None and coarse.log10_lambda is None:
        yield Mistake(where="coarse.log10_lambda", law="is required")
    if fine is not None and fine.values is None:
        if coarse is None and fine.log10_lambda is None:
            yield Mistake(where="fine.log10_lambda", law="is required where there is no [coarse]")
        if coarse is not None and fine.log10_lambda is not None:
            law = "must not be given after [coarse]: it is the span of coarse's best"
            yield Mistake(where="fine.log10_lambda", law=law, value=list(fine.log10_lambda))
    if fine is not None and fine.keep is not None and coarse is None:
        yield Mistake(where="fine.keep", law="needs a [coarse] stage", value=fine.keep)
    if coarse is not None and fine is not None and fine.keep is not None:
        count = coarse.trials or len(coarse.values or ())
        if fine.keep > count:
            law = f"must be at most the {count} candidates of coarse"
            yield Mistake(where="fine.keep", law=law, value=fine.keep)
    if finalists is not None and coarse is None and fine is None:
        yield Mistake(where="finalists", law="needs a [coarse] or [fine] stage to come from")


def _training_mistakes(sections: Mapping[str, Any]) -> Iterator[Mistake]:
    training, data = sections["training"], sections["data"]
    if training is None:
        return
    for name in STAGES:
        stage = sections[name]
        if stage is None:
            continue
        merged = _merged(training, stage)
        if merged.eta_min > merged.eta_max and training.eta_min <= training.eta_max:
            law = f"must be at most eta_max = {merged.eta_max!r}"
            yield Mistake(where=f"{name}.eta_min", law=law, value=merged.eta_min)
        size = None if data is None else _train_size(data, stage)
        if size is not None and merged.batch_size > size:
            where = f"{name if stage.batch_size else 'training'}.batch_size"
            law = f"must be at most the {size} training images of {name}"
            yield Mistake(where=where, law=law, value=merged.batch_size)


def _train_size(data: Data, stage: _Stage) -> int | None:
    if data.train_batches is not None:
        return CIFAR10_BATCH * len(data.train_batches)
    return getattr(stage, "train", None) or data.train


def _final_mistakes(sections: Mapping[str, Any]) -> Iterator[Mistake]:
    final, data = sections["final"], sections["data"]
    if final is None:
        return
    selects = any(sections[name] is not None for name in STAGES if name != "final")
    if final.log10_lambda is not None and selects:
        law = "must not be given where a stage selects λ"
        yield Mistake(where="final.log10_lambda", law=law, value=final.log10_lambda)
    if final.log10_lambda is None and not selects:
        yield Mistake(where="final.log10_lambda", law="is required where no stage selects λ")
    if final.test_curves and selects:
        law = "must be false where a stage selects λ: nothing before the end may read the test set"
        yield Mistake(where="final.test_curves", law=law, value=True)
    if data is None:
        return
    if data.train_batches is not None:
        for key in ("train", "validation"):
            if getattr(final, key) is not None:
                law = "must not stand beside data.train_batches"
                yield Mistake(where=f"final.{key}", law=law, value=getattr(final, key))
    elif data.kind in KNOWN_SOURCES:
        have = KNOWN_SOURCES[data.kind][0] - (data.test or (1 if data.kind == "digits" else 0))
        total = (final.train or data.train or 0) + (final.validation or data.validation or 0)
        if total > have and (final.train or final.validation):
            law = f"train + validation must be at most the {have} images of the training pool"
            yield Mistake(where="final", law=law, value=total)


def _from_pydantic(
    error: ValidationError, prefix: tuple[str, ...], model: type[BaseModel]
) -> list[Mistake]:
    found: dict[str, Mistake] = {}
    for item in error.errors(include_url=False, include_context=True):
        where, value = _place(prefix, item["loc"]), item["input"]
        if item["type"] == "missing":
            mistake = Mistake(where=where, law="is required")
        elif item["type"] == "extra_forbidden":
            mistake = Mistake(where=where, law=_unknown_key(str(item["loc"][-1]), model))
        else:
            mistake = Mistake(where=where, law=_law(item["type"], item["msg"], where), value=value)
        # a union reports one error per member: the key stands once, with all its laws
        if where in found:
            law = f"{found[where].law}, or {mistake.law.removeprefix('must be ')}"
            mistake = Mistake(where=where, law=law, value=mistake.value)
        found[where] = mistake
    return list(found.values())


def _place(prefix: tuple[str, ...], location: tuple[int | str, ...]) -> str:
    """Dotted key with array positions; names of union members are pydantic's own, not the file's."""
    place = ".".join(prefix)
    for part in location:
        if isinstance(part, int):
            place += f"[{part}]"
        elif re.fullmatch(r"[A-Za-z0-9_]+", part) and part not in {"int", "float", "str"}:
            place += f".{part}" if place else part
    return place or "the file"


def _unknown_key(key: str, model: type[BaseModel]) -> str:
    close = difflib.get_close_matches(key, model.model_fields, n=1)
    return "unknown key" + (f"; did you mean {close[0]}?" if close else "")


def _law(kind: str, message: str, where: str) -> str:
    if kind == "string_pattern_mismatch" and where == "name":
        return "must be a file name of letters, digits, '.', '_' and '-', not starting with a sign"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return "must be a table"
    if kind == "finite_number":
        return "must be finite"
    words = {
        "Input should be a valid integer": "must be a whole number",
        "Input should be a valid number": "must be a number",
        "Input should be a valid string": "must be a string",
        "Input should be a valid boolean": "must be true or false",
        "Input should be a valid tuple": "must be an array",
        "greater than or equal to": "at least",
        "less than or equal to": "at most",
        "greater than": "above",
        "less than": "below",
        "Input should be": "must be",
        "Field required": "is missing a value",
    }
    for old, new in words.items():
        message = message.replace(old, new)
    return message
