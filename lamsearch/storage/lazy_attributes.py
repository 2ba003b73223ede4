"""Attributes of which ours are made when somebody looks. Enters: people's own, and what makes ours.

Leaves: a mapping of both. Refuses to know what they say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lamsearch.storage import dashboard_bridge

_OURS = (dashboard_bridge.NOTES, dashboard_bridge.FIGURES, dashboard_bridge.METRICS)


class LazyAttributes(Mapping[str, Any]):
    """Attributes of which ours are made at the first look at one of them; people's own win."""

    def __init__(self, base: Mapping[str, Any], make: Callable[[], Mapping[str, Any]]) -> None:
        self._base, self._make = base, make
        self._whole: Mapping[str, Any] | None = None

    def __getitem__(self, key: str) -> Any:
        return (self._all() if key.startswith(_OURS) else self._base)[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> Mapping[str, Any]:
        if self._whole is None:
            made = dict(self._make())
            if dashboard_bridge.NOTE_VERSION in self._base:
                made = {
                    key: value
                    for key, value in made.items()
                    if not key.startswith(dashboard_bridge.NOTES)
                }
            self._whole = {**made, **self._base}
        return self._whole
