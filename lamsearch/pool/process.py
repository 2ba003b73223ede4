"""A worker process, wherever it is started: beside its pool, or by a Dask worker.

Enters: a command, what is added to its environment, and who takes its lines. Leaves: how it ended
and its last lines on stderr, without what its environment keeps secret. Refuses to know what it
works on and whether another takes its place.

It is a process of its own group with a pipe as standard input: Ctrl-C reaches only whoever started
it, who passes it on once; and when they are killed the pipe closes, at which it leaves by itself.
On Windows, where one process cannot ask another to leave, it is asked so too.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import IO

from lamsearch.pool.forks import WaitingForks
from lamsearch.redaction import scrub
from lamsearch.visible import visible

_LAST_WORDS_SECONDS = 1.0
_LINES = 20  # of the last that are kept
_ERROR = "Error: "
_SIGNALS = hasattr(signal, "SIGKILL")  # else to terminate a process is to kill it
_OWN_GROUP = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)  # of Windows, for Ctrl-C


class WorkerProcess:
    """One worker process, from its start.

    Args:
        command: what starts it.
        environment: what it gets beside ours; secrets go there.
        say: takes each line it says, but for the error that it ends with.
        forks: of this process, one of which is taken for it where one waits.

    Raises:
        OSError: It could not be started.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        say: Callable[[str], None],
        forks: WaitingForks | None = None,
    ) -> None:
        # whatever our own terminal speaks: the pipe between us is UTF-8
        whole = {**os.environ, **environment, "PYTHONIOENCODING": "utf-8"}
        forked = None if forks is None else forks.begin(command, whole)
        self._process = _started(command, whole) if forked is None else forked
        assert self._process.stderr is not None  # noqa: S101 - it is a pipe
        self._say, self._secrets = say, tuple(environment.values())
        self._words, self._error = list[str](), list[str]()
        self._listener = threading.Thread(
            target=self._listen, args=(self._process.stderr,), daemon=True
        )
        self._listener.start()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit code, or minus the signal that ended it; None while it lives."""
        return self._process.poll()

    @property
    def error(self) -> str | None:
        """The error that it ended with, in all its lines; None where it named none."""
        return "\n".join(self._error).removeprefix(_ERROR).rstrip() if self._error else None

    @property
    def last_stderr(self) -> str:
        """The error that it ended with, else its last line; whole once it is buried."""
        last = next((line for line in reversed(self._words) if line), "it said nothing")
        return last if self.error is None else self.error

    def ask_to_leave(self) -> None:
        """Send it SIGTERM, or close the pipe at whose end it leaves."""
        if _SIGNALS:
            self._process.terminate()
        else:
            self._close_pipe()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def wait(self, seconds: float) -> int:
        """Return its exit code once it has one.

        Raises:
            subprocess.TimeoutExpired: It still lives after so many seconds.
        """
        return self._process.wait(seconds)

    def see_off(self, seconds: float) -> None:
        """Wait until it is gone; if it is not by then, kill it."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()

    def reap(self) -> None:
        """Hear a dead one out and close its pipes; a child of its own may still hold one."""
        self._close_pipe()
        self._listener.join(_LAST_WORDS_SECONDS)

    def _close_pipe(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _listen(self, pipe: IO[str]) -> None:
        with pipe:
            for raw in pipe:
                line = self._shown(raw.rstrip())
                # the sentence that it leaves with may have several lines, and is its last
                if line.startswith(_ERROR):
                    self._error = [line]
                elif self._error:
                    self._error = [*self._error, line][:_LINES]
                else:
                    self._words = [*self._words, line][-_LINES:]
                    self._say(line)

    def _shown(self, line: str) -> str:
        """A line without the secrets of its environment, and with nothing that is obeyed."""
        for secret in self._secrets:
            line = scrub(line, secret)
        return visible(line)


def _started(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - our own command
        command,
        env=environment,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        encoding="utf-8",
        errors="backslashreplace",
        start_new_session=True,
        creationflags=_OWN_GROUP,
    )
