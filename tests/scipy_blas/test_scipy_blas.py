"""SciPy's BLAS by itself: the same functions, and none of what takes long to load."""

from __future__ import annotations

import subprocess
import sys

_ALONE = """
import sys
from lamsearch.scipy_blas import blas
heavy = [one for one in sys.modules if one.startswith(("scipy.linalg", "scipy.special"))]
import scipy.linalg
same = [getattr(blas, name) is getattr(scipy.linalg.blas, name) for name in ("sgemm", "dgemm")]
print(heavy, same, hasattr(scipy.linalg, "_fblas"), scipy.linalg.solve([[2.0]], [1.0]))
"""
_AFTER = """
import scipy.linalg
from lamsearch.scipy_blas import blas
print(blas is scipy.linalg.blas)
"""
_LIBRARIES = """
import numpy, sys
if sys.argv[1] == "alone":
    import lamsearch.scipy_blas
else:
    import scipy.linalg.blas
from threadpoolctl import threadpool_info
print(sorted(one["filepath"] for one in threadpool_info()))
"""
_WORKER = """
import sys
import lamsearch.cli.run as verb
import lamsearch.trainers.network
verb._load_worker("sqlite:///one.db")
heavy = ("scipy.linalg", "scipy.special", "numpy.f2py")
print([one for one in sys.modules if one.startswith(heavy)])
"""


def said(code: str, *words: str) -> str:
    """What a fresh interpreter says."""
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_it_is_loaded_alone_and_scipy_finds_it_later() -> None:
    """Its functions are those of `scipy.linalg.blas`, which is not loaded for them, and is whole
    where somebody loads it afterwards."""
    assert said(_ALONE) == "[] [True, True] True [0.5]"


def test_where_scipy_has_loaded_it_that_one_is_used() -> None:
    """After `scipy.linalg` nothing is loaded a second time."""
    assert said(_AFTER) == "True"


def test_its_library_is_the_one_that_scipy_loads() -> None:
    """The BLAS libraries of the process are those that `scipy.linalg.blas` brings."""
    assert said(_LIBRARIES, "alone") == said(_LIBRARIES, "whole")


def test_a_worker_that_trains_networks_starts_without_scipys_heavy_parts() -> None:
    """What a worker of the built-in network loads at its start has neither `scipy.linalg` nor
    `scipy.special` in it, which load half of NumPy's compilers."""
    assert said(_WORKER) == "[]"
