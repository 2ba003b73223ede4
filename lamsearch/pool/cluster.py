"""A Dask cluster's workers, on one study or on all: each Dask worker runs one worker process.

Enters: a scheduler's address, and what is watched. Leaves: when that is over, or cannot go on. Dask
carries the start, the lines and the end of each process, nothing of the work itself: leases and
results go through the storage as everywhere.
"""

from __future__ import annotations

import importlib.metadata
import queue
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from lamsearch import __version__
from lamsearch.errors import InputError, InterruptedWorkError, WorkFailedError
from lamsearch.pool.remote import RemoteTask, run_remote_task
from lamsearch.pool.supervision import StandingWatch, Watch
from lamsearch.redaction import scrub, shown

if TYPE_CHECKING:  # only a cluster's run and its Dask workers load it
    from distributed import Client, Future

_SCHEMES = ("tcp", "tls", "ws", "wss", "ucx")
_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 2.0
_POLL_SECONDS = 0.2
_GRACE_SECONDS = 4.0


@contextmanager
def connect(address: str) -> Iterator[Client]:
    """Give a client of the scheduler at ``address``, and close it.

    Raises:
        InputError: The address is none, nothing answers there, or the extra is not installed.
    """
    _check(address)
    try:
        import distributed
    except ModuleNotFoundError:
        raise InputError("dask: needs an extra: pip install 'lamsearch[dask]'") from None
    try:
        client = distributed.Client(
            address, timeout=_CONNECT_SECONDS, set_as_default=False, name="lamsearch"
        )
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"dask: a scheduler must answer within {_CONNECT_SECONDS:.0f} s, "
            f"got none at {shown(address)!r}: {scrub(reason, address)}"
        ) from None
    try:
        yield client
    finally:
        with suppress(OSError, RuntimeError):
            client.close(timeout=1)


