"""Ctrl-C in a program that runs a study. Enters: nothing. Leaves: an event that it sets.

Refuses to end the process: that is the program's own affair.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from lamsearch.errors import InterruptedWorkError


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """Have the first Ctrl-C set the event, and the second interrupt as usual.

    Python hears it in the main thread alone: in another thread nothing is changed.

    Raises:
        KeyboardInterrupt: The work was interrupted so; what it had is saved.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def heard(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        # not here: the main thread may hold the event's own lock just now
        threading.Thread(target=stop.set).start()

    before = signal.signal(signal.SIGINT, heard)
    try:
        yield stop
    except InterruptedWorkError as error:
        raise KeyboardInterrupt(str(error)) from error
    finally:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)
