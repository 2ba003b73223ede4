"""A clone of this repository in which Compose runs it, on a Docker engine of this machine.

Enters: a revision. Leaves: containers, that can be killed, cut off and looked into, and the storage
in them. Needs root on the engine's machine: processes are killed by their numbers there.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from benchmarks.common import ROOT
from lamsearch import Client
from lamsearch.errors import ServerAwayError

ADDRESS = "http://127.0.0.1:8080"
_NETWORK = "lamsearch_default"
_COMPOSE_FILE = "docker-compose.yml"


class Stack:
    """Compose in a clone.

    Args:
        directory: where the clone is made.
        revision: what is checked out; ``revision`` is the commit.
    """

    def __init__(self, directory: Path, revision: str = "HEAD") -> None:
        self.directory = directory
        self._environment = dict(os.environ)
        _call("git", "clone", "--quiet", "--no-checkout", str(ROOT), str(directory))
        self.revision = _call("git", "-C", str(ROOT), "rev-parse", revision).strip()
        self.check_out(self.revision)

    def check_out(self, revision: str) -> None:
        """Put another revision into the clone; what is not of the repository stays."""
        _call("git", "-C", str(self.directory), "checkout", "--quiet", revision)
        self._environment["COMPOSE_FILE"] = f"{_COMPOSE_FILE}:{self._override()}"

    def _override(self) -> Path:
        """Give what is built the network that LAMSEARCH_BUILD_NETWORK names, if it names one."""
        services = yaml.safe_load((self.directory / _COMPOSE_FILE).read_text("utf-8"))["services"]
        network = os.environ.get("LAMSEARCH_BUILD_NETWORK", "default")
        built = {name: {"build": {"network": network}}
                 for name, one in services.items() if "build" in one}  # fmt: skip
        path = self.directory.parent / f"{self.directory.name}-override.yml"
        path.write_text(json.dumps({"services": built}), encoding="utf-8")
        return path

    def set(self, **variables: str) -> None:
        """Set variables of Compose's environment."""
        self._environment |= variables

    def compose(self, *words: str, check: bool = True) -> str:
        """Run a command of Compose; return what it prints."""
        return self._run(["docker", "compose", *words], check=check)

    def type(self, line: str) -> str:
        """Run a line as somebody types it, at a terminal in the clone; return what it prints."""
        return self._run(["script", "--quiet", "--return", "--command", line, "/dev/null"])

    def _run(self, words: list[str], *, check: bool = True) -> str:
        done = subprocess.run(
            words, cwd=self.directory, env=self._environment, capture_output=True, text=True,
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        if check and done.returncode:
            shown = f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
            raise RuntimeError(f"{' '.join(words)}: exit code {done.returncode}\n{shown}")
        return done.stdout

    def containers(self, service: str) -> list[str]:
        """The containers of a service that are there and run."""
        return self.compose("ps", "--quiet", "--status", "running", service).split()

    def kill(self, container: str) -> bool:
        """Kill all that runs in a container, as the kernel would; whether anything did."""
        found = self._run(
            ["docker", "inspect", "--format", "{{.State.Pid}}", container], check=False
        )
        with suppress(ProcessLookupError, ValueError):
            if (pid := int(found)) > 1:
                os.kill(pid, signal.SIGKILL)
                return True
        return False

    @contextmanager
    def cut_off(self, container: str) -> Iterator[None]:
        """Take a container off its network for a while."""
        self._run(["docker", "network", "disconnect", _NETWORK, container])
        try:
            yield
        finally:
            self._run(["docker", "network", "connect", _NETWORK, container])

    def read(self, service: str, path: str) -> str:
        """A file in a container of a service."""
        return self.compose("exec", "-T", service, "cat", path).strip()

    def client(self) -> Client:
        """A client of the API, with its token."""

        def token() -> str:
            try:
                return self.read("serve", "/run/serve/token")
            except RuntimeError:  # it is being started again
                return ""

        return Client(ADDRESS, token=until(token, "the token"))

    def admits(self, password: str) -> bool:
        """Whether the server lets in who knows a password."""
        try:
            return bool(Client(ADDRESS, password=password).list())
        except ServerAwayError:
            return False

    def storage(self) -> str:
        """The URL of the storage as this machine reaches it, which nobody outside it does."""
        (container,) = self.containers("postgres")
        found = self._run(["docker", "inspect", container])
        networks = json.loads(found)[0]["NetworkSettings"]["Networks"]
        host = networks[_NETWORK]["IPAddress"]
        password = self.read("worker", "/run/lamsearch/pgpass").rpartition(":")[2]
        return f"postgresql://lamsearch:{password}@{host}/lamsearch"

    def alone(self, text: str, name: str, directory: Path) -> str:
        """Run a study by itself in the image, with one worker on SQLite; return the storage."""
        directory.mkdir(parents=True)
        (directory / "study.toml").write_text(text, encoding="utf-8")
        self._run(["docker", "run", "--rm", "--user=0", f"--volume={directory}:/alone",
                   "--env=LAMSEARCH_FILES=/alone/files", "--env=LAMSEARCH_CACHE=/alone/cache",
                   "--env=OMP_NUM_THREADS=1", "lamsearch:local", "run", "/alone/study.toml",
                   "--storage=sqlite:////alone/studies.db", "--workers=1",
                   f"--output=/alone/report-{name}"])  # fmt: skip
        return f"sqlite:///{directory / 'studies.db'}"

    def down(self) -> None:
        """Remove containers and volumes."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "10", check=False)


def until(condition: Callable[[], Any], what: str, seconds: float = 900.0) -> Any:
    """Wait until something is true; return it."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.5)
    return found


def _call(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout
