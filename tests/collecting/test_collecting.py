"""What is loaded for a process's life is out of the garbage collector's way, in our own alone."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from lamsearch import collecting

_OWN = """
import gc
from lamsearch import collecting
collecting.own_process()
with collecting.loading():
    assert not gc.isenabled()
    kept = [[] for _ in range(1000)]
print(gc.isenabled(), gc.get_freeze_count() > 1000, len(gc.get_objects()) < 1000)
"""


def test_what_our_own_process_loads_is_not_walked() -> None:
    """In a process that is lamsearch's own no collection walks what was there after loading."""
    done = subprocess.run([sys.executable, "-c", _OWN], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True", "True"]


def test_in_another_process_nothing_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere collections wait for the end of loading, also where it fails, and no longer."""
    monkeypatch.setattr(collecting, "_ours", False)
    before = gc.get_freeze_count()

    def load() -> None:
        with collecting.loading():
            assert not gc.isenabled()
            raise ImportError

    with pytest.raises(ImportError):
        load()
    assert gc.isenabled()
    assert gc.get_freeze_count() == before
