"""What a terminal of 80 × 24 and smaller ones show, and what a pipe gets instead."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pseudo_terminal import HEIGHT, WIDTH, Pseudo, status, watched

from lamsearch.terminal import Screen, print_status, print_table

_COLOUR = re.compile(r"\x1b\[[\d;]*m")
Open = Callable[..., Pseudo]


def shown(
    terminal: Pseudo, monkeypatch: pytest.MonkeyPatch, draw: Callable[[Screen], object],
    encoding: str = "utf-8",
) -> str:  # fmt: skip
    """Return what `draw` writes when standard error is the pseudo-terminal."""
    # rich asks the streams of the process for the size, which here are not this terminal
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    monkeypatch.setenv("LINES", str(HEIGHT))
    with os.fdopen(os.dup(terminal.slave), "w", encoding=encoding) as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        with Screen() as screen:
            draw(screen)
        monkeypatch.undo()
    return terminal.all()


def started(terminal: Pseudo, code: str, **streams: Any) -> subprocess.Popen[bytes]:
    """Start a process on the terminal: rich asks the streams of a process for their size."""
    imports = """
import sys
from pseudo_terminal import status
from lamsearch.terminal import Screen, print_status
"""
    given = {"stdin": subprocess.DEVNULL, "stdout": terminal.slave, "stderr": terminal.slave}
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    return subprocess.Popen(
        [sys.executable, "-c", imports + code], env=environment, **{**given, **streams}
    )


def test_a_hundred_workers_fit_24_lines(terminal: Pseudo, monkeypatch: pytest.MonkeyPatch) -> None:
    """The live screen of 100 workers fits 24 lines and says how many more there are."""
    seen = watched(shown(terminal, monkeypatch, lambda one: one.show(status(100)))).screens[-1]
    workers = [line for line in seen.rows if line.endswith(" s ago")]
    assert len(workers) == 8
    assert "  … 92 more workers" in seen.rows
    assert any(line.startswith("recovered: ") for line in seen.rows)
    assert any("★" in line for line in seen.rows)
    assert (seen.scrolled, seen.wraps) == (0, 0)


def test_long_names_do_not_break_the_live_screen(
    terminal: Pseudo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A study's name of 100 characters and a long host's name wrap no line and hide no state."""
    long = status(3, name="n" * 100, host="a-very-long-host-name." * 4)
    seen = watched(shown(terminal, monkeypatch, lambda one: one.show(long))).screens[-1]
    assert "…  running  1:15" in seen.rows[0]
    assert (seen.scrolled, seen.wraps) == (0, 0)


