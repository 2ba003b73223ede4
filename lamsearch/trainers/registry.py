"""The registered trainers, by name.

Enters: a name, as a study file or a database has it. Leaves: the trainer's kind, or one sentence.
Refuses paths and modules: nobody who writes a study chooses what code is loaded, only what is
installed does, by Python entry points of the group ``lamsearch.trainers``.
"""

from __future__ import annotations

from lamsearch.errors import InputError
from lamsearch.registries import BrokenEntryError, Registry, UnknownNameError
from lamsearch.trainers.kind import TrainerKind

TRAINERS: Registry[TrainerKind] = Registry(
    "lamsearch.trainers",
    {
        "network": "lamsearch.trainers.network.kind:NETWORK",
        "sklearn": "lamsearch.trainers.scikit.kind:SKLEARN",
    },
    rule="a lamsearch.trainers.TrainerKind",
    fits=lambda found: isinstance(found, TrainerKind),
)


def register(kind: TrainerKind) -> TrainerKind:
    """Register a trainer in this process alone; return it.

    An installed package names its `TrainerKind` as an entry point instead.

    Raises:
        ValueError: The name is another trainer's.
    """
    return TRAINERS.register(kind.name, kind)


def names() -> tuple[str, ...]:
    """Return the names of all registered trainers; those of packages are not loaded for it."""
    return (*TRAINERS.names, *TRAINERS.here)


def kind_named(name: str) -> TrainerKind:
    """Return the registered trainer of a name.

    Raises:
        InputError: There is none, or its package cannot be loaded or registers something else.
    """
    try:
        kind = TRAINERS.get(name)
    except UnknownNameError as error:
        known = ", ".join(names())
        raise InputError(f"trainer.name: must be one of {known}, got {name!r}") from error
    except BrokenEntryError as error:
        raise InputError(f"trainer.name: {error}") from error
    if kind.name != name:
        rule = "its TrainerKind must bear the name that it is registered under"
        raise InputError(f"trainer.name: {name!r}: {rule}, got {kind.name!r}")
    return kind
