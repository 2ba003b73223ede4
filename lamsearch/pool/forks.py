"""Forks of this process that wait to be workers, with all imported that a worker needs.

Enters: how many, and what a worker does. Leaves: processes that can be asked and waited for as
those of `subprocess`. They are made before this process opens a database or begins a thread; what
is imported by then is imported once for all of them. Refuses to be the only way: where nothing may
be forked, or too few are waiting, a worker is started from its command.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import NoReturn, Self

from lamsearch.collecting import loading
from lamsearch.forking import Forked, fork, may_fork

_PROGRAM = "lamsearch"  # in a command, before the words that are meant for it
_HEAD = 8  # bytes that say how long an order is


class WaitingForks:
    """Forks that wait; those that are not wanted end with the block.

    Args:
        prepare: is called before the first fork: what it imports they all have.
        be: is what a fork does in the end, with the words of its command.
    """

    def __init__(self, prepare: Callable[[], None], be: Callable[[list[str]], None]) -> None:
        self._prepare, self._be = prepare, be
        self._waiting: list[ForkedProcess] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        while self._waiting:
            process = self._waiting.pop()
            process.kill()
            process.wait()
            process.close()

    def make(self, count: int) -> None:
        """Fork so often, where that may be done."""
        if count and may_fork() and not self._waiting:
            with loading():
                self._prepare()
            for _ in range(count):
                self._waiting.append(self._forked())

    def begin(self, command: Sequence[str], environment: Mapping[str, str]) -> ForkedProcess | None:
        """Let a fork do what a command of ours would; return None where none waits."""
        words = command[list(command).index(_PROGRAM) + 1 :]
        order = json.dumps([list(words), dict(environment)]).encode()
        while self._waiting:
            process = self._waiting.pop(0)
            try:
                process.order(len(order).to_bytes(_HEAD) + order)
            except BrokenPipeError:  # it was killed before it began
                process.wait()
                process.close()
            else:
                return process
        return None

    def _forked(self) -> ForkedProcess:
        given, ours = os.pipe()
        heard, said = os.pipe()
        process = fork()
        if process == 0:
            for one in self._waiting:  # a fork that is not told of our end would wait for others'
                one.close()
            os.close(ours)
            os.close(heard)
            self._wait(given, said)
        os.close(given)
        os.close(said)
        return ForkedProcess(process, ours, heard)

    def _wait(self, given: int, said: int) -> NoReturn:
        """Be a fork: wait for an order, then do it, and leave nothing of this process undone."""
        code = 1
        try:
            os.setsid()  # type: ignore[attr-defined,unused-ignore]
            with open(os.devnull, "wb") as nothing:  # noqa: PTH123  # the shortest way to a number
                for number, stream in enumerate((given, nothing.fileno(), said)):
                    os.dup2(stream, number)
            os.close(given)
            os.close(said)
            order = _ordered()
            if order is None:
                os._exit(0)
            words, environment = order
            os.environ.clear()
            os.environ.update(environment)
            sys.argv = [_PROGRAM, *words]
            _open_streams()
            self._be(words)
            code = 0
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else int(left.code is not None)
        except BaseException:  # what an interpreter does at its end
            traceback.print_exc()
        finally:
            with suppress(OSError, ValueError):
                sys.stderr.flush()
            os._exit(code)


class ForkedProcess(Forked):
    """A forked process with pipes, by those names of `subprocess.Popen` that its pool uses."""

    def __init__(self, process: int, stdin: int, stderr: int) -> None:
        super().__init__(process)
        self.stdin = open(stdin, "w", encoding="utf-8")  # noqa: SIM115 - a number
        self.stderr = open(  # noqa: SIM115 - likewise
            stderr, encoding="utf-8", errors="backslashreplace"
        )

    def order(self, content: bytes) -> None:
        """Write to its standard input, past what a text file would keep back."""
        while content:
            content = content[os.write(self.stdin.fileno(), content) :]

    def close(self) -> None:
        """Close our ends of its pipes."""
        self.stdin.close()
        self.stderr.close()


def _ordered() -> tuple[list[str], dict[str, str]] | None:
    """The words and the environment that standard input begins with; None at its end."""
    length = int.from_bytes(_exactly(_HEAD))
    if length == 0:
        return None
    words, environment = json.loads(_exactly(length))
    return words, environment


def _exactly(count: int) -> bytes:
    found = b""
    while len(found) < count and (more := os.read(0, count - len(found))):
        found += more
    return found


def _open_streams() -> None:
    """Standard streams as a fresh interpreter has them."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = open(  # noqa: SIM115 - for life
            number, "w" if number else "r", encoding="utf-8", closefd=False,
            errors="backslashreplace" if name == "stderr" else "strict",
            buffering=1,
        )  # fmt: skip
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