class Cluster:
    """Worker processes, one on every worker of a Dask cluster, also on those that join later.

    ``environment`` may hold secrets: they are in no log and on no page of Dask's, but unless the
    scheduler's address is ``tls://`` they cross the network in clear.

    Args:
        client: of the cluster's scheduler.
        watch: watches what is worked on.
        title: what is worked on, for Dask's logs.
        arguments: what a worker's ``lamsearch`` is called with.
        environment: what is added to a worker's environment.
        say: takes one line per event worth telling.
    """

    def __init__(
        self,
        client: Client,
        watch: Watch | StandingWatch,
        title: str,
        *,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        say: Callable[[str], None],
    ) -> None:
        self._client, self._watch, self._say = client, watch, say
        self._name = f"lamsearch-{title}-{uuid.uuid4().hex}"
        self._task = RemoteTask(
            topic=self._name,
            arguments=tuple(arguments),
            environment={name: SecretStr(value) for name, value in environment.items()},
        )
        self._processes: dict[str, Future[None]] = {}
        self._known: set[str] = set()  # Dask workers that have our version
        self._hosts: dict[str, str] = {}  # of the tasks that have begun and not ended, by key
        self._news: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._peak, self._tasks, self._over, self._lonely = 1, 0, False, False

    def run(self, stop: threading.Event) -> None:
        """Work until what is watched is over.

        Raises:
            InterruptedWorkError: ``stop`` was set; the workers have left gracefully.
            WorkFailedError: The workers keep dying, or the scheduler is gone.
            InputError: A worker found its input bad.
        """
        self._client.subscribe_topic(self._name, self._hear)
        try:
            while not self._over:
                status = self._watch.look()
                self._over = status is not None and status.over
                if stop.wait(_POLL_SECONDS):
                    raise InterruptedWorkError("interrupted; run again to go on")
                self._listen()
                self._look_after()
            self._watch.look()
        finally:
            self._dismiss()

    def kill(self) -> None:
        """Do nothing: workers leave by themselves once the scheduler misses their client."""

    def _hear(self, event: tuple[float, dict[str, Any]]) -> None:
        """Take an event of the workers', in the client's own thread."""
        news = event[1]
        if "line" in news:
            self._say(f"{news['host']}: {news['line']}")
        else:
            self._news.put(news)

    def _listen(self, seconds: float = 0.0) -> None:
        """Take note of all that was heard; wait for it so long."""
        with suppress(queue.Empty):
            while True:
                news = self._news.get(timeout=seconds) if seconds else self._news.get_nowait()
                seconds = 0.0
                self._note(news)

    def _note(self, news: dict[str, Any]) -> None:
        key, host = news["key"], news["host"]
        if "begun" in news:
            self._hosts[key] = host
            return
        self._hosts.pop(key, None)
        ours = [address for address, future in self._processes.items() if future.key == key]
        if not ours:
            return  # it was dismissed
        self._processes.pop(ours[0]).release()
        if news["code"] == 0 and not news["dismissed"]:
            self._over = True
        elif news["code"] == InputError.exit_code:
            raise InputError(news["words"])
        elif not news["dismissed"]:
            how = f"exit code {news['code']}"
            self._reap(f"on {host}", how, news["words"], error=news["error"])

    def _look_after(self) -> None:
        """Drop processes whose Dask worker is gone, and send one to each Dask worker without."""
        present = self._present()
        if present is None or self._over:
            return
        for address in self._processes.keys() - present:
            self._drop(address)
        for address, future in list(self._processes.items()):
            if future.status == "error":
                self._fail(address, future)
            elif future.status in ("cancelled", "lost"):  # the connection was, for a while
                self._hosts.pop(str(future.key), None)
                del self._processes[address]
        for address in self._able(present - self._processes.keys()):
            self._send(address)
        self._peak = max(self._peak, len(present))
        if not present and not self._lonely:
            self._say("the cluster has no Dask worker; waiting for one")
        self._lonely = not present

    def _present(self) -> set[str] | None:
        """The addresses of all Dask workers; None while the scheduler does not answer."""
        if self._client.status in ("closing", "closed"):
            raise WorkFailedError("dask: the scheduler is gone; run again to go on")
        scheduler = self._client.scheduler
        if scheduler is None:
            return None
        try:
            answer = self._client.sync(scheduler.ncores, callback_timeout=_ANSWER_SECONDS)
        except (OSError, RuntimeError):
            return None
        return set(answer)

    def _able(self, addresses: set[str]) -> list[str]:
        """Those that answered and have our version; one without it would die of a task."""
        new = sorted(addresses - self._known)
        found = self._client.run(
            importlib.metadata.version, "lamsearch", workers=new, on_error="return"
        ) if new else {}  # fmt: skip
        for address, version in found.items():
            if isinstance(version, importlib.metadata.PackageNotFoundError):
                version = "none"
            if isinstance(version, str) and version != __version__:
                raise InputError(
                    f"dask: every Dask worker must have lamsearch {__version__}, "
                    f"got {version} at {address}"
                )
            if isinstance(version, str):
                self._known.add(address)
        return sorted(addresses & self._known)

    def _send(self, address: str) -> None:
        self._tasks += 1
        self._processes[address] = self._client.submit(
            run_remote_task, self._task, key=f"{self._name}-{self._tasks}", pure=False, retries=0,
            workers=[address], allow_other_workers=False,
        )  # fmt: skip

    def _drop(self, address: str) -> None:
        """Let go of a process whose Dask worker is gone; its cohort's lease runs out."""
        future = self._processes.pop(address)
        self._known.discard(address)
        future.release()
        host = self._hosts.pop(str(future.key), None)
        if host is not None:
            self._reap(f"on {host}", f"Dask worker {address} is gone", "it said nothing")

    def _fail(self, address: str, future: Future[None]) -> None:
        """Judge a task that Dask could not run, or whose Dask worker died again and again."""
        error = future.exception()
        self._hosts.pop(str(future.key), None)
        del self._processes[address]
        reason = scrub(str(error), "")
        self._reap(f"at {address}", type(error).__name__, reason, error=reason)

    def _reap(self, where: str, how: str, last_stderr: str, *, error: str | None = None) -> None:
        self._watch.count_death(self._peak, how, last_stderr)
        self._say(f"worker {where} died ({how}){f': {error}' if error else ''}; others go on")

    def _dismiss(self) -> None:
        """Tell those who still work to leave, and wait for them."""
        for future in self._processes.values():
            future.release()
        self._processes.clear()
        deadline = time.monotonic() + _GRACE_SECONDS
        while self._hosts and (left := deadline - time.monotonic()) > 0:
            self._listen(left)
        if self._hosts:
            who = "1 worker is" if len(self._hosts) == 1 else f"{len(self._hosts)} workers are"
            self._say(f"{who} still leaving; the cluster sees to it")


def _check(address: str) -> None:
    """Refuse what is no address: an empty one would start a cluster here."""
    try:
        parts = urlsplit(address)
        good = parts.scheme in _SCHEMES and parts.hostname and parts.port
    except ValueError:  # a port that is no number
        good = False
    if not good:
        raise InputError(
            "dask: must be the address of a scheduler such as tcp://host:8786, "
            f"got {shown(address)!r}"
        )
