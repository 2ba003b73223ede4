"""The whole of `lamsearch serve` but for its sockets: access control, pages, API and dashboard."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote_to_bytes

from lamsearch.planning import Places
from lamsearch.storage import Database, Mode, View
from lamsearch.web.access_control import AccessControl, Rules
from lamsearch.web.attempts import Attempts
from lamsearch.web.serving import application
from lamsearch.web.studies import Studies

HOST = "127.0.0.1:8080"
TOKEN = "a-token-of-24-characters"  # noqa: S105 - made up
PASSWORD = "correct horse battery"  # noqa: S105 - made up


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back; the names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Stack:
    """A server in this process.

    Args:
        url: the storage.
        directory: where data and files are.
        rules: who may do what, besides the host.
    """

    def __init__(self, url: str, directory: Path, **rules: Any) -> None:
        given = Rules(hosts=frozenset({HOST}), **rules)
        self.lines: list[str] = []
        mode = Mode.CREATE if given.writable else Mode.READ
        self.database = Database(url, mode, connections=4)
        self._view = View(self.database, writable=given.writable)
        places = Places(
            data_directory=directory / "data", cache_directory=directory / "cache",
            given=None, default=str(directory / "lamsearch-files"),
        )  # fmt: skip
        self.studies = Studies(self.database, places)
        inside = application(self._view, self.studies, self.lines.append)
        self._door = AccessControl(inside, given, Attempts(self.lines.append))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._view.close()
        self.database.close()

    def ask(
        self, address: str, method: str = "GET", *, body: object = None, client: str = "127.0.0.1",
        **headers: str,
    ) -> Answer:  # fmt: skip
        """Send one request; ``Sec_Fetch_Site`` names the header with hyphens."""
        path, _, query = address.partition("?")
        content = body if isinstance(body, bytes) else b""
        if body is not None and not isinstance(body, bytes):
            content = json.dumps(body).encode()
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method, "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query, "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "8080",
            "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": client, "REMOTE_PORT": "5",
            "HTTP_HOST": HOST, "CONTENT_LENGTH": str(len(content)), "SCRIPT_NAME": "",
            "wsgi.input": io.BytesIO(content), "wsgi.url_scheme": "http",
            "wsgi.errors": io.StringIO(), "wsgi.version": (1, 0), "wsgi.multithread": True,
            "wsgi.multiprocess": False, "wsgi.run_once": False,
        }  # fmt: skip
        if isinstance(body, (dict, list)):
            environ["CONTENT_TYPE"] = "application/json"
        environ |= {f"HTTP_{name.upper()}": value for name, value in headers.items()}
        found: list[tuple[str, list[tuple[str, str]]]] = []
        answered = self._door(environ, lambda s, h, *_: found.append((s, h)))  # type: ignore[arg-type,return-value]
        content = b"".join(answered)
        getattr(answered, "close", lambda: None)()
        status, given = found[0]
        names = {name.lower(): value for name, value in given}
        return Answer(status=int(status[:3]), headers=names, body=content)

    def change(self, address: str, method: str = "POST", **more: Any) -> Answer:
        """Send one request with the right token."""
        return self.ask(address, method, Authorization=f"Bearer {TOKEN}", **more)
