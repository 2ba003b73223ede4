"""A study whose tables had other values: what would be wrong with it.

Enters: a checked study, and values by table and key. Leaves: issues. Refuses to know why.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from lamsearch.errors import Issue
from lamsearch.study.checks import all_issues
from lamsearch.study.document import SECTIONS, Study
from lamsearch.study.reading import issues_of

Table = TypeVar("Table", bound=BaseModel)


def laid_over(table: Table, values: Mapping[str, Any]) -> Table:
    """Return a table with other values of some of its keys.

    Raises:
        ValidationError: One is none that the table may have.
    """
    if not values:
        return table
    return type(table).model_validate({**table.model_dump(), **values})


def issues_with(study: Study, tables: Mapping[str, Mapping[str, Any]]) -> Iterator[Issue]:
    """Yield what would be wrong with a study whose tables had these values."""
    sections = {key: getattr(study, key) for key in SECTIONS}
    for name, values in tables.items():
        if (table := sections.get(name)) is None:
            yield Issue(where=name, rule="is required where a key of it is searched")
            continue
        try:
            sections[name] = laid_over(table, values)
        except ValidationError as error:
            yield from issues_of(error, (name,), type(table))
    yield from all_issues(sections, cohort=study.cohort)
