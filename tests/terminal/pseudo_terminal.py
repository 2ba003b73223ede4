"""A real pseudo-terminal with a screen behind it, and a study's status to draw on it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import termios
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pyte

from lamsearch.storage import Recovery, Scored, StageStatus, Status, WorkerStatus

WIDTH, HEIGHT = 80, 24
_REDRAW = re.compile(r"(?=\r\x1b\[(?:2K|1A))")  # how rich begins to wipe a figure out


class Glass(pyte.HistoryScreen):
    """A terminal's screen that counts the lines that were too wide and wrapped."""

    def __init__(self, width: int, height: int) -> None:
        self.wraps, self._drawing = 0, False
        super().__init__(width, height, history=10_000)

    def draw(self, data: str) -> None:
        """Write letters."""
        self._drawing = True
        super().draw(data)
        self._drawing = False

    def linefeed(self) -> None:
        """Go down a line, for which the end of a line is the wrong reason."""
        self.wraps += self._drawing
        super().linefeed()

    @property
    def scrolled(self) -> int:
        """How many lines went out at the top."""
        return len(self.history.top)

    def rows(self) -> list[str]:
        """What is to be seen, without the empty end."""
        return "\n".join(line.rstrip() for line in self.display).rstrip().split("\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A screen just before it was drawn anew: its rows, and what had scrolled and wrapped."""

    rows: list[str]
    scrolled: int
    wraps: int


@dataclass(slots=True)
class Watched:
    """The screens that a text makes one after the other, and the last one."""

    glass: Glass
    screens: list[Seen] = field(default_factory=list)

    def feed(self, text: str) -> None:
        """Take a text, looking at each whole figure."""
        stream = pyte.Stream(self.glass)
        for piece in filter(None, _REDRAW.split(text)):
            stream.feed(piece)
            seen = Seen(
                rows=self.glass.rows(), scrolled=self.glass.scrolled, wraps=self.glass.wraps
            )
            if seen.rows != [""]:
                self.screens.append(seen)


def watched(text: str, width: int = WIDTH, height: int = HEIGHT) -> Watched:
    """Return the screens of a terminal that gets a text."""
    found = Watched(Glass(width, height))
    found.feed(text)
    return found


class Pseudo:
    """A pseudo-terminal whose other end is read as fast as it is written."""

    def __init__(self, width: int = WIDTH, height: int = HEIGHT) -> None:
        self._master, self.slave = pty.openpty()
        self.resize(width, height)
        self._heard = b""
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def resize(self, width: int, height: int) -> None:
        """Take another size, of which the kernel tells whoever has this terminal."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def wait(self, met: Callable[[str], object]) -> str:
        """Wait until what was written meets the condition; return it."""
        with self._news:
            assert self._news.wait_for(lambda: met(self._text()), 20), self._text()
            return self._text()

    def all(self) -> str:
        """Close the writing end; return everything that was written."""
        if self.slave >= 0:
            os.close(self.slave)
            self.slave = -1
            self._thread.join(20)
            os.close(self._master)
        return self._text()

    def _text(self) -> str:
        return self._heard.decode(errors="ignore")

    def _listen(self) -> None:
        while True:
            try:
                heard = os.read(self._master, 65536)
            except OSError:  # the other end is closed
                return
            with self._news:
                self._heard += heard
                self._news.notify_all()
            if not heard:
                return


POINTS = tuple(
    Scored(stage=stage, at=x, score=y)
    for stage, x, y in (
        ("coarse", -5.0, 0.90), ("coarse", -4.0, 0.94), ("coarse", -3.0, 0.95),
        ("coarse", -1.0, 0.30), ("fine", -3.5, 0.945), ("fine", -2.5, 0.9652),
    )
)  # fmt: skip


def status(workers: int = 2, *, name: str = "digits", done: int = 700, host: str = "vm") -> Status:
    """Return a study in its fine stage with so many workers."""
    stages = (
        StageStatus(name="coarse", planned=16, finished=16, updates=9200, total=9200),
        StageStatus(name="fine", planned=16, finished=8, updates=done, total=13800),
    )
    at_work = tuple(
        WorkerStatus(
            owner=f"{host}:{100 + n}:abcdef", stage="fine", cohort=n, updates=n, total=1380,
            per_second=2200.0, renewed_ago=0.4, expired=False,
        )
        for n in range(workers)
    )  # fmt: skip
    recovered = Recovery(
        stage="fine", cohort=0, taken_from=f"{host}:99:abcdef",
        owner=at_work[0].owner if at_work else "",
        updates=900, total=1380,
    )  # fmt: skip
    return Status(
        name=name, state="running", stages=stages, workers=at_work, takeovers=1,
        recovered=(recovered,), best=(-2.5, 0.9652), failure=None, selected=None, elapsed=75.0,
        points=POINTS,
    )  # fmt: skip
