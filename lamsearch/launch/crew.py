"""A crew of local worker processes: started, watched, replaced, and asked to leave.

Enters: a study, how many workers, what starts one. Leaves: when the study is over, or cannot go on.
Refuses to know how a worker works.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence

from lamsearch.errors import InputError, InterruptedWorkError
from lamsearch.files import Files
from lamsearch.launch.member import Member
from lamsearch.launch.watch import Watch
from lamsearch.trials import Database, Status

_POLL_SECONDS = 0.2
_GRACE_SECONDS = 4.5  # a worker leaves by itself before that


class Crew:
    """Local workers of one study.

    Args:
        database: the storage, for watching.
        study: the study's name.
        count: how many workers.
        command: what starts a worker; its environment is ``environment`` (secrets go there).
        say: takes one line per event worth telling.
        show: takes the study's status a few times a second.
        files: where its checkpoints are.
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
        files: Files,
    ) -> None:
        self._watch, self._count = Watch(database, study, show, files), count
        self._command, self._environment = list(command), dict(environment)
        self._say = say
        self._members: list[Member] = []

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
        self._members.append(Member(self._command, self._environment, self._say))

    def _look_after(self) -> None:
        for member in list(self._members):
            code = member.returncode
            if code is None:
                continue
            self._members.remove(member)
            member.bury()
            if code == 0:
                continue
            if code == InputError.exit_code:
                raise InputError(member.last_words)
            self._watch.count_death(self._count, f"exit code {code}", member.last_words)
            why = "" if member.error is None else f": {member.error}"
            self._say(f"worker {member.pid} died (exit code {code}){why}; another takes its place")
            self._start()

    def _dismiss(self) -> None:
        """Ask those who still work to leave, and wait for them."""
        for member in self._members:
            member.ask_to_leave()
        deadline = time.monotonic() + _GRACE_SECONDS
        for member in self._members:
            member.see_off(max(0.1, deadline - time.monotonic()))
            member.bury()
