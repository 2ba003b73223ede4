"""A study to be spoiled: as it was, as often as it is asked for, and every verb called on it.

Enters: a directory, a kind of storage, how far the study is. Leaves: sentences on what a verb or
a page did that it must not. Refuses to know what was spoiled.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal
from unittest import mock

import sqlalchemy as sa
from click.testing import CliRunner

from benchmarks.hostile_values import CANARY, Column, columns
from benchmarks.witness import Witness
from lamsearch.cli import cli, watching
from lamsearch.errors import LamsearchError
from lamsearch.planning import Places
from lamsearch.storage import Database, Leases, Mode, View
from lamsearch.visible import is_obeyed
from lamsearch.web import serving
from lamsearch.web.access_control import AccessControl, Rules
from lamsearch.web.attempts import Attempts
from lamsearch.web.connections import Server
from lamsearch.web.error_handling import _BROKEN
from lamsearch.web.studies import Studies
from lamsearch.worker import study_worker

Kind = Literal["sqlite", "postgresql"]
STUDY = """
name = "small"
seed = 7
cohort = 2
[data]
source = "digits"
train = 100
validation = 50
test = 50
[network]
hidden = 4
[training]
batch_size = 20
step_size = 5
cycles = 2
[coarse]
trials = 4
log10_lambda = [-5.0, -1.0]
[fine]
trials = 2
keep = 2
[finalists]
keep = 2
replicates = 2
[final]
replicates = 2
"""
READING = [
    ("status",), ("status", "small"), ("status", "small", "--json"), ("status", "--json"),
    ("status", "--watch"), ("report", "small", "--json"), ("storage", "check"),
]  # fmt: skip
CHANGING = [
    ("prioritize", "small", "3"), ("pause", "small"), ("resume", "small"), ("finish", "small"),
    ("worker", "small"), ("worker", "--exit-when-idle"), ("create", "small.toml"),
    ("storage", "upgrade"), ("cancel", "small"),
    ("delete", "--older-than", "1s", "--state", "done", "--state", "cancelled", "--yes"),
    ("delete", "small", "--yes"),
]  # fmt: skip
# Those that take seconds, and get fewer values.
SLOW = [
    ("report", "small", "--output", "out"),
    ("run", "small.toml", "--workers", "1", "--output", "ran"),
]  # fmt: skip
BROWSING = ("dashboard",)
ALL = [*READING, BROWSING, *SLOW, *CHANGING]
_OWN = [  # of ours, beside Optuna's
    "/", "/studies/small/", "/studies/small/results.json", "/studies/small/trials.csv",
    "/api/v1/studies", "/api/v1/studies/small", "/api/v1/studies/small/result", "/metrics",
]  # fmt: skip
_PAGES = [
    "/api/studies/{}", "/csv/{}", "/api/studies/{}/param_importances", "/dashboard/studies/{}",
]  # fmt: skip
_witnesses: list[Witness] = []  # one for the process: an audit hook cannot be removed


class Desk:
    """A directory with a study in it, put back before each value."""

    def __init__(
        self, directory: Path, kind: Kind, state: str, server: str, witness: Witness
    ) -> None:
        self.kind, self.state, self._server, self._witness = kind, state, server, witness
        self.directory, self.outside = directory / "desk", directory / "outside"
        self._kept = directory / f"kept-{kind}-{state}"
        self._template = f"kept_{os.getpid()}_{state}"
        self._database = f"desk_{os.getpid()}"
        self.answers: Counter[str] = Counter()
        self._asked = 0
        self.url = f"sqlite:///{self.directory / 'lamsearch.db'}"
        if kind == "postgresql":
            self.url = sa.make_url(server).set(
                drivername="postgresql", database=self._database
            ).render_as_string(hide_password=False)  # fmt: skip

    def prepare(self) -> None:
        """Make the study, as far as it is to be, and learn what undisturbed verbs open."""
        _empty(self.directory)
        (self.directory / "small.toml").write_text(STUDY)
        if self.kind == "postgresql":
            self._command(f"DROP DATABASE IF EXISTS {self._database} WITH (FORCE)",
                          f"CREATE DATABASE {self._database}")  # fmt: skip
        os.chdir(self.directory)
        with _stopping(self.state == "half"):
            for verb in (("create", "small.toml"), ("worker", "small")):
                CliRunner().invoke(cli, [*verb, "--storage", self.url])
        shutil.rmtree(self._kept, ignore_errors=True)
        shutil.copytree(self.directory, self._kept)
        if self.kind == "postgresql":
            self._command(f"CREATE DATABASE {self._template} TEMPLATE {self._database}")
        self.columns: list[Column] = columns(self.url)
        self.reset()
        verbs = [verb for verb in ALL if verb not in SLOW or not self._witness.learnt]
        found = self.examine(verbs, learn=True)
        assert found == [], found
        self._witness.learnt = True

    def reset(self) -> None:
        """Put the study back as it was."""
        _empty(self.directory)
        _empty(self.outside)
        shutil.copytree(self._kept, self.directory, dirs_exist_ok=True)
        (self.outside / "checkpoints").mkdir()
        (self.outside / "checkpoints" / "mine").write_text("mine")
        os.chdir(self.directory)
        if self.kind == "postgresql":
            self._command(
                f"DROP DATABASE IF EXISTS {self._database} WITH (FORCE)",
                f"CREATE DATABASE {self._database} TEMPLATE {self._template}",
            )

    def close(self) -> None:
        """Give up the databases."""
        if self.kind == "postgresql":
            self._command(f"DROP DATABASE IF EXISTS {self._database} WITH (FORCE)",
                          f"DROP DATABASE {self._template} WITH (FORCE)")  # fmt: skip

    def examine(self, verbs: list[tuple[str, ...]], *, learn: bool = False) -> list[str]:
        """Call verbs, one after another; return what they did that they must not."""
        self.answers = Counter()
        wrong: list[str] = []
        before = _listing(self.outside)
        for verb in verbs:
            wrong += self._browse(learn) if verb == BROWSING else self._call(verb, learn)
        if _listing(self.outside) != before:
            wrong.append(f"files outside: {_listing(self.outside)}")
        for page in self.directory.glob("*/index.html"):
            if f"<script>{CANARY}" in page.read_text(encoding="utf-8"):
                wrong.append(f"{page.parent.name}: a script in the report's page")
        return wrong

    def _call(self, verb: tuple[str, ...], learn: bool) -> list[str]:
        said = " ".join(verb)
        self._witness.programs = ("-m lamsearch worker small",) if verb[0] == "run" else ()
        with self._witness.watch(learn=learn) as seen, _once():
            result = CliRunner().invoke(cli, [*verb, "--storage", self.url])
        self.answers[f"exit {result.exit_code}"] += 1
        wrong = [f"{said}: {line}" for line in seen]
        died = result.exception
        if died is not None and not isinstance(died, SystemExit):
            wrong.append(f"{said}: {died!r}"[:500])
        if result.exit_code not in (0, 1, 2) and (verb[-1], result.exit_code) != ("--watch", 130):
            wrong.append(f"{said}: exit code {result.exit_code}")
        text = result.stdout + result.stderr
        if "Traceback" in text:
            wrong.append(f"{said}: traceback {text[-300:]!r}")
        if any(is_obeyed(letter) for letter in text if letter != "\n"):
            wrong.append(f"{said}: what a terminal obeys {text!r}"[:500])
        if "--json" in verb and result.exit_code == 0:
            json.loads(result.stdout, parse_constant=lambda name: wrong.append(f"{said}: {name}"))
        return wrong

    def _browse(self, learn: bool) -> list[str]:
        """Ask for the dashboard's pages."""
        wrong: list[str] = []
        with self._witness.watch(learn=learn) as seen:
            try:
                with self._served() as (port, said):
                    self._witness.ports = {port}
                    wrong += self._pages(port, everything=learn)
            except LamsearchError as error:
                said = [str(error)]
                self.answers["dashboard refused"] += 1
        if any("Traceback" in line for line in said):
            wrong.append(f"dashboard: {said}")
        return wrong + [f"dashboard: {line}" for line in seen]

    def _pages(self, port: int, *, everything: bool) -> list[str]:
        """Our pages, some in turn, the list of studies, and of each study one of its pages."""
        wrong: list[str] = []
        paths = ["/api/studies", *(_OWN if everything else _OWN[self._asked % 2 :: 2])]
        for path in paths:
            status, headers, body = _ask(port, path)
            self.answers[f"page {status}"] += 1
            wrong += _judge(path, status, headers, body)
            if status != 200 or path in _OWN:
                continue
            if path == "/api/studies":
                for one in json.loads(body)["study_summaries"][:8]:
                    found = [kind.format(one["study_id"]) for kind in _PAGES]
                    turn = self._asked % len(found)
                    paths += found if everything else ["/api/meta", found[0], found[turn]]
                    self._asked += 1
            elif path.startswith("/api/studies/") and "trials" in (document := json.loads(body)):
                number = path.rpartition("/")[2]
                for trial in document["trials"][:1]:
                    found = [one["artifact_id"] for one in trial.get("artifacts", [])]
                    wanted = found if everything or self._asked % 8 == 0 else found[1:2]
                    paths += [f"/artifacts/{number}/{trial['trial_id']}/{one}" for one in wanted]
        return wrong

    @contextmanager
    def _served(self) -> Iterator[tuple[int, list[str]]]:
        """A dashboard as `lamsearch dashboard` makes one, in a thread."""
        said: list[str] = []
        with (
            closing(socket.create_server(("127.0.0.1", 0))) as listening,
            closing(Database(self.url, Mode.READ, connections=4)) as database,
            closing(View(database, writable=False)) as view,
        ):
            port = listening.getsockname()[1]
            places = Places(
                data_directory=self.directory / "data", cache_directory=self.directory / "cache",
                given=None, default=str(self.directory / "lamsearch-files"),
            )  # fmt: skip
            application = serving.application(view, Studies(database, places), said.append)
            rules = Rules(hosts=frozenset({f"127.0.0.1:{port}"}))
            door = AccessControl(application, rules, Attempts(said.append))
            server = Server(door, listening, may_send=door.may_send, threads=2)
            thread = threading.Thread(target=server.run, daemon=True)
            thread.start()
            try:
                yield port, said
            finally:
                server.task_dispatcher.shutdown()
                if thread.is_alive():  # else it has closed itself
                    server.trigger.pull_trigger(server.close)  # in its own thread
                thread.join(10)

    def _command(self, *words: str) -> None:
        url = sa.make_url(self._server).set(drivername="postgresql+psycopg")
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:
            for one in words:
                connection.execute(sa.text(one))


