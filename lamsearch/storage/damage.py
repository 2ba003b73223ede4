"""Damaged tables: what was read from a database and is not what lamsearch writes.

Enters: the issues that reading it makes. Leaves: one sentence of the one error family, with the
place in the code, for it may also be a fault there. Refuses to mend anything.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from functools import cache
from pathlib import Path
from typing import Any, Literal, Self, TypeVar, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    NonNegativeInt,
    TypeAdapter,
    model_validator,
)

from lamsearch.errors import StorageError, shown
from lamsearch.metrics import metric_of
from lamsearch.space import Space
from lamsearch.storage.documents import metric_name

T = TypeVar("T")


class _StudyRow(BaseModel):
    """A study's row, for the types of its columns; SQLite keeps anything in any column."""

    model_config = ConfigDict(strict=True, extra="ignore")
    name: str
    document: dict[str, Any]
    fingerprint: str
    data_fingerprint: str
    validation_images: dict[str, int]
    classes: list[str]
    origin: str = Field(pattern=r"\A[^\x00]*\z")  # a path has no NUL
    files: str
    created: FiniteFloat
    finished: FiniteFloat | None
    failure: str | None
    halted: Literal["paused", "cancelled"] | None
    priority: int
    started: FiniteFloat | None
    paused_at: FiniteFloat | None
    paused_seconds: FiniteFloat
    search_ended: str | None
    expected_updates: FiniteFloat | None

    @model_validator(mode="after")
    def _classes_fit(self) -> Self:
        """Only where a quantity is predicted there are no classes."""
        if not self.classes and metric_of(metric_name(self.document)).task == "classification":
            raise ValueError("classes must be there where they are what is told apart")
        return self


class _CohortRow(BaseModel):
    """A cohort's row, for what a worker computes with."""

    model_config = ConfigDict(strict=True, extra="ignore")
    stage: Literal["coarse", "fine", "finalists", "final", "test"]
    number: NonNegativeInt
    replicate: NonNegativeInt
    trials: list[Any]
    token: NonNegativeInt
    takeovers: NonNegativeInt
    total: NonNegativeInt


class _Planned(BaseModel):
    """One planned trial of a cohort."""

    model_config = ConfigDict(strict=True)
    trial: NonNegativeInt
    candidate: NonNegativeInt
    point: list[FiniteFloat] | None


# Optuna asserts what it reads of its tables.
_MISTAKES = (
    ValueError, TypeError, LookupError, AttributeError, ArithmeticError, AssertionError
)  # fmt: skip


@contextmanager
def damage_is_said() -> Iterator[None]:
    """Turn the issues of whoever reads damaged tables into one sentence.

    Raises:
        StorageError: There was one.
    """
    try:
        yield
    except _MISTAKES as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(last.filename).name}:{last.lineno}"
        raise StorageError(
            "storage: the tables hold what lamsearch did not write, or it has a fault "
            f"({type(error).__name__} in {where}: {shown(str(error))})"
        ) from error


def check_row(row: Mapping[Any, Any]) -> None:
    """Look whether the columns of a study's row have their types.

    Raises:
        ValueError: One has not.
    """
    _StudyRow.model_validate(dict(row))


def check_cohort(row: Mapping[Any, Any]) -> None:
    """Look whether the columns of a cohort's row have their types.

    Raises:
        ValueError: One has not.
    """
    for trial, candidate, value in _CohortRow.model_validate(dict(row)).trials:
        _Planned(trial=trial, candidate=candidate, point=value)


def check_points(entries: Sequence[Sequence[Any]], space: Space) -> None:
    """Look whether the points of a cohort's trials are of a space.

    Raises:
        ValueError: One is not.
        ArithmeticError: A value at one is beyond all numbers.
    """
    for *_, coordinates in entries:
        if coordinates is not None:
            space.check(tuple(coordinates))


def believed(value: T, *, deep: bool = True) -> T:
    """Return a record of plain values that was made of what a database held, if its types fit.

    Unless ``deep``, records in it are taken as they are: they have been looked at before.

    Raises:
        ValueError: One does not.
    """
    record = cast("Any", value)
    plain = (
        asdict(record) if deep else {one.name: getattr(record, one.name) for one in fields(record)}
    )
    return cast("T", _adapter(cast("Any", type(value))).validate_python(plain))


@cache
def _adapter(kind: type) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
