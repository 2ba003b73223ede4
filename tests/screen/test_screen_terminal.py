"""What a terminal of 80 × 24 shows, and what a pipe gets instead."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lamsearch.screen import Screen, picture, print_status, print_table
from lamsearch.trials import Recovery, StageStatus, Status, WorkerStatus

WIDTH, HEIGHT = 80, 24
_TOKEN = re.compile(r"\x1b\[(\??[\d;]*)([A-Za-z])|(\r)|(\n)|(\x1b.)|([^\x1b\r\n]+)")


class Terminal:
    """As much of a terminal of 80 × 24 as rich's live display makes use of.

    ``frames`` are the pictures that were wiped out to be drawn anew, ``wrapped`` the lines that
    were too wide, ``codes`` the escape codes that came.
    """

    def __init__(self) -> None:
        self.rows: list[list[str]] = [[]]
        self.row = self.column = 0
        self.frames: list[str] = []
        self.wrapped: list[str] = []
        self.codes: set[str] = set()
        self._wiped: list[str] | None = None

    def feed(self, text: str) -> None:
        """Take what a program has written."""
        for parameters, final, carriage, line, other, plain in _TOKEN.findall(text):
            if carriage:
                self.column = 0
            elif line:
                self._down()
            elif plain:
                self._write(plain)
            else:
                assert final, f"an unknown code {other!r}"
                self.codes.add(parameters + final)
                self._control(parameters, final)

    def _down(self) -> None:
        self.row += 1
        while self.row >= len(self.rows):
            self.rows.append([])

    def _write(self, text: str) -> None:
        if self._wiped is not None:
            self.frames.append("\n".join(self._wiped[self.row :]))
            self._wiped = None
        row = self.rows[self.row]
        for letter in text:
            row += [" "] * (self.column + 1 - len(row))
            row[self.column] = letter
            self.column += 1
        if self.column > WIDTH:
            self.wrapped.append("".join(row))

    def _control(self, parameters: str, final: str) -> None:
        if final == "A":
            self.row -= int(parameters or 1)
            assert self.row >= len(self.rows) - HEIGHT, "the cursor left the screen at its top"
        elif final == "K":
            self._wiped = self._wiped or self.text().split("\n")
            self.rows[self.row] = []
        else:
            assert final in "mhlH", f"an unknown code {parameters}{final}"

    def text(self) -> str:
        """All that is to be seen, and has scrolled out at the top."""
        return "\n".join("".join(row).rstrip() for row in self.rows)

    def end(self) -> Terminal:
        """Take the last picture, which was wiped out and not drawn anew."""
        if self._wiped is not None:
            self.frames.append("\n".join(self._wiped[self.row :]))
        return self


class Pseudo:
    """A pseudo-terminal of 80 × 24 whose other end is read as fast as it is written."""

    def __init__(self) -> None:
        self._master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
        self._heard: list[bytes] = []
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            try:
                heard = os.read(self._master, 65536)
            except OSError:  # the other end is closed
                return
            if not heard:
                return
            self._heard.append(heard)

    def all(self) -> str:
        """Close the writing end; return everything that was written."""
        if self.slave >= 0:
            os.close(self.slave)
            self.slave = -1
            self._thread.join(20)
            os.close(self._master)
        return b"".join(self._heard).decode()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pseudo]:
    """Return a pseudo-terminal, in a world that says it is a common one."""
    for name in ("CI", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TTY_COMPATIBLE",
                 "TTY_INTERACTIVE", "JPY_PARENT_PID"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    found = Pseudo()
    yield found
    found.all()


def status(workers: int = 2, *, name: str = "digits", done: int = 700, host: str = "vm") -> Status:
    """Return a study in its fine stage with so many workers."""
    stages = (
        StageStatus(name="coarse", planned=16, finished=16, updates=9200, total=9200),
        StageStatus(name="fine", planned=16, finished=8, updates=done, total=13800),
    )
    held = tuple(
        WorkerStatus(
            owner=f"{host}:{100 + n}:abcdef", stage="fine", cohort=n, updates=n, total=1380,
            per_second=2200.0, renewed_ago=0.4, expired=False,
        )
        for n in range(workers)
    )  # fmt: skip
    recovered = Recovery(
        stage="fine", cohort=0, taken_from=f"{host}:99:abcdef", owner=held[0].owner if held else "",
        updates=900, total=1380,
    )  # fmt: skip
    return Status(
        name=name, state="running", stages=stages, workers=held, takeovers=1,
        recovered=(recovered,),
        best=(-2.5, 0.9652), failure=None, selected=None, elapsed=75.0,
    )  # fmt: skip


def shown(terminal: Pseudo, monkeypatch: pytest.MonkeyPatch, draw: Callable[[Screen], None]) -> str:
    """Return what `draw` writes when standard error is the pseudo-terminal."""
    with os.fdopen(os.dup(terminal.slave), "w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        with Screen() as screen:
            draw(screen)
        monkeypatch.undo()
    return terminal.all()


def after(text: str) -> Terminal:
    """Return a terminal that has got this text."""
    screen = Terminal()
    screen.feed(text)
    return screen.end()


def rendered(**rest: Any) -> list[str]:
    """Return the lines of a picture on an empty terminal of 80 × 24."""
    from rich.console import Console

    console = Console(width=WIDTH, height=HEIGHT, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    with console.file, console.capture() as capture:
        console.print(picture(**rest))
    return capture.get().splitlines()


def test_a_picture_names_stage_workers_best_and_time_left() -> None:
    """The picture of a study at work has its stage, workers, best so far and the time left."""
    lines = rendered(status=status(), left=125.0)
    title = lines[0]
    assert "digits  running  1:15" in title
    assert "2:05 left in stage" in title
    assert "best 96.52 % at log10 λ -2.500" in title
    (fine,) = [line for line in lines if line.startswith("fine")]
    assert "8/16" in fine
    assert "5 %" in fine
    at = next(place for place, line in enumerate(lines) if line.startswith("host"))
    assert lines[at].split() == ["host", "pid", "cohort", "updates", "per", "s", "renewed"]
    assert [line.split() for line in lines[at + 1 : at + 3]] == [
        ["vm", "100", "fine", "0", "0/1380", "2200", "0", "s", "ago"],
        ["vm", "101", "fine", "1", "1/1380", "2200", "0", "s", "ago"],
    ]
    assert lines[at + 3 :] == [
        "takeovers: 1",
        "recovered: fine 0 at update 900 of 1380, taken over from vm 99",
    ]
    assert max(map(len, lines)) <= WIDTH


def test_who_is_silent_is_seen() -> None:
    """A worker whose lease was not renewed is shown with how long ago that was, and as expired."""
    worker = replace(status(1).workers[0], renewed_ago=23.2, expired=True)
    lines = rendered(status=replace(status(1), workers=(worker,)))
    assert any(line.split()[-4:] == ["23", "s", "ago,", "expired"] for line in lines)


def test_a_hundred_workers_fit_24_lines(terminal: Pseudo, monkeypatch: pytest.MonkeyPatch) -> None:
    """The live screen of 100 workers fits 24 lines and says how many more there are."""
    screen = after(shown(terminal, monkeypatch, lambda one: one.show(status(100))))
    frame = screen.frames[-1].splitlines()
    assert len(frame) <= HEIGHT
    workers = [line for line in frame if line.endswith(" s ago")]
    assert len(workers) >= 8
    assert f"… {100 - len(workers)} more workers" in frame[-3]
    assert frame[-1].startswith("recovered: ")
    assert screen.wrapped == []


def test_long_names_do_not_break_the_live_screen(
    terminal: Pseudo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A study's name of 100 characters and a long host's name make no line wider than 80."""
    long = status(3, name="n" * 100, host="a-very-long-host-name." * 4)
    screen = after(shown(terminal, monkeypatch, lambda one: one.show(long)))
    assert screen.wrapped == []
    assert len(screen.frames[-1].splitlines()) <= HEIGHT


