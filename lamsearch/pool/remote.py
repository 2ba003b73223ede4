"""The far end of a cluster's run: what a Dask worker is sent to do.

Enters: an task, by Dask. Leaves: what its worker process said and how it ended, as events of the
task's topic. It is a process of its own, so that BLAS threads, signals and the GIL are its own
and the Dask worker stays responsive. Refuses to know the study.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from lamsearch.pool.process import WorkerProcess

if TYPE_CHECKING:  # only a cluster's run and its Dask workers load it
    from distributed import Worker

_POLL_SECONDS = 0.1
_GRACE_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteTask:
    """One worker process to run on a Dask worker.

    Dask prints the arguments of tasks in its logs and on its dashboard: secrets among them are
    wrapped, and their representation hides them.
    """

    topic: str
    arguments: tuple[str, ...]
    environment: Mapping[str, SecretStr]


def run_remote_task(task: RemoteTask) -> None:
    """Run the task's process to its end, inside a Dask task.

    The process leaves gracefully when the task is no longer wanted (its client said so, or is gone)
    and when the Dask worker is closing; when the Dask worker dies, the pipe on its standard input
    closes, at which it leaves too.
    """
    from distributed import get_worker

    worker = get_worker()
    key = str(worker.get_current_task())
    news = _News(worker, task.topic, key)
    news.report(begun=True)
    if _wanted(worker, key):
        _accompany(task, worker, key, news)
    else:
        news.end(0, "", dismissed=True)


class _News:
    """Reports to the client, by an event of the scheduler."""

    def __init__(self, worker: Worker, topic: str, key: str) -> None:
        self._worker, self._topic, self._key = worker, topic, key
        self.host = socket.gethostname()

    def report(self, **facts: Any) -> None:
        self._worker.log_event(self._topic, {"key": self._key, "host": self.host, **facts})

    def end(
        self, code: int, words: str, *, error: str | None = None, dismissed: bool = False
    ) -> None:
        self.report(code=code, words=words, error=error, dismissed=dismissed)


def _accompany(task: RemoteTask, worker: Worker, key: str, news: _News) -> None:
    secrets = {name: value.get_secret_value() for name, value in task.environment.items()}
    command = [sys.executable, "-P", "-m", "lamsearch", *task.arguments]
    try:
        process = WorkerProcess(command, secrets, lambda line: news.report(line=line))
    except OSError as error:
        reason = f"it could not be started: {error.strerror}"
        news.end(1, reason, error=reason)
        return
    dismissed = False
    while (code := process.returncode) is None:
        if not _wanted(worker, key):
            dismissed = True
            process.ask_to_leave()
            process.see_off(_GRACE_SECONDS)
        time.sleep(_POLL_SECONDS)
    process.reap()
    news.end(code, process.last_stderr, error=process.error, dismissed=dismissed)


def _wanted(worker: Worker, key: str) -> bool:
    """Whether the task is still to be done, and here; it takes no message to know."""
    task = worker.state.tasks.get(key)
    if task is None or task.state == "cancelled":
        return False
    return worker.status.name in ("running", "paused")
