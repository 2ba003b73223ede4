"""Packages of an extra. Enters: a module's name. Leaves: the module, or one sentence.

Refuses to let a library's own warnings stand between a study and its user.
"""

from __future__ import annotations

import warnings
from importlib import import_module
from types import ModuleType

from lamsearch.installed import NotInstalledError, is_installed, lacking


def needed(module: str, extra: str) -> None:
    """Find out whether a module of an extra is installed, without loading it.

    Raises:
        NotInstalledError: It is not; the sentence says how it can be.
    """
    if not is_installed(module):
        package = module.partition(".")[0]
        raise NotInstalledError(lacking(extra, package, install=f"'lamsearch[{extra}]'"))


def loaded(module: str) -> ModuleType:
    """Return a module, loaded without the warnings that its authors meant for themselves."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_module(module)
