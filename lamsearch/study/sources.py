"""Which source a [data] table names, and so whose table it is.

Enters: a table as it stands in a study file. Leaves: the registered source's own kind of table,
which checks the keys, or an issue. Refuses to know what a source holds and how it is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from lamsearch import registries
from lamsearch.errors import Issue
from lamsearch.registries import BrokenEntryError, Registry, UnknownNameError
from lamsearch.study.data import Data


class Named(Protocol):
    """What a study file needs of a source: a table, how a path of its files ends, its targets."""

    @property
    def table(self) -> type[Data]: ...  # noqa: D102 - the class says it

    @property
    def suffix(self) -> str | None: ...  # noqa: D102 - as above

    @property
    def quantities(self) -> bool: ...  # noqa: D102 - whether its targets can be quantities


def _fits(found: object) -> bool:
    table = getattr(found, "table", None)
    return isinstance(table, type) and issubclass(table, Data) and hasattr(found, "read")


SOURCES: Registry[Any] = Registry(
    "lamsearch.sources", registries.SOURCES, rule="a lamsearch.data.Source", fits=_fits
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Whose table it is, its keys without those of other sources, and what is wrong so far.

    ``whole`` says that the rules between keys can be checked: no key was taken out.
    """

    table: type[Data]
    document: object
    issues: list[Issue] = field(default_factory=list)
    whole: bool = True


def source_of(text: str) -> Named:
    """Return the source that ``data.source`` names: by its name, or by the end of a path.

    Raises:
        UnknownNameError: It names none.
        BrokenEntryError: It names one whose package is broken.
    """
    for name in SOURCES.builtin:
        if text == name or _ends(text, SOURCES.get(name)):
            return SOURCES.get(name)  # type: ignore[no-any-return]  # each fits, see above
    if text not in SOURCES.names:
        for source in _usable():
            if _ends(text, source):
                return source
    return SOURCES.get(text)  # type: ignore[no-any-return]  # as above


def choose(document: object) -> Chosen:
    """Return whose table a study file's [data] is."""
    text = document.get("source") if isinstance(document, Mapping) else None
    if not isinstance(document, Mapping) or not isinstance(text, str):
        return Chosen(table=Data, document=_known(document, Data))
    try:
        table = source_of(text).table
    except UnknownNameError:
        issue = Issue(where="data.source", rule=_rule(), value=text)
        return Chosen(table=Data, document=_known(document, Data), issues=[issue])
    except BrokenEntryError as error:
        issue = Issue(where="data.source", rule=str(error))
        return Chosen(table=Data, document=_known(document, Data), issues=[issue])
    found = list(_strange(document, table).items())
    return Chosen(
        table=table,
        document=_known(document, table),
        issues=[Issue(where=f"data.{key}", rule=rule, value=document[key]) for rule, key in found],
        whole=not found,
    )


def properties() -> dict[str, Any]:
    """Return the JSON Schema of every key that the [data] of lamsearch's own sources may have."""
    found: dict[str, Any] = {}
    for table in (Data, *(SOURCES.get(name).table for name in SOURCES.builtin)):
        for key, value in table.model_json_schema()["properties"].items():
            found.setdefault(key, value)
    return found


def _usable() -> list[Named]:
    """All sources but those whose packages are broken, which nobody asked for here."""
    found = []
    for name in SOURCES.names:
        try:
            found.append(SOURCES.get(name))
        except BrokenEntryError:
            continue
    return found


def _ends(text: str, source: Named) -> bool:
    return source.suffix is not None and text.endswith(source.suffix)


def _rule() -> str:
    paths = "".join(f", or a path that ends in {s.suffix}" for s in _usable() if s.suffix)
    return f"must be {', '.join(SOURCES.names)}{paths}"


def _owners(key: str) -> list[str]:
    """The sources whose tables have a key."""
    named = zip(SOURCES.names, map(_table_of, SOURCES.names), strict=True)
    return [name for name, table in named if table is not None and key in table.model_fields]


def _table_of(name: str) -> type[Data] | None:
    try:
        table: type[Data] = SOURCES.get(name).table
    except BrokenEntryError:
        return None
    return table


def _strange(document: Mapping[str, object], table: type[Data]) -> dict[str, str]:
    """The first key of each other source in a table that lacks it, by the rule that it breaks."""
    found: dict[str, str] = {}
    for key in document:
        if key not in table.model_fields and (owners := _owners(key)):
            found.setdefault(f"is only for {' and '.join(owners)}", key)
    return found


def _known(document: object, table: type[Data]) -> object:
    """A table without the keys of other sources; keys that are nobody's stay, to be refused."""
    if not isinstance(document, Mapping):
        return document
    return {k: v for k, v in document.items() if k in table.model_fields or not _owners(k)}
