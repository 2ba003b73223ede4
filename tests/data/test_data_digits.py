"""The digits: read from the file that scikit-learn carries, without loading it."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from lamsearch.data.sources.digits import Digits, DigitsData
from lamsearch.errors import DataError

_READ = """
import sys
from pathlib import Path
from lamsearch.data.sources.digits import Digits, DigitsData
data = DigitsData(source="digits", train=100, validation=100)
Digits().read(data, Path(), None)
print("sklearn" in sys.modules)
"""
DATA = DigitsData(source="digits", train=100, validation=100)


def test_they_are_read_without_loading_scikit_learn() -> None:
    """A process that reads the digits does not import scikit-learn, which would take a second."""
    script = [sys.executable, "-P", "-c", _READ]
    done = subprocess.run(script, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("found", [True, False], ids=["in its file", "wherever it keeps them"])
def test_they_are_scikit_learn_s(
    found: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images and labels are those of `load_digits`, also where its file is not where it was."""
    if not found:
        elsewhere = importlib.machinery.ModuleSpec("sklearn", None, is_package=True)
        elsewhere.submodule_search_locations = [str(tmp_path)]
        monkeypatch.setattr(importlib.util, "find_spec", lambda _: elsewhere)
    pool = Digits().read(DATA, tmp_path, None).pool
    x, y = load_digits(return_X_y=True)
    assert pool is not None
    assert (pool.x.dtype, pool.y.dtype) == (np.float32, np.int64)
    assert np.array_equal(pool.x, x)
    assert np.array_equal(pool.y, y)


def test_without_scikit_learn_there_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where scikit-learn is not installed, that is said."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(DataError, match=r"^digits: needs scikit-learn, which is not installed$"):
        Digits().read(DATA, tmp_path, None)
