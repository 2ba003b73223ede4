"""Libraries that lamsearch can go without. Enters: a module's name. Leaves: whether it is
installed, or one sentence that says what needs it and how it is installed; nothing is loaded.
"""

from __future__ import annotations

from importlib.util import find_spec

from lamsearch.errors import InputError

# What a slim installation (docs/installing.md) goes without: modules, and who brings them.
OPTIONAL = {
    "PIL": "pillow", "a2wsgi": "a2wsgi", "fastapi": "fastapi", "fastapi_offline": "fastapi-offline",
    "matplotlib": "matplotlib", "optuna_dashboard": "optuna-dashboard",
    "prometheus_client": "prometheus-client", "psycopg": "psycopg", "waitress": "waitress",
}  # fmt: skip


class NotInstalledError(InputError):
    """What was asked for needs a library that is not installed."""


def is_installed(module: str) -> bool:
    """Return whether a module could be imported, without doing so."""
    try:
        return find_spec(module) is not None
    except ImportError:  # not even the package that it is a module of
        return False


def package_of(error: ModuleNotFoundError) -> str | None:
    """Return the package that an import found missing, where it is one that may be missing."""
    return OPTIONAL.get((error.name or "").partition(".")[0])


def lacking(what: str, *packages: str, install: str) -> str:
    """Return the sentence for what needs packages that are not there; ``install`` is for pip."""
    *others, last = packages
    named = f"{', '.join(others)} and {last}, which are" if others else f"{last}, which is"
    return f"{what}: needs {named} not installed: pip install {install}"


def needed(what: str, *modules: str, install: str) -> None:
    """Find out whether all modules are installed that something needs.

    Args:
        what: what needs them.
        modules: of those that may be missing.
        install: what pip is told to install.

    Raises:
        NotInstalledError: At least one is not; the sentence names all that are not.
    """
    missing = [OPTIONAL[module] for module in modules if not is_installed(module)]
    if missing:
        raise NotInstalledError(lacking(what, *missing, install=install))
