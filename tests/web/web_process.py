"""A really running `lamsearch dashboard`, and a client that says exactly what a test wants said."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import forked

WAIT_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def document(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Dashboard:
    """The process, from its start to its end."""

    verb = "dashboard"

    def __init__(
        self,
        storage: str,
        directory: Path,
        *options: object,
        fresh: bool = False,  # whether its command line is looked at, which a fork does not have
        **environment: str,
    ) -> None:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("LAMSEARCH_")}
        self._errors = (directory / f"stderr-{time.monotonic_ns()}").open("w+b")
        # the storage goes by the environment, as a password has to
        self.process = (subprocess if fresh else forked).Popen(
            [*forked.COMMAND, self.verb, "--port", "0", *map(str, options)],
            cwd=directory, env={**inherited, "LAMSEARCH_STORAGE": storage, **environment},
            stdout=subprocess.PIPE, stderr=self._errors, text=True,
        )  # fmt: skip
        alarm = threading.Timer(WAIT_SECONDS, self.process.kill)
        alarm.start()
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        alarm.cancel()
        assert self.url.startswith("http://"), self.stderr
        self.port = urlsplit(self.url).port or 80

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._errors.close()

    @property
    def stderr(self) -> str:
        """All that was said on standard error so far."""
        self._errors.seek(0)
        return self._errors.read().decode()

    def ask(
        self, path: str, method: str = "GET", *, body: object = None,
        client: str = "127.0.0.1", **headers: str,
    ) -> Answer:  # fmt: skip
        """Send one request from an address; ``Sec_Fetch_Site`` names the header with hyphens."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=WAIT_SECONDS, source_address=(client, 0)
        )
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        content = None
        if body is not None:
            content = json.dumps(body).encode()
            given.setdefault("Content-Type", "application/json")
        try:
            connection.putrequest(
                method, path, skip_host="Host" in given, skip_accept_encoding=True
            )
            if content is not None or method not in ("GET", "HEAD"):
                given.setdefault("Content-Length", str(len(content or b"")))
            for name, value in given.items():
                connection.putheader(name, value)
            connection.endheaders(content)
            response = connection.getresponse()
            return Answer(status=response.status, headers=response.headers, body=response.read())
        finally:
            connection.close()

    def studies(self) -> dict[str, int]:
        """Return Optuna's numbers of the studies listed."""
        found = self.ask("/api/studies").document["study_summaries"]
        return {one["study_name"]: one["study_id"] for one in found}

    def study(self, name: str) -> dict[str, Any]:
        """Return all that a study's page is made of."""
        document = self.ask(f"/api/studies/{self.studies()[name]}").document
        assert isinstance(document, dict)
        return document

    def leave(self, number: signal.Signals) -> tuple[int, float]:
        """Send a signal; return the exit code and the seconds until it came."""
        began = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(WAIT_SECONDS), time.monotonic() - began