def test_lines_are_printed_above_the_live_screen(
    terminal: Pseudo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that is said stays, brackets and all; the live screen is gone at the end."""

    def draw(screen: Screen) -> None:
        screen.show(status())
        screen.say("worker 7 died [exit code -9]; another takes its place")
        screen.show(status(done=800))

    screen = after(shown(terminal, monkeypatch, draw))
    assert screen.text().strip() == "worker 7 died [exit code -9]; another takes its place"


@pytest.mark.parametrize(("variable", "value"), [("TERM", "dumb"), ("CI", "true")])
def test_no_drawing_where_none_is_wanted(
    terminal: Pseudo, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """On a dumb terminal and in CI progress is plain lines without a single escape code."""
    monkeypatch.setenv(variable, value)

    def draw(screen: Screen) -> None:
        screen.show(status())
        screen.say("a line")
        screen.show(status(done=800))

    text = shown(terminal, monkeypatch, draw)
    assert "\x1b" not in text
    assert text.split("\r\n") == [
        "coarse: 16/16 trials, 100 %  best 96.52 % at log10 λ -2.500",
        "fine: 8/16 trials, 5 %  best 96.52 % at log10 λ -2.500",
        "a line",
        "",
    ]


def test_no_colour_where_none_is_wanted(terminal: Pseudo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under NO_COLOR the live screen has no colour."""
    monkeypatch.setenv("NO_COLOR", "1")
    screen = after(shown(terminal, monkeypatch, lambda one: one.show(status())))
    looks = {part for code in screen.codes if code.endswith("m") for part in code[:-1].split(";")}
    assert not {look for look in looks if look and int(look) >= 30}
    assert any("digits  running" in frame for frame in screen.frames)


def test_a_pipe_gets_a_line_per_change(capfd: pytest.CaptureFixture[str]) -> None:
    """Without a terminal a stage is told when its finished trials change, not more often."""
    with Screen() as screen:
        for done in (700, 701, 702):
            screen.show(status(done=done))
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 2
    assert not any("\x1b" in line for line in lines)


def test_status_and_tables_print_markup_as_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    """Names with square brackets are shown as they are, not taken for markup."""
    print_status(status(1, name="a[bold]b"))
    print_table(["name"], [["[red]x"]], title="t")
    out = capsys.readouterr().out
    assert "a[bold]b  running" in out
    assert "[red]x" in out


def test_the_real_run_on_a_real_terminal(
    terminal: Pseudo, study_file: Callable[..., Path], tmp_path: Path
) -> None:
    """`run` on a terminal of 80 × 24 shows stage, workers, best and time left, and fits."""
    path = study_file(
        cohort=2, training={"step_size": 9000, "sample_every": "cycle"}, coarse={"trials": 4},
        fine=None, finalists=None, final=None,
    )  # fmt: skip
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LAMSEARCH_")}
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "lamsearch", "run", path, "--workers", "2", "--lease-seconds",
         "1"],
        cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=terminal.slave,
    )  # fmt: skip
    assert process.wait(100) == 0
    screen = after(terminal.all())
    assert screen.wrapped == []
    assert max(len(frame.splitlines()) for frame in screen.frames) <= HEIGHT
    seen = "\n".join(screen.frames)
    assert "small  running" in seen
    assert "left in stage" in seen
    assert re.search(r"coarse +━+.* \d/4", seen)
    assert re.search(r"\S+ +\d+ +coarse [01] +\d+/18000 +\d+ +\d s ago", seen)
    assert re.search(r"best \d+\.\d\d % at log10 λ -\d\.\d\d\d", seen)
    assert screen.text().strip() == "report: lamsearch-report/small"