def make_desk(directory: Path, kind: Kind, state: str, server: str) -> Desk:
    """Return a desk in a directory, whose study is ``done`` or ``half`` done."""
    cache = directory / "cache"
    os.environ["LAMSEARCH_CACHE"] = str(cache)
    if not _witnesses:
        _witnesses.append(Witness([directory / "desk", cache], canary=CANARY))
    desk = Desk(directory, kind, state, server, _witnesses[0])
    desk.prepare()
    return desk


def _ask(port: int, path: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path)
        found = connection.getresponse()
        return found.status, {k.lower(): v for k, v in found.getheaders()}, found.read()
    finally:
        connection.close()


def _judge(path: str, status: int, headers: dict[str, str], body: bytes) -> list[str]:
    """What is wrong with an answer: it may be an error, but one in a sentence of ours."""
    wrong = []
    if b"Traceback" in body:
        wrong.append(f"{path}: traceback in the page")
    if status >= 500 and status != 503 and _BROKEN.encode() not in body:
        wrong.append(f"{path}: {status} {body[:200]!r}")
    if headers.get("x-content-type-options") != "nosniff":
        wrong.append(f"{path}: {status} without our headers")
    return wrong


@contextmanager
def _once() -> Iterator[None]:
    """Have `status --watch` look once, as if interrupted then."""

    @contextmanager
    def leaving(*_: Any, **__: Any) -> Iterator[threading.Event]:
        stop = threading.Event()
        stop.set()
        yield stop

    with mock.patch.object(watching, "leaving", leaving):
        yield


@contextmanager
def _stopping(wanted: bool) -> Iterator[None]:
    """Have a worker leave gracefully in the middle of the fine stage, with a checkpoint."""
    if not wanted:
        yield
        return
    reports, real, make = [0], Leases.report, study_worker.StudyWorker.__init__
    stops: list[threading.Event] = []

    def init(self: Any, *arguments: Any, stop: threading.Event, **rest: Any) -> None:
        stops.append(stop)
        make(self, *arguments, stop=stop, **rest)

    def stopping(self: Leases, *arguments: Any) -> Any:
        reports[0] += 1
        if reports[0] == 5:  # two cohorts of coarse report twice each
            stops[-1].set()
        return real(self, *arguments)

    with (
        mock.patch.object(Leases, "report", stopping),
        mock.patch.object(study_worker.StudyWorker, "__init__", init),
    ):
        yield


def _empty(directory: Path) -> None:
    """Make a directory empty, and itself stay: it may be the working directory."""
    directory.mkdir(exist_ok=True)
    for path in directory.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _listing(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))
