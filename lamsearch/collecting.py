"""Garbage: what a process loads for its life is not walked for any, again and again.

Enters: what loads. Leaves: nothing. A full collection spends a tenth of a second on modules, and in
a fork it copies their memory. What is loaded is left out only in a process that is lamsearch's own;
in others' nothing changes for longer than loading takes.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_ours = False


def own_process() -> None:
    """Say that this process is lamsearch's own, from its start to its end."""
    global _ours
    _ours = True


@contextmanager
def loading() -> Iterator[None]:
    """Load what stays, without collections; in a process of our own it is left out of all later."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if _ours:
            gc.freeze()
        if collecting:
            gc.enable()
