"""A fork of this process that prepares itself for one piece of work, and waits for it.

Enters: what prepares it, and the work. Leaves: what the work returned; nothing where there is no
such fork or it could not do it: then it is done here, so that an error is raised here too. What
the fork loads it loads while this process does something else. Refuses to know what the work is.
"""

from __future__ import annotations

import os
import pickle
import subprocess
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Generic, NoReturn, Self, TypeVar

from lamsearch.collecting import loading
from lamsearch.forking import Forked, close, fork, keep_from_forks, may_fork

T = TypeVar("T")
_SECONDS = 2.0  # to leave in, once it is interrupted


class PreparedFork(Generic[T]):
    """A fork that begins and ends with the block, where this process may be forked.

    Args:
        prepare: is called in the fork at once.
        work: what the fork does once it is asked. What it is given and what it returns, which is
            not None, can be pickled.
    """

    def __init__(self, prepare: Callable[[], None], work: Callable[..., T]) -> None:
        self._prepare, self._work = prepare, work
        self._process: Forked | None = None
        self._pipes: tuple[int, ...] = ()  # our ends: what is asked, what is answered

    def __enter__(self) -> Self:
        if may_fork():
            self._begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it: one that was not asked leaves, one that works clears up before that."""
        close(*self._pipes)
        if self._process is None:
            return
        self._process.interrupt()
        try:
            self._process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def done(self, *arguments: object) -> T | None:
        """Have it work on this, once; return what the work returned, None where it was not done."""
        if len(self._pipes) < 2:
            return None
        asked, answered = self._pipes
        with suppress(Exception), open(asked, "wb", closefd=False) as file:
            # it may have been killed, and pickle raises much where something cannot be pickled
            file.write(pickle.dumps(arguments, pickle.HIGHEST_PROTOCOL))
        self._pipes = (answered,)  # which is closed at the end
        close(asked)
        with open(answered, "rb", closefd=False) as file:
            content = file.read()
        with suppress(EOFError, pickle.UnpicklingError):  # it was killed
            found: T = pickle.loads(content)  # noqa: S301 - a fork of ours wrote it
            return found
        return None

    def _begin(self) -> None:
        ends: list[int] = []
        try:
            ends += os.pipe()
            ends += os.pipe()
            asked, ours, heard, answered = ends
            keep_from_forks(ours, heard)
            process = fork()
        except OSError:  # no process or file is to be had
            close(*ends)
            return
        if process == 0:
            self._be(asked, answered)
        close(asked, answered)
        self._pipes, self._process = (ours, heard), Forked(process)

    def _be(self, asked: int, answered: int) -> NoReturn:
        """Be the fork. It says nothing: what it cannot do is done where it was asked for."""
        try:
            os.setsid()  # type: ignore[attr-defined,unused-ignore]  # a terminal's Ctrl-C is ours
            with loading():
                self._prepare()
            with open(asked, "rb") as file:
                content = file.read()
            if content:
                answer = pickle.dumps(self._work(*pickle.loads(content)))  # noqa: S301 - ours
                with open(answered, "wb") as file:
                    file.write(answer)
        finally:
            os._exit(0)
