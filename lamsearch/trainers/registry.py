"""The registered trainers, by name.

Enters: a name, as a study file or a database has it. Leaves: the trainer's kind, or one sentence.
Refuses paths and modules: nobody who writes a study chooses what code is loaded, only what is
installed does, by Python entry points of the group ``lamsearch.trainers``.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from lamsearch.errors import InputError, shown
from lamsearch.trainers.network.kind import NETWORK
from lamsearch.trainers.protocol import TrainerKind

GROUP = "lamsearch.trainers"
_own: dict[str, TrainerKind] = {NETWORK.name: NETWORK}  # of this process; they go before others


def register(kind: TrainerKind) -> TrainerKind:
    """Register a trainer in this process; return it.

    An installed package names its `TrainerKind` as an entry point instead.

    Raises:
        ValueError: The name is another trainer's.
    """
    if _own.setdefault(kind.name, kind) is not kind:
        raise ValueError(f"a trainer's name must be its own, got {kind.name!r} twice")
    return kind


def names() -> tuple[str, ...]:
    """Return the names of all registered trainers; those of packages are not loaded for it."""
    return tuple(sorted({*_own, *(one.name for one in entry_points(group=GROUP))}))


def kind_named(name: str) -> TrainerKind:
    """Return the registered trainer of a name.

    Raises:
        InputError: There is none, or its package cannot be loaded or registers something else.
    """
    if name in _own:
        return _own[name]
    found = {point.value: point for point in entry_points(group=GROUP) if point.name == name}
    if not found:
        raise InputError(
            f"trainer: must be registered on this machine ({', '.join(names())}), got {shown(name)}"
        )
    if len(found) > 1:
        raise InputError(
            f"trainer: {name!r} must be registered once, got {' and '.join(sorted(found))}"
        )
    return _loaded(*found.values())


def _loaded(point: EntryPoint) -> TrainerKind:
    """What an entry point of an installed package leads to."""
    source = f"trainer: {point.name!r}, which is registered as {point.value},"
    try:
        kind = point.load()
    except Exception as error:  # a package's own import may raise anything
        why = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise InputError(f"{source} cannot be loaded: {why[:200]}") from error
    if not isinstance(kind, TrainerKind):
        raise InputError(f"{source} must be a TrainerKind, got {type(kind).__name__}")
    if kind.name != point.name:
        raise InputError(f"{source} must bear that name, got {kind.name!r}")
    return kind
