"""Real lamsearch processes without the second that each would spend on imports.

Enters: a command, as `subprocess.Popen` takes it. Leaves: a process with a pid, an environment,
streams and, where asked, a session of its own, forked from a server that has imported lamsearch and
opened nothing. Refuses to pretend: what is no plain ``python -P -m lamsearch``, or would have the
interpreter or a library begin otherwise, is started as the standard library does.

Run as a program, it is that server.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import select
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

COMMAND = [sys.executable, "-P", "-m", "lamsearch"]
# What is settled as a process or a library begins.
_AT_START = ("PYTHON", "LD_", "OPENBLAS_", "OMP_", "MKL_", "LC_", "LANG", "MPL", "TZ", "HOME")
_OPTIONS = {"cwd", "env", "stdin", "stdout", "stderr", "text", "encoding", "errors",
            "start_new_session", "creationflags"}  # fmt: skip
_STREAMS = "PYTHONIOENCODING"  # a forked process opens its streams anew
_ALWAYS = ("lamsearch.__main__", "lamsearch.cli.check", "lamsearch.cli.run", "lamsearch.cli.worker",
           "lamsearch.cli.submit", "lamsearch.cli.status", "lamsearch.cli.report", "lamsearch.pool",
           "lamsearch.worker.study_worker", "lamsearch.worker.pool_worker", "lamsearch.diagnostics",
           "lamsearch.data.sources.digits", "lamsearch.search.samplers",
           "lamsearch.trainers.network", "lamsearch.trainers.network.kind",
           "alembic.command", "fsspec.implementations.local", "jinja2", "pydantic.dataclasses",
           "sqlalchemy.dialects.postgresql.psycopg", "sqlalchemy.dialects.sqlite",
           "PIL.BmpImagePlugin", "PIL.GifImagePlugin", "PIL.JpegImagePlugin", "PIL.PpmImagePlugin",
           "matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg",
           "matplotlib.figure", "matplotlib.style")  # fmt: skip
_SERVING = ("optuna_dashboard", "lamsearch.cli.serve", "lamsearch.web.application",
            "lamsearch.web.annotations", "lamsearch.web.artifacts", "lamsearch.web.connections",
            "lamsearch.web.dashboard_page", "lamsearch.web.mounting")  # fmt: skip
_FOR = {"serve": _SERVING, "dashboard": _SERVING}
# In an environment: reports without figures, which are most of the work of a small study's run.
UNDRAWN = {"TESTS_UNDRAWN": "1"}
_LONGEST = 1 << 18  # bytes of a request


class Popen(subprocess.Popen[Any]):
    """A `subprocess.Popen` whose process is forked from the server where it may be.

    It takes the place of those methods that start a child and wait for it. One that has ended
    stays a zombie until its exit code is taken, as a child of our own would.
    """

    def __init__(self, args: Any, **options: Any) -> None:
        self._plain = list(args[: len(COMMAND)]) == COMMAND and _is_plain(options)
        self._taking = threading.Lock()
        super().__init__(args, **options)

    def _execute_child(self, args: Any, *rest: Any) -> None:
        if not self._plain:
            super()._execute_child(args, *rest)  # type: ignore[misc]
            return
        cwd, env, ends, session = rest[4], rest[5], rest[9:15], rest[20]
        streams = [ends[0], ends[3], ends[5]]  # the child's, -1 where it is to have ours
        request = {
            "arguments": [os.fsdecode(word) for word in args[len(COMMAND) :]],
            "cwd": os.fsdecode(cwd or Path.cwd()),
            "environment": dict(os.environ if env is None else env),
            "session": bool(session),
        }
        self._life, other = socket.socketpair(type=socket.SOCK_SEQPACKET)
        with other:
            fds = [stream if stream >= 0 else own for own, stream in enumerate(streams)]
            socket.send_fds(_server(), [json.dumps(request).encode()], [*fds, other.fileno()])
        self.pid = int(self._life.recv(64))
        self._child_created = True
        self._close_pipe_fds(*ends)  # type: ignore[attr-defined]

    def _internal_poll(self, *arguments: Any, **options: Any) -> int | None:
        if not self._plain:
            return super()._internal_poll(*arguments, **options)  # type: ignore[misc,no-any-return]
        return self._ended(0.0)

    def _wait(self, timeout: float | None) -> int | None:
        if not self._plain:
            return super()._wait(timeout)  # type: ignore[misc,no-any-return]
        deadline = time.monotonic() + (float("inf") if timeout is None else timeout)
        while self._ended(0.05) is None:  # in pieces, for other threads may want to know as well
            if time.monotonic() >= deadline:
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return self.returncode

    def _ended(self, seconds: float) -> int | None:
        with self._taking:
            if self.returncode is None and select.select([self._life], [], [], seconds)[0]:
                self.returncode = int(self._life.recv(64) or b"255")
                self._life.close()  # the zombie may go
            return self.returncode


# `subprocess`, for who starts workers with it.
SUBPROCESS = SimpleNamespace(**{**vars(subprocess), "Popen": Popen})


def run(
    args: Any, *, timeout: float | None = None, check: bool = False, capture_output: bool = False,
    **options: Any,
) -> subprocess.CompletedProcess[Any]:  # fmt: skip
    """Do as `subprocess.run` does."""
    if capture_output:
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    given = options.pop("input", None)
    if given is not None:
        options["stdin"] = subprocess.PIPE
    with Popen(args, **options) as process:
        try:
            out, err = process.communicate(given, timeout)
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess(args, process.wait(), out, err)
    if check:
        done.check_returncode()
    return done


def _is_plain(options: dict[str, Any]) -> bool:
    env = options.get("env")
    if not hasattr(os, "fork"):
        return False
    return options.keys() <= _OPTIONS and (env is None or _settled(env) == _settled(os.environ))


def _settled(environment: Any) -> dict[str, str]:
    return {name: value for name, value in environment.items()
            if name.startswith(_AT_START) and (name, value) != (_STREAMS, "utf-8")}  # fmt: skip


_started: dict[tuple[int, str], socket.socket] = {}


def _server() -> socket.socket:
    """The server of this process, started when it is first wanted; it leaves with us."""
    key = (os.getpid(), json.dumps(_settled(os.environ), sort_keys=True))
    if key not in _started:
        ours, its = socket.socketpair(type=socket.SOCK_SEQPACKET)
        with its:
            process = subprocess.Popen(
                [sys.executable, "-P", __file__, str(its.fileno())], pass_fds=[its.fileno()],
                cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            )  # fmt: skip
        _started[key] = ours
        atexit.register(lambda: (ours.close(), process.wait(30)))
    return _started[key]


class _Server:
    """Forks when it is asked to, and says how each process ended."""

    def __init__(self, control: socket.socket) -> None:
        self._control, self._waiting = control, selectors.DefaultSelector()
        self._waiting.register(control, selectors.EVENT_READ)
        self._lives: set[socket.socket] = set()

    def serve(self) -> dict[str, Any]:
        """Return what to be: in a forked process alone."""
        while True:
            for key, _ in self._waiting.select():
                if key.data is not None:
                    key.data()
                elif (request := self._fork()) is not None:
                    return request

    def _fork(self) -> dict[str, Any] | None:
        message, fds, _, _ = socket.recv_fds(self._control, _LONGEST, 4)
        if not message:
            sys.exit()  # who started us is gone
        request = json.loads(message)
        for module in _FOR.get(request["arguments"][0] if request["arguments"] else "", ()):
            import_module(module)
        life = socket.socket(fileno=fds.pop())
        self._lives.add(life)
        if (pid := os.fork()) == 0:
            self._forget()
            return {**request, "streams": fds}
        _send(life, pid)
        for fd in fds:
            os.close(fd)
        process = os.pidfd_open(pid)
        self._waiting.register(process, selectors.EVENT_READ, lambda: self._say(pid, process, life))
        return None

    def _say(self, pid: int, process: int, life: socket.socket) -> None:
        self._waiting.unregister(process)
        os.close(process)
        found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert found is not None
        _send(life, found.si_status if found.si_code == os.CLD_EXITED else -found.si_status)
        self._waiting.register(life, selectors.EVENT_READ, lambda: self._bury(pid, life))

    def _bury(self, pid: int, life: socket.socket) -> None:
        self._waiting.unregister(life)
        self._lives.remove(life)
        life.close()
        os.waitpid(pid, 0)

    def _forget(self) -> None:
        """Let go of all that is open here."""
        for key in list(self._waiting.get_map().values()):
            if isinstance(key.fileobj, int):
                os.close(key.fileobj)
        for one in (*self._lives, self._control, self._waiting):
            one.close()


def _send(life: socket.socket, number: int) -> None:
    with suppress(BrokenPipeError):  # nobody wants to know
        life.send(b"%d" % number)


def _become(request: dict[str, Any]) -> None:
    """Make this forked process what a fresh one would be."""
    if request["session"]:
        os.setsid()
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    for number, stream in enumerate(request["streams"]):
        os.dup2(stream, number)
        os.close(stream)
    sys.argv = [import_module("lamsearch.__main__").__file__ or "", *request["arguments"]]
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        old = getattr(sys, name)
        new = open(number, "w" if number else "r", encoding=old.encoding, errors=old.errors,  # noqa: SIM115 - for life
                   closefd=False)  # fmt: skip
        new.reconfigure(line_buffering=name == "stderr" or new.isatty())
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)
    if UNDRAWN.items() <= request["environment"].items():
        import_module("lamsearch.report.writing").Drawing = _Undrawn  # type: ignore[attr-defined]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


class _Undrawn:
    """No figures, in the place of `lamsearch.report.rendering.Drawing`."""

    def __init__(self, record: Any) -> None:
        pass

    def finished(self) -> list[Any]:
        return []


def _main(control: socket.socket) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # Ctrl-C at the tests' terminal
    for module in _ALWAYS:
        import_module(module)
    import_module("lamsearch.report.writing").prepare()
    import_module("sqlalchemy.orm").configure_mappers()  # else each would, at its first statement
    gc.freeze()
    _become(_Server(control).serve())
    import_module("lamsearch.__main__").main()


if __name__ == "__main__":
    _main(socket.socket(fileno=int(sys.argv[1])))
