"""`status --watch`: through outages, for one study or for all, until they are over."""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import forked
import pytest
from cli_studies import SMALL

from benchmarks.postgres import Server
from lamsearch import storage as store
from lamsearch.storage import Database
from lamsearch.terminal import Screen
from lamsearch.worker import Settings, StudyWorker


class Watcher:
    """A real `lamsearch status --watch`, and the lines that it says one by one."""

    def __init__(self, url: str, *names: str) -> None:
        self.process = forked.Popen(
            [*forked.COMMAND, "status", *names, "--watch"],
            env={**os.environ, "LAMSEARCH_STORAGE": url}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.lines: list[str] = []
        self._news: queue.Queue[str] = queue.Queue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def until(self, opening: str) -> str:
        """Return the next line that opens so."""
        while True:
            line = self._news.get(timeout=60)
            self.lines.append(line)
            if line.startswith(opening):
                return line

    def end(self) -> tuple[int, str]:
        """Return its exit code and standard output once it has ended."""
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            text = stream.read()
        self._listener.join(60)
        while not self._news.empty():
            self.lines.append(self._news.get())
        return self.process.wait(60), text

    def _listen(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as stream:
            for line in stream:
                self._news.put(line.rstrip())


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A PostgreSQL server that can go away."""
    with Server(tcp=True) as one:
        yield one


@pytest.fixture
def plan(desk: Any) -> Any:
    """Plan studies on a storage."""

    def planned(url: str, *names: str) -> None:
        for name in names:
            path = desk.write(name, SMALL[: SMALL.index("[fine]")])
            assert desk("create", path, "--storage", url).exit_code == 0

    return planned


def work(url: str, directory: Path, name: str) -> None:
    """Do all of a study in this process."""
    database = Database(url)
    stored = store.load(database, name)
    settings = Settings(data_directory=directory)
    StudyWorker(database, stored, settings, stop=threading.Event(), say=lambda _: None).run()
    database.close()


def test_a_watcher_outlives_an_outage(server: Server, plan: Any, desk: Any) -> None:
    """While PostgreSQL is away --watch says so in one line, and in one that it is back, and goes
    on to the study's end."""
    url = server.database()
    plan(url, "small")
    watcher = Watcher(url, "small")
    watcher.until("coarse: 0 % of 5 trials")
    server.stop("immediate")
    watcher.until("database away")
    server.start()
    watcher.until("database back")
    work(url, desk.directory, "small")
    code, text = watcher.end()
    assert code == 0, watcher.lines
    assert "small  done" in text
    assert sum("database" in line for line in watcher.lines) == 2


@pytest.mark.parametrize("away", [False, True], ids=["at work", "in an outage"])
def test_leaving_a_watch_is_quick(server: Server, plan: Any, away: bool) -> None:
    """Ctrl-C ends --watch at once, with exit code 130 and one sentence."""
    url = server.database()
    plan(url, "small")
    watcher = Watcher(url, "small")
    watcher.until("coarse: 0 % of 5 trials")
    if away:
        server.stop("fast")
    try:
        if away:
            watcher.until("database away")
        watcher.process.send_signal(signal.SIGINT)
        begun = time.monotonic()
        watcher.until("Error: interrupted")
        assert time.monotonic() - begun < 3  # machines with other work are slow
        assert watcher.end()[0] == 130
        assert not any("saving" in line for line in watcher.lines)
    finally:
        if away:
            server.start()


def test_without_a_name_all_studies_are_watched(plan: Any, desk: Any) -> None:
    """--watch without a name goes on until all studies are over, also one that came later."""
    plan(desk.url, "one", "two")
    watcher = Watcher(desk.url)
    watcher.until("one: queued, 0 %")
    watcher.until("two: queued, 0 %")
    plan(desk.url, "three")
    watcher.until("three: queued, 0 %")
    for name in ("one", "two", "three"):
        assert watcher.process.poll() is None
        work(desk.url, desk.directory, name)
    code, text = watcher.end()
    assert code == 0, watcher.lines
    assert all(re.search(rf"^{name} +done", text, re.MULTILINE) for name in ("one", "two", "three"))


def test_a_watch_of_no_studies_ends(desk: Any) -> None:
    """--watch of a storage without studies says so and ends."""
    Database(desk.url).close()
    result = desk.well("status", "--watch")
    assert (result.stdout, result.stderr) == ("", "no studies\n")


def test_a_deleted_study_ends_its_watch(plan: Any, desk: Any) -> None:
    """A study that is deleted while it is watched is one sentence, and exit code 2."""
    plan(desk.url, "small")
    watcher = Watcher(desk.url, "small")
    watcher.until("coarse: 0 % of 5 trials")
    desk.well("delete", "small", "--yes")
    watcher.until("Error: study: no study 'small'")
    assert watcher.end()[0] == 2


def test_a_report_waits_for_a_database_that_is_away_just_then(
    server: Server, plan: Any, desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run whose database goes away when all is done still writes its report once it is back."""
    url = server.database()
    plan(url, "small")
    work(url, desk.directory, "small")
    stopped = threading.Event()
    enter = Screen.__enter__

    def away(screen: Screen) -> Screen:  # all is planned, and nothing is left to be done
        server.stop("fast")
        stopped.set()
        threading.Timer(1.0, server.start).start()
        return enter(screen)

    monkeypatch.setattr(Screen, "__enter__", away)
    result = desk("run", "small.toml", "--storage", url, "--output", "out")
    assert stopped.is_set()
    assert result.exit_code == 0, result.stderr
    assert result.stderr.count("database away") == result.stderr.count("database back") == 1
    assert (desk.directory / "out/results.json").is_file()
