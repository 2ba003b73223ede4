"""Serving: an address, who may do what, a production server, and a quick end.

Enters: a database and what the command line said. Leaves: nothing; it serves until SIGINT,
SIGTERM or Ctrl-Break. Refuses to listen beyond this machine without a password.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import signal
import socket
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from types import FrameType
from wsgiref.types import WSGIApplication

from lamsearch.artifacts import Files
from lamsearch.errors import InputError
from lamsearch.planning import Places
from lamsearch.storage import Database, Shown, View, dashboard_bridge
from lamsearch.web.access_control import AccessControl, Rules
from lamsearch.web.attempts import Attempts
from lamsearch.web.credentials import PASSWORD_VARIABLE, Credentials
from lamsearch.web.studies import Studies

_THREADS = 4
_NAMES = ("SIGINT", "SIGTERM", "SIGBREAK")  # the last of Windows alone
_LEAVE: tuple[int, ...] = tuple(getattr(signal, one) for one in _NAMES if hasattr(signal, one))
# Windows lets others take an address that may be reused while it is still in use.
_ADDRESS_OPTION: int = getattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_REUSEADDR)
_LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to listen: as it was given, and as the system understands it."""

    given: str
    family: socket.AddressFamily
    name: str
    port: int

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return ipaddress.ip_address(self.name.partition("%")[0]).is_loopback

    @property
    def everywhere(self) -> bool:
        """Whether it is every address of this machine."""
        return ipaddress.ip_address(self.name.partition("%")[0]).is_unspecified


def serve(
    database: Database,
    *,
    places: Places,
    host: str,
    port: int,
    writable: bool,
    credentials: Credentials,
    announce: Callable[[str], None],
    say: Callable[[str], None],
) -> None:
    """Serve the queue, the reports, the API and the dashboard until SIGINT or SIGTERM.

    ``places`` says where data and files are; ``announce`` is told the address once it listens,
    ``say`` warnings and what goes wrong.

    Raises:
        InputError: The address or the port cannot be used, or needs a password.
    """
    address = find_address(host, port)
    if not address.loopback:
        _check_far(address, credentials.password, say)
    with closing(_bind(address)) as listening, closing(View(database, writable=writable)) as view:
        rules = Rules(
            hosts=_hosts(address, listening.getsockname()[1]),
            any_address=address.everywhere,
            writable=writable,
            password=credentials.password,
            token=credentials.token,
        )
        inside = application(view, Studies(database, places), say)
        door = AccessControl(inside, rules, Attempts(say))
        _run(door, listening, lambda: announce(_url(host, listening.getsockname()[1])))


def find_address(host: str, port: int) -> Address:
    """Return where a host's name and a port are to listen.

    Raises:
        InputError: The name means no address of any machine.
    """
    try:
        found = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError):
        found = []
    if not host or not found:
        raise InputError(f"host: must be an address or a name of this machine, got {host!r}")
    # IPv4 first: what "localhost" means to most
    family, _, _, _, place = min(found, key=lambda one: one[0] != socket.AF_INET)
    return Address(given=host, family=family, name=str(place[0]), port=port)


def _check_far(address: Address, password: bytes | None, say: Callable[[str], None]) -> None:
    if password is None:
        raise InputError(
            f"host: {address.given} can be reached from other machines, so a password is needed: "
            f"--password-file or {PASSWORD_VARIABLE}"
        )
    say(
        f"warning: {address.given} is served without TLS: the password and all pages can be read "
        "on the way; put a proxy with TLS before a server on 127.0.0.1 (see docs/serve.md)"
    )


def _bind(address: Address) -> socket.socket:
    listening = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, _ADDRESS_OPTION, 1)
        listening.bind((address.name, address.port))
        # two that are bound and do not listen yet would both go on; the later one fails here
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise InputError(
            f"port: {address.given}:{address.port} cannot be listened on: {error.strerror}"
        ) from None
    return listening


def _hosts(address: Address, port: int) -> frozenset[str]:
    """The Host headers to answer to."""
    names = [*_LOCAL_NAMES, _bracketed(address.given), _bracketed(address.name)]
    if address.everywhere:
        names += [socket.gethostname(), socket.getfqdn()]
    plain = {name.lower() for name in names}
    return frozenset({f"{name}:{port}" for name in plain} | (plain if port == 80 else set()))


def _bracketed(name: str) -> str:
    return f"[{name}]" if ":" in name and not name.startswith("[") else name


def _url(host: str, port: int) -> str:
    return f"http://{_bracketed(host)}:{port}/"


def application(view: View, studies: Studies, say: Callable[[str], None]) -> WSGIApplication:
    """Ours, and Optuna's application on the storage as we show it."""
    from lamsearch.web import application as own
    from lamsearch.web.annotations import Annotations
    from lamsearch.web.artifacts import KINDS, Artifacts
    from lamsearch.web.dashboard_page import ReadOnlyPages
    from lamsearch.web.error_handling import ErrorHandling, FirstLine
    from lamsearch.web.mounting import Mounted

    artifacts = Artifacts(Files(studies.places.files, "artifacts"))
    shown = artifacts.shown = Shown(view, Annotations(), KINDS)
    made = dashboard_bridge.application(shown, artifacts, FirstLine(view))
    dashboard: WSGIApplication = ErrorHandling(made, view, shown, say)  # which says what goes wrong
    if not view.writable:
        dashboard = ReadOnlyPages(dashboard)
    return Mounted(own.application(studies, lambda line: say(f"serve: {line}")), dashboard)


def _run(door: AccessControl, listening: socket.socket, announce: Callable[[], None]) -> None:
    from lamsearch.web.connections import Server

    # a page loads a dozen things at once: that some of them wait is no news
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    before = {number: signal.signal(number, _leave) for number in _LEAVE}
    try:
        server = Server(door, listening, may_send=door.may_send, threads=_THREADS)
        announce()
        server.run()
    except KeyboardInterrupt:
        pass  # between two steps of starting
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(number: int, _frame: FrameType | None) -> None:
    """End; a second signal does not wait for answers that are on their way."""
    signal.signal(number, lambda *_: os._exit(0))
    raise KeyboardInterrupt
