"""What is used where nobody says otherwise: the environment's variables, then a place of the user.

Enters: what was given, or None. Leaves: where data, caches and studies are. Refuses to know who
asks: the command line and Python code fall back to the same.
"""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path

STORAGE_VARIABLE, DATA_VARIABLE = "LAMSEARCH_STORAGE", "LAMSEARCH_DATA"
CACHE_VARIABLE, DEVICE_VARIABLE = "LAMSEARCH_CACHE", "LAMSEARCH_DEVICE"
AUTO = "auto"  # what there is
STORAGE = "sqlite:///lamsearch.db"


def data_directory(given: str | Path | None) -> Path:
    """Return the data directory in force."""
    if given is not None:
        return Path(given)
    named = os.environ.get(DATA_VARIABLE)
    return Path(named) if named else user_cache_path("lamsearch") / "data"


def cache_directory() -> Path:
    """Return where this host's workers share normalised data."""
    named = os.environ.get(CACHE_VARIABLE)
    return Path(named) if named else user_cache_path("lamsearch")


def device(given: str | None = None) -> str:
    """Return which device trainers that know any train on here."""
    return given or os.environ.get(DEVICE_VARIABLE) or AUTO


def storage_url(given: str | None) -> str:
    """Return the storage URL in force."""
    return given or os.environ.get(STORAGE_VARIABLE) or STORAGE
