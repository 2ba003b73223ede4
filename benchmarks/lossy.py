"""A stage transition on a network that loses packets: how many statements it takes, and how long.

Enters: nothing. Leaves: one line. Between a worker and a real PostgreSQL stands a
proxy that holds back a share of what it passes on, each way, as a lost segment is that TCP sends
again; what comes after it waits behind it.
"""

from __future__ import annotations

import argparse
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import sqlalchemy as sa

from benchmarks.postgres import Server
from lamsearch.results import Trained, TrialState
from lamsearch.storage import Claim, Database, Heartbeat, Leases, advance, create
from lamsearch.study import parse_study

SHARE, LONGEST, SHORTEST = 0.3, 3.0, 1.0  # of segments; seconds that one is late


class Lossy:
    """A way to a server on which a share of the segments is late; none are at first."""

    def __init__(self, port: int) -> None:
        self._server, self._random = port, random.Random(1)  # noqa: S311 - no secret
        self.share = 0.0
        self.late = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._server))
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=ends, daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(1448):  # a segment
                if self._random.random() < self.share:
                    self.late += 1
                    time.sleep(self._random.uniform(SHORTEST, LONGEST))
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)


@contextmanager
def counted() -> Iterator[list[str]]:
    """Note the statements that are sent."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        sent.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    yield sent
    sa.event.remove(sa.Engine, "before_cursor_execute", note)


def study(trials: int) -> dict[str, object]:
    """Return a study of a coarse and a fine stage of so many trials each."""
    return {
        "name": "lossy", "seed": 1, "cohort": 8,
        "data": {"source": "digits", "train": 300, "validation": 100, "test": 200},
        "network": {"hidden": 8}, "training": {"batch_size": 20, "step_size": 15, "cycles": 1},
        "coarse": {"trials": trials, "log10_lambda": [-5.0, -1.0]}, "fine": {"trials": trials},
        "final": {"train": 350, "validation": 50},
    }  # fmt: skip


def complete(leases: Leases) -> None:
    """Complete the cohorts of the coarse stage with made-up results."""
    heartbeat = Heartbeat(updates=30, per_second=1.0)
    while isinstance(claim := leases.claim(), Claim) and claim.stage == "coarse":
        scores = [0.9 - 0.02 * (trial.point[0] + 3.0) ** 2 for trial in claim.trials]
        outcomes = [Trained(state=TrialState.COMPLETE, score=s, validation_loss=1 - s,
                        train_score=s) for s in scores]  # fmt: skip
        leases.complete(claim, outcomes, heartbeat, 1.0)
        row = "SELECT count(*) FROM lamsearch_cohort WHERE state <> 2"
        with leases._database.read() as transaction:
            if not transaction.connection.scalar(sa.text(row)):
                return


def measure(trials: int, share: float) -> tuple[int, int, float]:
    """Return statements, late segments and seconds of the transition from coarse to fine."""
    with Server(tcp=True) as server:
        url = sa.make_url(server.database())
        lossy = Lossy(int(url.port or 0))
        near = Database(url.set(port=lossy.port).render_as_string(hide_password=False))
        made = parse_study(study(trials))
        create(near, made, data_fingerprint="d" * 64, classes=("0", "1"), origin="/", files="/f",
               validation_images=dict.fromkeys(made.stages, 100))  # fmt: skip
        complete(Leases(near, "lossy", owner="worker", seconds=600.0))
        lossy.share = share
        begun = time.monotonic()
        with counted() as sent:
            advance(near, "lossy")
        seconds = time.monotonic() - begun
        lossy.share = 0.0
        near.close()
    return len(sent), lossy.late, seconds


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=20, help="of each stage")
    parser.add_argument("--share", type=float, default=SHARE, help="of the segments that are late")
    given = parser.parse_args()
    statements, late, seconds = measure(given.trials, given.share)
    print(f"{given.trials} trials: {statements} statements, {late} late segments, {seconds:.1f} s")


if __name__ == "__main__":
    main()
