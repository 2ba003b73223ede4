"""Damaged tables: what was read from a database and is not what lamsearch writes.

Enters: the mistakes that reading it makes. Leaves: one sentence of the one error family, with the
place in the code, for it may also be a fault there. Refuses to mend anything.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ConfigDict, FiniteFloat, TypeAdapter

from lamsearch.errors import StorageError, shown

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
    origin: str
    files: str
    created: FiniteFloat
    finished: FiniteFloat | None
    failure: str | None


_MISTAKES = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)


@contextmanager
def damage_is_said() -> Iterator[None]:
    """Turn the mistakes of whoever reads damaged tables into one sentence.

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


def believed(value: T) -> T:
    """Return a record of plain values that was made of what a database held, if its types fit.

    Raises:
        ValueError: One does not.
    """
    plain = asdict(cast("Any", value))
    return cast("T", _adapter(cast("Any", type(value))).validate_python(plain))


@cache
def _adapter(kind: type) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
