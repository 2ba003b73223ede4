"""A crew of local worker processes: started, watched, replaced, and asked to leave.

A worker is a process of its own group with a pipe as standard input: Ctrl-C reaches the crew
alone, which passes it on once, and a crew that is killed closes the pipes, at which its workers
leave by themselves.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO

from lamsearch.errors import InputError, InterruptedWorkError
from lamsearch.launch.watch import Watch
from lamsearch.trials import Database, Status

_POLL_SECONDS = 0.2
_GRACE_SECONDS = 4.5  # a worker leaves by itself before that
_LAST_WORDS_SECONDS = 1.0


class Crew:
    """Local workers of one study.

    Args:
        database: the storage, for watching.
        study: the study's name.
        count: how many workers.
        command: what starts a worker; its environment is ``environment`` (secrets go there).
        say: takes one line per event worth telling.
        show: takes the study's status a few times a second.
    """

    def __init__(
        self,
        database: Database,
        study: str,
        count: int,
        *,
        command: Sequence[str],
        environment: Mapping[str, str],
        say: Callable[[str], None],
        show: Callable[[Status], None],
    ) -> None:
        self._watch, self._count = Watch(database, study, show), count
        self._command, self._environment = list(command), dict(environment)
        self._say = say
        self._members: list[subprocess.Popen[str]] = []
        self._words: dict[int, list[str]] = {}
        self._listeners: dict[int, threading.Thread] = {}

    def run(self, stop: threading.Event) -> None:
        """Work until the study is over.

        Raises:
            InterruptedWorkError: ``stop`` was set; the workers have left politely.
            WorkFailedError: The workers keep dying; the message is what the last one said.
            InputError: A worker found its input bad.
        """
        try:
            for _ in range(self._count):
                self._start()
            while self._members:
                self._watch.look()
                if stop.wait(_POLL_SECONDS):
                    raise InterruptedWorkError("interrupted; run again to go on")
                self._look_after()
            self._watch.look()
        finally:
            self._dismiss()

    def kill(self) -> None:
        """End the workers at once, as a crash would."""
        for member in self._members:
            member.kill()

    def _start(self) -> None:
        member = subprocess.Popen(  # noqa: S603 - our own command
            self._command,
            env={**os.environ, **self._environment},
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        assert member.stderr is not None  # noqa: S101 - it is a pipe
        words: list[str] = []
        self._members.append(member)
        self._words[member.pid] = words
        listener = threading.Thread(target=self._listen, args=(member.stderr, words), daemon=True)
        self._listeners[member.pid] = listener
        listener.start()

    def _listen(self, pipe: IO[str], words: list[str]) -> None:
        with pipe:
            for line in pipe:
                words.append(line.rstrip())
                del words[:-20]
                if not line.startswith("Error: "):
                    self._say(line.rstrip())

    def _bury(self, member: subprocess.Popen[str]) -> None:
        """Hear a dead worker out and close its pipes; a child of its own may still hold one."""
        if member.stdin is not None:
            member.stdin.close()
        self._listeners[member.pid].join(_LAST_WORDS_SECONDS)

    def _look_after(self) -> None:
        for member in list(self._members):
            code = member.poll()
            if code is None:
                continue
            self._members.remove(member)
            self._bury(member)
            if code == 0:
                continue
            last = self._last_words(member.pid)
            if code == InputError.exit_code:
                raise InputError(last)
            self._watch.count_death(self._count, f"exit code {code}", last)
            self._say(f"worker {member.pid} died (exit code {code}); another takes its place")
            self._start()

    def _last_words(self, pid: int) -> str:
        words = [line for line in self._words[pid] if line]
        return words[-1].removeprefix("Error: ") if words else "it said nothing"

    def _dismiss(self) -> None:
        """Ask those who still work to leave, and wait for them."""
        for member in self._members:
            member.terminate()
        deadline = time.monotonic() + _GRACE_SECONDS
        for member in self._members:
            try:
                member.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                member.kill()
                member.wait()
            self._bury(member)
