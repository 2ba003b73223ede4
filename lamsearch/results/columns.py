"""The columns of a table as features: what a trained model's inputs mean.

Enters: names, and of a category its values. Leaves: records, and the JSON that models and results
carry, from which they can be read back. Refuses to know the table's rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column: a number, one feature; or a category, one feature for each of its ``categories``.

    The feature of a category is 1 in the rows that have it, else 0 (one-hot). A row whose category
    is missing, or none of these, is 0 in all of them.
    """

    name: str
    categories: tuple[str, ...] | None = None

    @property
    def width(self) -> int:
        """How many features it makes."""
        return 1 if self.categories is None else len(self.categories)


def columns_document(columns: Iterable[Column]) -> list[dict[str, Any]]:
    """Return columns, in the order of their features, as plain JSON values."""
    return [
        {"name": one.name, "kind": "number"}
        if one.categories is None
        else {"name": one.name, "kind": "category", "categories": list(one.categories)}
        for one in columns
    ]


def columns_from(document: object) -> tuple[Column, ...]:
    """Return the columns of what `columns_document` returned.

    Raises:
        ValueError: It is not of that form.
    """
    if not isinstance(document, Sequence) or isinstance(document, str):
        raise ValueError("columns must be a list")
    return tuple(_column(one) for one in document)


def _column(document: object) -> Column:
    keys = document.keys() if isinstance(document, dict) else set()
    if isinstance(document, dict) and isinstance(name := document.get("name"), str):
        if keys == {"name", "kind"} and document["kind"] == "number":
            return Column(name=name)
        if keys == {"name", "kind", "categories"} and document["kind"] == "category":
            found = document["categories"]
            if isinstance(found, list) and all(isinstance(one, str) for one in found):
                return Column(name=name, categories=tuple(found))
    raise ValueError(f"a column must be a number or a category, got {str(document)[:200]}")
