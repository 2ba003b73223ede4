"""Registries: sources, metrics, verbs, …: what a name may mean, here or by a package.

Enters: a name from a study file, a database or a command line. Leaves: what is registered under it,
loaded when it is first asked for, or one sentence. A name is only ever looked up: nothing here
imports a module that lamsearch or an installed package has not registered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from lamsearch.errors import InputError, LamsearchError

T = TypeVar("T")

# What lamsearch registers itself, as a package's entry points would: name = "module:attribute".
SOURCES = {
    "digits": "lamsearch.data.sources.digits:SOURCE",
    "cifar10": "lamsearch.data.sources.cifar10:SOURCE",
    "npz": "lamsearch.data.sources.npz:SOURCE",
    "table": "lamsearch.data.sources.table:SOURCE",
    "idx": "lamsearch.data.sources.idx:SOURCE",
    "images": "lamsearch.data.sources.images:SOURCE",
    "cifar100": "lamsearch.data.sources.cifar100:SOURCE",
    "svhn": "lamsearch.data.sources.svhn:SOURCE",
}
SAMPLERS = {
    "random": "lamsearch.search.samplers:RANDOM",
    "stratified": "lamsearch.search.samplers:STRATIFIED",
    "tpe": "lamsearch.search.samplers:TPE",
}
VERBS = {
    "cancel": "lamsearch.cli.cancel:cancel",
    "check": "lamsearch.cli.check:check",
    "create": "lamsearch.cli.create:create",
    "dashboard": "lamsearch.cli.serve:dashboard",
    "data": "lamsearch.cli.data:data",
    "delete": "lamsearch.cli.delete:delete",
    "finish": "lamsearch.cli.finish:finish",
    "gradcheck": "lamsearch.cli.gradcheck:gradcheck",
    "init": "lamsearch.cli.init:init",
    "lr-range": "lamsearch.cli.lr_range:lr_range",
    "pause": "lamsearch.cli.pause:pause",
    "predict": "lamsearch.cli.predict:predict",
    "prioritize": "lamsearch.cli.prioritize:prioritize",
    "report": "lamsearch.cli.report:report",
    "resume": "lamsearch.cli.resume:resume",
    "run": "lamsearch.cli.run:run",
    "serve": "lamsearch.cli.serve:serve",
    "status": "lamsearch.cli.status:status",
    "storage": "lamsearch.cli.storage:storage",
    "submit": "lamsearch.cli.submit:submit",
    "worker": "lamsearch.cli.worker:worker",
}
EXPORTERS = {
    "mlflow": "lamsearch.exports.mlflow_runs:EXPORTER",
    "tensorboard": "lamsearch.exports.tensorboard_logs:EXPORTER",
    "wandb": "lamsearch.exports.wandb_runs:EXPORTER",
}


class UnknownNameError(InputError):
    """A name under which nothing is registered."""


class BrokenEntryError(LamsearchError):
    """Something registered by an installed package that cannot be loaded or used."""


class Registry(Generic[T]):
    """What is registered under the names of one group.

    Args:
        group: the group of Python entry points that other packages register theirs in.
        builtin: lamsearch's own, as ``name → module:attribute``; nobody replaces them.
        rule: what an entry must be, for the sentence that refuses one that is not.
        fits: whether a loaded object is such an entry.
    """

    def __init__(
        self, group: str, builtin: Mapping[str, str], *, rule: str, fits: Callable[[object], bool]
    ) -> None:
        self.group = group
        self._builtin, self._rule, self._fits = dict(builtin), rule, fits
        self._loaded: dict[str, T] = {}
        self.here: dict[str, T] = {}  # registered in this process alone

    @property
    def builtin(self) -> tuple[str, ...]:
        """The names that lamsearch registers itself."""
        return tuple(self._builtin)

    @property
    def names(self) -> tuple[str, ...]:
        """Names that a study file can have: lamsearch's own, then other packages', sorted."""
        return (*self._builtin, *sorted(self._foreign))

    def register(self, name: str, entry: T) -> T:
        """Register something in this process alone; return it.

        Raises:
            ValueError: The name is another one's.
        """
        if name in self.names or self.here.setdefault(name, entry) is not entry:
            raise ValueError(f"a name of {self.group} must be its own, got {name!r} twice")
        return entry

    def get(self, name: str) -> T:
        """Return what is registered under a name.

        Raises:
            UnknownNameError: Nothing is; the sentence says which names are known.
            BrokenEntryError: A package's entry cannot be loaded, or is not what it should be.
        """
        if name in self.here:
            return self.here[name]
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        return self._loaded[name]

    def _load(self, name: str) -> T:
        if name in self._builtin:
            module, _, attribute = self._builtin[name].partition(":")
            built: T = getattr(import_module(module), attribute)
            return built
        if name not in self._foreign:
            raise UnknownNameError(f"must be one of {', '.join(self.names)}, got {name!r}")
        first, *others = self._foreign[name]
        if others:
            packages = " and ".join(sorted({_package(entry) for entry in (first, *others)}))
            raise BrokenEntryError(f"{self.group}: {name!r} is registered by {packages}: keep one")
        try:
            found: T = first.load()
        except (Exception, SystemExit) as error:  # whatever a stranger's module does
            raise self._broken(first, f"{type(error).__name__}: {error}") from error
        if not self._fits(found):
            raise self._broken(first, f"it must be {self._rule}, got {type(found).__name__}")
        return found

    @cached_property
    def _foreign(self) -> dict[str, list[EntryPoint]]:
        """Other packages' entries by name; looked for when a name is none of lamsearch's."""
        found: dict[str, list[EntryPoint]] = {}
        for entry in entry_points(group=self.group):
            if entry.name not in self._builtin:
                found.setdefault(entry.name, []).append(entry)
        return found

    def _broken(self, entry: EntryPoint, reason: str) -> BrokenEntryError:
        where = f"{self.group}: {entry.name!r} of {_package(entry)}"
        return BrokenEntryError(f"{where} cannot be used: {' '.join(reason.split())}")


def checked(registry: Registry[Any], name: str, rule: Callable[[tuple[str, ...]], str]) -> str:
    """Return a name of a study file under which something is registered.

    Raises:
        ValueError: Nothing is (by ``rule``, of the known names), or it is broken.
    """
    try:
        registry.get(name)
    except UnknownNameError as error:
        raise ValueError(rule(registry.names)) from error
    except BrokenEntryError as error:
        raise ValueError(str(error)) from error
    return name


def _package(entry: EntryPoint) -> str:
    return "an unknown package" if entry.dist is None else f"the package {entry.dist.name}"
