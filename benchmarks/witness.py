"""A witness of what this process opens, writes, runs and connects to, by Python's audit events.

Enters: directories that may be used, and what undisturbed work opens. Leaves: a sentence for each
thing done elsewhere. Refuses to prevent anything. What libraries in C do is not seen: a listing of
the directories outside, before and after, is to be taken as well.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.common import ROOT

_CHANGES = frozenset({
    "os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate",
    "os.chmod", "os.chown", "os.utime", "os.setxattr", "shutil.rmtree", "shutil.move",
    "shutil.copyfile", "shutil.copytree", "tempfile.mkstemp", "tempfile.mkdtemp",
})  # fmt: skip
_RUNS = frozenset({
    "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system", "pty.spawn",
    "subprocess.Popen", "pickle.find_class", "ctypes.dlopen", "webbrowser.open",
})  # fmt: skip
_CONNECTS = frozenset({"socket.connect", "socket.sendto", "socket.getaddrinfo", "urllib.Request"})
_LIBRARIES = (sys.prefix, sys.base_prefix, *sys.path[1:], str(ROOT / "lamsearch"))
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Witness:
    """What is done while it watches.

    Args:
        inside: directories in which files may be opened, written and deleted.
        canary: a word that no code that is compiled may hold, and no module that is imported.
    """

    def __init__(self, inside: list[Path], *, canary: str) -> None:
        self._inside = [os.path.realpath(path) for path in inside]
        self._canary = canary
        self._watching = self._learning = self._busy = False
        self._known: set[str] = set()
        self.ports: set[int] = set()  # of this machine, that may be connected to
        self.programs: tuple[str, ...] = ()  # that may be started
        self.seen: list[str] = []
        self.learnt = False  # whether anybody has shown what lamsearch's own needs are
        sys.addaudithook(self._hear)  # for the rest of the process: none can be removed

    @contextmanager
    def watch(self, *, learn: bool = False) -> Iterator[list[str]]:
        """Watch what the block does; yields what it did elsewhere, filled by its end.

        ``learn``: what is done is known from now on, and no news when it is done again.
        """
        self.seen = []
        self._watching, self._learning = True, learn
        try:
            yield self.seen
        finally:
            self._watching = self._learning = False

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._watching or self._busy:
            return
        self._busy = True  # looking at a path raises events too
        try:
            found = self._objection(event, arguments)
            if found is not None and self._learning:
                self._known.add(f"{event}: {found}")
            elif found is not None and (line := f"{event}: {found}") not in self._known:
                self.seen.append(line)
        finally:
            self._busy = False

    def _objection(self, event: str, arguments: tuple[Any, ...]) -> str | None:
        if event == "open":
            return self._opened(*arguments)
        if event == "sqlite3.connect":
            name = os.fsdecode(arguments[0]).removeprefix("file:").partition("?")[0]
            return None if self._within(name) else name
        if event in _CHANGES:
            paths = [one for one in arguments if isinstance(one, (str, bytes, os.PathLike))]
            return next((os.fsdecode(one) for one in paths if not self._may(one, arguments)), None)
        if event in _RUNS:
            return self._ran(event, arguments)
        if event in _CONNECTS:
            return self._reached(event, arguments)
        if event in ("compile", "import"):
            text = arguments[0]
            text = text.decode(errors="replace") if isinstance(text, bytes) else str(text)
            return text[:200] if self._canary in text else None
        return None

    def _opened(self, path: Any, mode: Any, flags: Any) -> str | None:
        if isinstance(path, int) or path is None:
            return None
        name = os.fsdecode(path)
        writing = bool(set(mode or "") & set("wax+")) or bool((flags or 0) & _WRITING)
        if self._relative(name) or self._within(name) or name == os.devnull:
            return None
        if not writing and name.endswith((".py", ".pyc", ".so")) and name.startswith(_LIBRARIES):
            return None
        return f"{name} ({'writing' if writing else 'reading'})"

    def _may(self, path: Any, arguments: tuple[Any, ...]) -> bool:
        """Whether a path may be changed: one within a directory that is open was judged there."""
        below = any(isinstance(one, int) and one > 2 for one in arguments[1:])
        return (below and self._relative(os.fsdecode(path))) or self._within(os.fsdecode(path))

    def _ran(self, event: str, arguments: tuple[Any, ...]) -> str | None:
        words = arguments[1] if event == "subprocess.Popen" else arguments
        said = " ".join(map(str, words)) if isinstance(words, (list, tuple)) else str(words)
        return None if any(one in said for one in self.programs) else said[:200]

    def _reached(self, event: str, arguments: tuple[Any, ...]) -> str | None:
        address = arguments[0] if event == "socket.getaddrinfo" else arguments[-1]
        if event == "socket.getaddrinfo":
            return None if arguments[0] in ("127.0.0.1", "localhost", None) else str(arguments[:2])
        near = isinstance(address, tuple) and address[0] == "127.0.0.1"
        return None if near and address[1] in self.ports else str(address)

    @staticmethod
    def _relative(name: str) -> bool:
        """Whether a name is one below an open directory: one step that leads nowhere else."""
        return "/" not in name and name != ".."

    def _within(self, name: str) -> bool:
        real = os.path.realpath(name)
        return any(real == one or real.startswith(one + "/") for one in self._inside)
