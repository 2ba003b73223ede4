"""What a trainer declares of itself: its name, what it can do, how one is made.

Enters: a package's declaration. Leaves: the same, valid from birth. Refuses to know any trainer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel

from lamsearch.errors import Issue
from lamsearch.study import Augment, Study, Training
from lamsearch.trainers.demand import Demand, Shape
from lamsearch.trainers.protocol import L2_PENALTY, Device, NoOptions, Parameter, Task, Trainer

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,49}")


def _none(_study: Study, _options: BaseModel) -> Iterable[Issue]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainerKind:
    """What a trainer declares: its name in a study file, what it can do, how one is made.

    Args:
        name: what ``[trainer] name`` says.
        make: a task → a trainer.
        parameters: what can be searched.
        options: a pydantic model of its own options; unknown keys are refused in any case.
        table: the study file's table that these stand in.
        reads: which keys of ``[training]`` it follows; a study that gives another one is refused.
            All of them, or none that matters, unless given.
        reproducible: whether the same task gives the same bits on the same machine.
        resumable: whether it is `Resumable`.
        prunes: whether it is `Prunable`.
        exports: whether it is `Exporting`.
        snapshots: whether it is `Snapshotting`.
        augments: whether it varies training images as its task says.
        weights: whether its loss weights training examples as its splits say.
        state_version: grows when a state's arrays, or what is computed from them, change.
        issues: a study and its checked options → what the trainer cannot do of what is asked for,
            such as keeping the models of some options.
        demand: its options, a training and sizes → the memory and time of a cohort, by which
            ``cohort = "auto"`` chooses; None where that is not known.
        device: a device's name, or ``auto`` → the device that it trains on here; raises ValueError
            where there is none such. None where it trains on the processor alone.
    """

    name: str
    make: Callable[[Task], Trainer]
    parameters: tuple[Parameter, ...] = (L2_PENALTY,)
    options: type[BaseModel] = NoOptions
    table: Literal["trainer", "network"] = "trainer"
    reads: tuple[str, ...] | None = None
    reproducible: bool = True
    resumable: bool = False
    prunes: bool = False
    exports: bool = False
    snapshots: bool = False
    augments: bool = False
    weights: bool = False
    state_version: int = 1
    issues: Callable[[Study, BaseModel], Iterable[Issue]] = _none
    demand: Callable[[BaseModel, Training, Shape], Demand] | None = None
    device: Callable[[str], Device] | None = None

    @property
    def searchable(self) -> dict[str, Parameter]:
        """What can be searched beside λ, by name."""
        return {one.name: one for one in self.parameters if one != L2_PENALTY}

    def __post_init__(self) -> None:
        for rule, got in self._mistakes():
            raise ValueError(f"{rule}, got {got}")

    def _mistakes(self) -> Iterator[tuple[str, object]]:
        """Yield which rules a declaration breaks, and the value that does."""
        if not _NAME.fullmatch(self.name):
            rule = "must be lower-case letters, digits, '-' and '_', the first a letter"
            yield f"a trainer's name {rule}", repr(self.name)
        of = f"of trainer {self.name!r}"
        if not callable(self.make):
            yield f"make {of} must take a Task and return a Trainer", repr(self.make)
        if not (isinstance(self.options, type) and issubclass(self.options, BaseModel)):
            yield f"options {of} must be a pydantic model, the class itself", repr(self.options)
            return
        for name in self.reads or ():
            if name not in Training.model_fields:
                yield f"reads {of} must be keys of [training]", repr(name)
        if self.snapshots and not self.exports:
            yield f"snapshots {of} needs exports", False
        names = [one.name for one in self.parameters]
        if len(set(names)) < len(names):
            yield f"parameters {of} must have names of their own", ", ".join(names)
        for name, parameter in self.searchable.items():
            if name in Augment.model_fields and parameter.table != "augment":
                rule = "must not be named as a key of [augment]"
                yield f"a parameter {of} {rule}", repr(name)
            unknown = name not in self.options.model_fields and not self._keeps_any_key
            if parameter.table == self.table == "trainer" and unknown:
                known = ", ".join(self.options.model_fields) or "it has none"
                yield f"a parameter {of} must be a key of its options ({known})", repr(name)

    @property
    def _keeps_any_key(self) -> bool:
        return self.options.model_config.get("extra") == "allow"
