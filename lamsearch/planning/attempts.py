"""How something is done in a database that others use: whoever calls decides how long it waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Attempt(Protocol):
    """Does something in the database; how long it waits for others' locks is its own affair."""

    def __call__(self, action: Callable[[], T]) -> T:
        """Return what the action returns."""


def once(action: Callable[[], T]) -> T:
    """Do something once: a lock that another holds is an error."""
    return action()
