"""SciPy's BLAS without the rest of `scipy.linalg`, which takes a fifth of a second to load.

Enters: nothing. Leaves: `blas`, which has the functions of `scipy.linalg.blas` by their names: the
very same objects, of the same library. Where SciPy keeps them elsewhere it is that module itself.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

import scipy


def _alone() -> Any:
    """The extension that has them, by itself; None where it is not where it was."""
    places = [str(Path(one) / "linalg") for one in scipy.__path__]
    spec = PathFinder.find_spec("scipy.linalg._fblas", places)
    if spec is None or spec.loader is None:
        return None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    finally:  # whoever imports it finds it as SciPy does
        sys.modules.pop(spec.name, None)
    return module


blas: Any = None if "scipy.linalg" in sys.modules else _alone()
if blas is None:
    blas = importlib.import_module("scipy.linalg.blas")
