"""Guesses of passwords and tokens: who is wrong is refused for a growing time, and nobody else is.

Enters: who asks, a digest of what was typed, and whether it was right. Leaves: let in, wrong, or
the seconds to wait, at once: nothing here sleeps. Refuses to know passwords, and to believe what a
client says of its own address.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

_DIGEST = "sha256"
_CLIENTS = 4096  # remembered; a record has about 200 bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How wrong passwords are answered: ``free`` of them without delay, then 1, 2, 4, … seconds."""

    free: int = 3
    longest: float = 60.0  # seconds of one refusal
    memory: float = 900.0  # seconds after which a client begins anew
    between_lines: float = 10.0  # seconds from one line in the log to the next


@dataclass(slots=True)
class _Record:
    """What is remembered of a client."""

    wrong: int = 0
    until: float = 0.0  # refused before this time
    last: float = 0.0
    digest: bytes = b""


class Attempts:
    """The wrong passwords of each client.

    Args:
        log: where whoever runs the dashboard reads of them.
        limits: how long who is refused.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        log: Callable[[str], None],
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log, self._limits, self._clock = log, limits or Limits(), clock
        self._records: OrderedDict[str, _Record] = OrderedDict()
        self._lock = threading.Lock()
        self._key = secrets.token_bytes(32)
        self._said, self._unsaid = -self._limits.between_lines, 0

    def judge(
        self, client: str, given: bytes, *, right: bool, what: str = "password"
    ) -> float | None:
        """Return None for who may come in, 0 for a wrong secret, else the seconds to wait.

        A client that has to wait learns nothing: neither is its secret right nor wrong. ``what``
        names the secret in the log.
        """
        digest = hmac.digest(self._key, given, _DIGEST)
        with self._lock:
            now = self._clock()
            record = self._records.get(client, _Record())
            if now < record.until:
                return record.until - now
            if right:
                self._records.pop(client, None)
                return None
            line = self._wrong(client, record, digest, now, what)
        if line:
            self._log(line)
        return 0.0

    def ticket(self) -> str:
        """Return what a browser that knew the password may show later, from any address."""
        name = secrets.token_hex(16)
        return f"{name}.{self._seal(name)}"

    def client(self, address: str, ticket: str) -> str:
        """Return by which name a client is remembered: its ticket's where that is ours.

        So a browser that has logged in before is not refused for what others behind the same
        proxy try. A ticket opens nothing: the password is asked for with each request.
        """
        name, _, seal = ticket.partition(".")
        if ticket.isascii() and hmac.compare_digest(seal, self._seal(name)):
            return f"{address} (known browser {name[:8]})"
        return address

    def _seal(self, name: str) -> str:
        return hmac.new(self._key, name.encode(), hashlib.sha256).hexdigest()

    def _wrong(
        self, client: str, record: _Record, digest: bytes, now: float, what: str
    ) -> str | None:
        """Count a wrong secret; return the line to be logged, if any."""
        if now - record.last > self._limits.memory:
            record = _Record()
        # a page's dozen requests, or a program that repeats an old password, guess nothing new
        if hmac.compare_digest(record.digest, digest):
            return None
        record.wrong, record.last, record.digest = record.wrong + 1, now, digest
        delay = self._delay(record.wrong)
        record.until = now + delay
        self._records[client] = record
        self._records.move_to_end(client)
        if len(self._records) > _CLIENTS:
            self._records.popitem(last=False)
        return self._line(client, record.wrong, delay, now, what)

    def _delay(self, wrong: int) -> float:
        over = wrong - self._limits.free
        return min(2.0 ** min(over - 1, 30), self._limits.longest) if over > 0 else 0.0

    def _line(self, client: str, wrong: int, delay: float, now: float, what: str) -> str | None:
        if now - self._said < self._limits.between_lines:
            self._unsaid += 1
            return None
        others = f"; {self._unsaid} more since the last line" if self._unsaid else ""
        self._said, self._unsaid = now, 0
        refused = f", refused for {delay:.0f} s" if delay else ""
        return f"dashboard: wrong {what} from {client}, {wrong} so far{refused}{others}"


def client_address(address: str) -> str:
    """Return whom an address counts as: itself; of IPv6, its network of 64 bits."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "an unknown address"
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return "::1" if found.is_loopback else str(ipaddress.ip_network((int(found), 64), strict=False))
