"""The far end of a cluster's run: what a Dask worker is sent to do.

Enters: an errand, by Dask. Leaves: what its worker process said and how it ended, as events of the
errand's topic. It is a process of its own, so that BLAS threads, signals and the GIL are its own
and the Dask worker stays responsive. Refuses to know the study.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from pydantic import SecretStr

if TYPE_CHECKING:  # only a cluster's run and its Dask workers load it
    from distributed import Worker

_POLL_SECONDS = 0.1
_GRACE_SECONDS = 10.0
_LAST_WORDS_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """One worker process to run on a Dask worker.

    Dask prints the arguments of tasks in its logs and on its dashboard: secrets among them are
    wrapped, and their representation hides them.
    """

    topic: str
    arguments: tuple[str, ...]
    environment: Mapping[str, SecretStr]


def run_errand(errand: Errand) -> None:
    """Run the errand's process to its end, inside a Dask task.

    The process leaves politely when the task is no longer wanted (its client said so, or is gone)
    and when the Dask worker is closing; when the Dask worker dies, the pipe on its standard input
    closes, at which it leaves too.
    """
    from distributed import get_worker

    worker = get_worker()
    key = str(worker.get_current_task())
    news = _News(worker, errand.topic, key)
    news.tell(begun=True)
    if _wanted(worker, key):
        _accompany(errand, worker, key, news)
    else:
        news.end(0, "", told=True)


class _News:
    """Tells the client, by an event of the scheduler."""

    def __init__(self, worker: Worker, topic: str, key: str) -> None:
        self._worker, self._topic, self._key = worker, topic, key
        self.host = socket.gethostname()

    def tell(self, **facts: Any) -> None:
        self._worker.log_event(self._topic, {"key": self._key, "host": self.host, **facts})

    def end(self, code: int, words: str, *, told: bool = False) -> None:
        self.tell(code=code, words=words, told=told)


def _accompany(errand: Errand, worker: Worker, key: str, news: _News) -> None:
    secrets = {name: value.get_secret_value() for name, value in errand.environment.items()}
    try:
        member = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-P", "-m", "lamsearch", *errand.arguments],
            env={**os.environ, **secrets},
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
    except OSError as error:
        news.end(1, f"it could not be started: {error.strerror}")
        return
    assert member.stdin is not None  # noqa: S101 - they are pipes
    assert member.stderr is not None  # noqa: S101
    words: list[str] = []
    listener = threading.Thread(target=_listen, args=(member.stderr, words, news), daemon=True)
    listener.start()
    told = False
    while member.poll() is None:
        if not _wanted(worker, key):
            told = True
            _dismiss(member)
        time.sleep(_POLL_SECONDS)
    member.stdin.close()
    listener.join(_LAST_WORDS_SECONDS)
    last = next((line for line in reversed(words) if line), "it said nothing")
    news.end(member.returncode, last.removeprefix("Error: "), told=told)


def _listen(pipe: IO[str], words: list[str], news: _News) -> None:
    with pipe:
        for line in pipe:
            words.append(line.rstrip())
            del words[:-20]
            if not line.startswith("Error: "):
                news.tell(line=line.rstrip())


def _wanted(worker: Worker, key: str) -> bool:
    """Whether the task is still to be done, and here; it takes no message to know."""
    task = worker.state.tasks.get(key)
    if task is None or task.state == "cancelled":
        return False
    return worker.status.name in ("running", "paused")


def _dismiss(member: subprocess.Popen[str]) -> None:
    member.terminate()
    try:
        member.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        member.kill()
        member.wait()
