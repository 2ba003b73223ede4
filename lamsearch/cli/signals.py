"""Leaving: what SIGINT and SIGTERM do to a verb that works, and on Windows Ctrl-Break.

Enters: seconds to leave in. Leaves: an event that is set when the user wants to leave.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from lamsearch.errors import InterruptedWorkError

_NAMES = ("SIGINT", "SIGTERM", "SIGBREAK")  # the last of Windows alone
_LEAVE: tuple[int, ...] = tuple(getattr(signal, one) for one in _NAMES if hasattr(signal, one))


@contextmanager
def leaving_at_once() -> Iterator[None]:
    """Let SIGINT end the process with one sentence: an interrupted import is a traceback."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, _leave_at_once)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _leave_at_once(_number: int, _frame: FrameType | None) -> None:
    os.write(2, b"Error: interrupted\n")
    os._exit(InterruptedWorkError.exit_code)


@contextmanager
def leaving(
    say: Callable[[str], None],
    *,
    within: float,
    at_once: Callable[[], None] | None = None,
    saves: bool = True,
) -> Iterator[threading.Event]:
    """Turn the first SIGINT or SIGTERM into a graceful stop, and the second into leaving at once.

    Who has not left ``within`` so many seconds leaves at once too: a kill would cost no more.
    Where nothing is to be saved (``saves``), nothing is said of it. Signals come to a process's
    main thread: called from another one, this hears none.

    A thread hears them. Python's own handlers run between two steps of the main thread, which may
    be waiting inside a database's code, or hold the very lock that its own handler would need.
    """
    heard = _Signals(say, within, at_once, saves=saves)
    if threading.current_thread() is not threading.main_thread():
        yield heard.stop
        return
    ear, mouth = socket.socketpair()
    mouth.setblocking(False)
    listener = threading.Thread(target=heard.listen, args=(ear,), name="signals", daemon=True)
    listener.start()
    woken = signal.set_wakeup_fd(mouth.fileno())
    # a handler must be there for the number to be written to the socket
    before = {number: signal.signal(number, lambda *_: None) for number in _LEAVE}
    try:
        yield heard.stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(woken)
        heard.deadline.cancel()
        mouth.close()
        listener.join()
        ear.close()


class _Signals:
    """What the first signal begins, and the second, or the deadline, ends."""

    def __init__(
        self,
        say: Callable[[str], None],
        within: float,
        at_once: Callable[[], None] | None,
        *,
        saves: bool,
    ) -> None:
        self.stop = threading.Event()
        self.deadline = threading.Timer(within, self._too_late)
        self.deadline.daemon = True
        self._say, self._within, self._at_once, self._saves = say, within, at_once, saves

    def listen(self, ear: socket.socket) -> None:
        """Read the numbers of signals until the other end is closed."""
        while number := ear.recv(1):
            if number[0] not in _LEAVE:
                continue
            if self.stop.is_set():
                self._leave()
            self.stop.set()
            self.deadline.start()
            if self._saves:
                self._say("leaving: saving what is in work; once more to leave at once")

    def _too_late(self) -> None:
        late = f"; saving took more than {self._within:g} s: left without" if self._saves else ""
        self._say(f"Error: interrupted{late}")
        self._leave()

    def _leave(self) -> None:
        if self._at_once is not None:
            self._at_once()
        os._exit(InterruptedWorkError.exit_code)
