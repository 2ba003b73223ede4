"""Sizes of splits: whole numbers of examples, or shares of those that there are.

Enters: the keys of tables that are sizes, and how many examples a source has. Leaves: whole
numbers, or issues. The one place where a share becomes a number; refuses to know which examples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, Discriminator, Tag, WithJsonSchema

from lamsearch.errors import Issue
from lamsearch.study.sections import Positive

SIZED = ("data", "final")  # the tables that have sizes
SIZES = ("train", "validation", "test")  # their keys that are sizes

Table = TypeVar("Table", bound=BaseModel)


def _between(share: float) -> float:
    if not 0 < share < 1:
        raise ValueError("must be a whole number, or a share between 0 and 1")
    return share


def _of_size(value: object) -> str:
    # pydantic puts a member's tag into an error's location; those of types are left out there
    return "float" if isinstance(value, float) else "int"


_BOUNDS = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}
Part = Annotated[float, AfterValidator(_between), WithJsonSchema(_BOUNDS)]
Size = Annotated[
    Annotated[Positive, Tag("int")] | Annotated[Part, Tag("float")], Discriminator(_of_size)
]


def number_of(size: float, examples: int) -> int:
    """Return how many of the examples a size is: a share's are rounded down.

    The share counts as the decimal number that is written: 0.29 of 100 examples are 29, though
    the nearest binary number lies below it.
    """
    return size if isinstance(size, int) else int(Fraction(repr(size)) * examples)


def has_shares(table: BaseModel | None) -> bool:
    """Whether some size of a table is a share."""
    return any(isinstance(getattr(table, key, None), float) for key in SIZES)


def _in_numbers(table: Table, examples: int) -> Table:
    """Return a table whose shares are whole numbers of the examples."""
    found = {
        key: number_of(value, examples)
        for key in SIZES
        if isinstance(value := getattr(table, key, None), float)
    }
    return table.model_copy(update=found) if found else table


def numbered(
    tables: Mapping[str, Table | None], examples: int, source: str
) -> tuple[list[Issue], dict[str, Table]]:
    """Return what is wrong with the shares of [data] and [final], and these in whole numbers.

    ``tables`` are those of a study by name; there are no numbers where something is wrong.
    """
    own = {key: table for key in SIZED if (table := tables[key]) is not None}
    found = [
        one for key, table in own.items() for one in _share_issues(key, table, examples, source)
    ]
    return found, {} if found else {key: _in_numbers(one, examples) for key, one in own.items()}


def _share_issues(where: str, table: BaseModel, examples: int, source: str) -> Iterator[Issue]:
    """Yield a table's shares that are not even one of the examples."""
    for key in SIZES:
        value = getattr(table, key, None)
        if isinstance(value, float) and number_of(value, examples) == 0:
            rule = f"must be at least one of the {examples} examples of {source}"
            yield Issue(where=f"{where}.{key}", rule=rule, value=value)


def whole(table: BaseModel) -> Fraction:
    """Return the sum of a table's shares, as they are written."""
    values = (getattr(table, key, None) for key in SIZES)
    return sum((Fraction(repr(one)) for one in values if isinstance(one, float)), Fraction(0))
