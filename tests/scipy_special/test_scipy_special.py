"""SciPy's special functions alone: the same objects, and none of what takes long to load."""

from __future__ import annotations

import subprocess
import sys

import pytest

_ALONE = """
import sys
from lamsearch.statistics import quantiles
quantiles.load()
found = quantiles.student_quantile(5, 0.975), quantiles.normal_quantile(0.975)
heavy = [one for one in sys.modules if one.startswith(("scipy.special", "numpy.f2py"))]
import scipy.special
from lamsearch.scipy_special import special
same = [getattr(special(), name) is getattr(scipy.special, name) for name in ("stdtrit", "ndtri")]
whole = scipy.special.comb(5, 2), scipy.special._ufuncs.stdtr(5, 0.0)
again = quantiles.student_quantile(5, 0.975), quantiles.normal_quantile(0.975)
direct = scipy.special.stdtrit(5, 0.975), scipy.special.ndtri(0.975)
print(heavy, same, whole, found == again == direct)
"""
_AFTER = """
import scipy.special
from lamsearch.scipy_special import special
print(special() is scipy.special)
"""
_BESIDE = """
import sys, threading
from lamsearch.scipy_special import special
done = threading.Event()
thread = threading.Thread(target=done.wait)
thread.start()
found = special()
done.set()
print(found is sys.modules.get("scipy.special"))
"""
_MOVED = """
from lamsearch import scipy_special
scipy_special._EXTENSION = "scipy.special._elsewhere"
found = scipy_special.special()
import scipy.special
print(found is scipy.special)
"""


def said(code: str) -> str:
    """What a fresh interpreter says."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_they_are_loaded_alone_and_scipy_finds_them_later() -> None:
    """They are the objects of `scipy.special`, which is not loaded for them, and is whole, with its
    own modules, where somebody loads it afterwards."""
    assert said(_ALONE) == "[] [True, True] (np.float64(10.0), np.float64(0.5)) True"


@pytest.mark.parametrize("code", [_AFTER, _BESIDE, _MOVED], ids=["after", "beside", "moved"])
def test_else_the_whole_package_is_taken(code: str) -> None:
    """Where SciPy has loaded it, where another thread could see half of it, and where SciPy keeps
    the functions elsewhere."""
    assert said(code) == "True"