def test_lines_are_printed_above_the_live_screen(
    terminal: Pseudo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that is said stays, brackets and all; the live screen is gone at the end."""

    def draw(screen: Screen) -> None:
        screen.show(status())
        screen.say("worker 7 died [exit code -9]; another takes its place")
        screen.show(status(done=800))

    glass = watched(shown(terminal, monkeypatch, draw)).glass
    assert glass.rows() == ["worker 7 died [exit code -9]; another takes its place"]
    assert not glass.cursor.hidden


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
        "coarse: 100 % of 16 trials  best 96.52 % at log10 λ -2.500",
        "fine: 5 % of 16 trials  best 96.52 % at log10 λ -2.500",
        "a line",
        "",
    ]


def test_no_colour_where_none_is_wanted(terminal: Pseudo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under NO_COLOR the live screen has no colour, and its plot all the same."""
    monkeypatch.setenv("NO_COLOR", "1")
    text = shown(terminal, monkeypatch, lambda one: one.show(status()))
    looks = {part for code in _COLOUR.findall(text) for part in code[2:-1].split(";")}
    assert not {look for look in looks if look and int(look) >= 30}
    assert "digits  running" in watched(text).screens[-1].rows[0]
    assert "★" in text


def test_colour_where_nothing_is_said_of_it(
    terminal: Pseudo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a common terminal the live screen has colours."""
    text = shown(terminal, monkeypatch, lambda one: one.show(status()))
    assert any(re.search(r"\b3\d", code) for code in _COLOUR.findall(text))


def test_a_terminal_without_utf_8_gets_plain_letters(
    terminal: Pseudo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where standard error is ASCII the whole screen is, plot and foreign names too."""
    foreign = status(name="größe", host="höst")
    text = shown(terminal, monkeypatch, lambda one: one.show(foreign), encoding="ascii")
    lines = watched(text).screens[-1].rows
    assert text.isascii()
    assert lines[0].startswith("grosse  running")
    assert any(line.endswith("log10 lambda") for line in lines)


def test_a_resized_terminal_gets_pictures_of_its_new_size(terminal: Pseudo) -> None:
    """After the window became 50 × 10 in mid-run no figure is taller or wider than that."""
    code = """
with Screen() as screen:
    for name, workers in (("before", 2), ("after", 20)):
        screen.show(status(workers, name=name))
        sys.stdin.readline()
"""
    process = started(terminal, code, stdin=subprocess.PIPE)
    assert process.stdin is not None
    terminal.wait(lambda text: "log10 λ\x1b" in text)
    terminal.resize(50, 10)
    process.stdin.write(b"\n")
    process.stdin.flush()
    terminal.wait(lambda text: text.count("\x1b[1mafter") >= 2)
    process.communicate(b"\n", 20)
    text = terminal.all()
    start = text.rindex("\r\x1b[2K", 0, text.index("\x1b[1mafter"))
    found = watched(text[:start])
    assert len(found.screens[0].rows) > 10
    found.glass.resize(10, 50)
    wraps, scrolled = found.glass.wraps, found.glass.scrolled
    found.screens.clear()
    found.feed(text[start:])
    assert found.screens[0].rows[0].startswith("after  running")
    assert (found.glass.wraps, found.glass.scrolled) == (wraps, scrolled)
    assert found.glass.rows() == [""]


@pytest.mark.parametrize("forced", [False, True])
def test_a_pipe_gets_a_line_per_change(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, forced: bool
) -> None:
    """In a pipe a stage is told when its finished trials change, without any escape code."""
    monkeypatch.delenv("CI", raising=False)
    if forced:
        monkeypatch.setenv("FORCE_COLOR", "1")
    with Screen() as screen:
        for done in (700, 701, 702):
            screen.show(status(done=done))
    print_status(status())
    out, err = capfd.readouterr()
    assert len(err.splitlines()) == 2
    assert "digits  running" in out
    assert "★" not in out
    assert "\x1b" not in out + err


def test_status_and_tables_print_markup_as_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    """Names with square brackets are shown as they are, not taken for markup."""
    print_status(status(1, name="a[bold]b"))
    print_table(["name"], [["[red]x"]], title="t")
    out = capsys.readouterr().out
    assert "a[bold]b  running" in out
    assert "[red]x" in out


@pytest.mark.parametrize(("height", "plotted"), [(24, True), (15, False)])
def test_status_draws_a_plot_on_a_terminal_that_is_tall_enough(
    open_terminal: Open, height: int, plotted: bool
) -> None:
    """`status` on a terminal prints all there is; the plot too, where all fits with it."""
    terminal = open_terminal(WIDTH, height)
    assert started(terminal, "print_status(status(4))").wait(20) == 0
    glass = watched(terminal.all(), height=height).glass
    assert glass.scrolled == 0
    assert any("★" in line for line in glass.rows()) == plotted
    assert sum(line.endswith(" s ago") for line in glass.rows()) == 4


@pytest.mark.parametrize(("width", "height"), [(WIDTH, HEIGHT), (60, 15)])
def test_the_real_run_on_a_real_terminal(
    open_terminal: Open, study_file: Callable[..., Path], tmp_path: Path, width: int, height: int
) -> None:
    """`run` shows stage, workers, best, speed, time left and plot, fits, and leaves the answer."""
    terminal = open_terminal(width, height)
    path = study_file(
        cohort=1, training={"step_size": 8000, "sample_every": "cycle"}, coarse={"trials": 6},
        fine=None, finalists=None, final=None,
    )  # fmt: skip
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LAMSEARCH_")}
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "lamsearch", "run", path, "--workers", "2", "--lease-seconds",
         "1"],
        cwd=tmp_path, env=environment, stdin=terminal.slave, stdout=terminal.slave,
        stderr=terminal.slave,
    )  # fmt: skip
    assert process.wait(100) == 0
    found = watched(terminal.all(), width, height)
    live = [seen for seen in found.screens if "  running  " in seen.rows[0]]
    assert len(live) > 10
    assert {(seen.scrolled, seen.wraps) for seen in live} == {(0, 0)}
    assert max(len(seen.rows) for seen in live) < height
    text = "\n".join("\n".join(seen.rows) for seen in live)
    assert re.search(r"small  running  \d:\d\d  \d:\d\d left$", text, re.MULTILINE)
    assert re.search(r"best \d+\.\d\d % at log10 λ -\d\.\d\d\d  \d+ updates/s", text)
    assert re.search(r"coarse +━+.* \d+ % of 6 trials", text)
    assert re.search(r"\S+ +\d+ +coarse \d +\d+/16000 +\d+ +\d s ago", text)
    assert re.search(r"validation accuracy  · coarse  ★ best mean\n(?:.*[┤│].*\n)*.*[┤│].*★", text)
    assert re.search(r"-\d.* log10 λ$", text, re.MULTILINE)
    # on a low terminal the answer's first lines have scrolled up by the end
    assert "Chosen λ" in terminal.all()
    assert "s ago" not in "\n".join(found.glass.rows())
    assert not found.glass.cursor.hidden
