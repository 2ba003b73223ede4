"""Connections: waitress, with a fair share of connections for each client, and an end to waiting.

Enters: a WSGI application and a listening socket. Leaves: answers. A client that opens many
connections, or sends and reads slowly, takes room from itself alone. Refuses to know passwords.
"""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from wsgiref.types import WSGIApplication, WSGIEnvironment

from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.utilities import RequestEntityTooLarge

from lamsearch import open_files
from lamsearch.web.attempts import client_address

_SPARE = 64  # files and sockets for all else, such as the database's


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much room there is, and how long a client may take."""

    connections: int = 512
    head_seconds: float = 10.0  # from a request's first byte to the end of its headers
    idle_seconds: float = 30.0  # without a request
    stall_seconds: float = 20.0  # of grace for a body or an answer, besides what the rate gives
    bytes_per_second: float = 16384.0  # least rate of a body, and of reading an answer
    head_bytes: int = 1 << 15
    short_body: int = 1 << 16  # of a request whose head is refused, or has no need of a body
    long_body: int = 1 << 27


class Channel(HTTPChannel):  # type: ignore[misc]  # waitress ships no types
    """One connection: whose it is, and what it has been waiting for, since when."""

    server: Server

    def __init__(self, server: Server, sock: socket.socket, addr: Any, *rest: Any, **more: Any):
        self.client = client_address(str(addr[0]))
        self.since = time.monotonic()  # of what it waits for now
        self.sent = 0  # bytes of the answer under way
        self._answering = False
        super().__init__(server, sock, addr, *rest, **more)

    @property
    def serving(self) -> bool:
        """Whether a whole request is being answered, or an answer is on its way."""
        return bool(self.requests) or self.total_outbufs_len > 0

    def received(self, data: bytes) -> bool:
        """Take what a client sent, unless it is more than it has reason to send."""
        if self.request is None and not self.serving:
            self.since = time.monotonic()
        took: bool = super().received(data)
        request = self.request
        if request is not None and request.headers_finished:
            self._limit_body(request)
        return took

    def send(self, data: bytes, do_close: bool = True) -> int:
        """Send a part of an answer."""
        sent: int = super().send(data, do_close)
        self.sent += sent
        return sent

    def overdue(self, now: float) -> bool:
        """Whether a client took longer than it may for what it is about."""
        limits, waited = self.server.limits, now - self.since
        if self.total_outbufs_len > 0:
            return self._stalled(now)
        if self._answering or self.requests:  # what is ours to do costs a client no time
            self._answering, self.since = False, now
            return False
        if self.request is None:
            return waited > limits.idle_seconds
        if not self.request.headers_finished:
            return waited > limits.head_seconds
        earned = self.request.body_bytes_received / limits.bytes_per_second
        return waited > limits.head_seconds + limits.stall_seconds + earned

    def end(self) -> None:
        """Have the server's loop close the connection, whatever the other side does."""
        self.will_close = True
        with suppress(OSError, AttributeError):  # it is closed already
            self.socket.shutdown(socket.SHUT_RDWR)

    def _stalled(self, now: float) -> bool:
        limits = self.server.limits
        if not self._answering:
            self._answering, self.since, self.sent = True, now, 0
        return now - self.since > limits.stall_seconds + self.sent / limits.bytes_per_second

    def _limit_body(self, request: Any) -> None:
        """End a long body that comes without the right to send one."""
        limits = self.server.limits
        long = max(request.content_length, request.body_bytes_received) >= limits.short_body
        if request.completed or not long or self._admitted(request):
            return
        request.error = RequestEntityTooLarge(f"exceeds max_body of {limits.short_body}")
        request.completed = True
        with self.requests_lock:
            self.request = None
            self.requests.append(request)
            if len(self.requests) == 1:
                self.server.add_task(self)

    def _admitted(self, request: Any) -> bool:
        return self.server.may_send(self.task_class(self, request).get_environment())


class Server(TcpWSGIServer):  # type: ignore[misc]  # waitress ships no types
    """A server on one listening socket.

    Args:
        application: what answers.
        listening: where connections come in.
        may_send: whether a request's head gives reason to receive a long body.
        threads: how many requests are answered at a time.
    """

    channel_class = Channel
    active_channels: dict[int, Channel]

    def __init__(
        self,
        application: WSGIApplication,
        listening: socket.socket,
        *,
        may_send: Callable[[WSGIEnvironment], bool],
        threads: int,
        limits: Limits | None = None,
    ) -> None:
        self.limits, self.may_send = limits or Limits(), may_send
        self._room = max(_SPARE, min(self.limits.connections, open_files.most() - _SPARE))
        adjustments = Adjustments(
            sockets=[listening],
            threads=threads,
            ident=None,
            clear_untrusted_proxy_headers=True,
            asyncore_use_poll=True,  # select knows no file number above 1023
            asyncore_loop_timeout=1,  # whole seconds: a half would be 0, a loop at full speed
            cleanup_interval=1,
            connection_limit=self._room + _SPARE,  # never reached: room is made before
            max_request_header_size=self.limits.head_bytes,
            max_request_body_size=self.limits.long_body,
            # an answer that is read slowly waits on disk, not in one of the threads
            outbuf_high_watermark=self.limits.long_body,
        )
        info = (listening.family, listening.type, listening.proto, listening.getsockname())
        super().__init__(
            application, _sock=listening, adj=adjustments, sockinfo=info, bind_socket=False
        )

    def handle_accept(self) -> None:
        """Accept a connection; where room is scarce, another gives way."""
        super().handle_accept()
        # the new one is open already, so that none gets a file number that was just given up
        while self._alive() > self._room and self._make_room():
            pass

    def maintenance(self, now: float) -> None:
        """End what took too long; ``now`` is waitress's wall clock, which may be set."""
        del now
        moment = time.monotonic()
        for channel in list(self.active_channels.values()):
            if not channel.will_close and channel.overdue(moment):
                channel.end()

    def _alive(self) -> int:
        return sum(not channel.will_close for channel in self.active_channels.values())

    def _make_room(self) -> bool:
        """Close what has waited longest of the client that has most connections open."""
        alive = [one for one in self.active_channels.values() if not one.will_close]
        share = Counter(channel.client for channel in alive)
        waiting = [channel for channel in alive if not channel.serving]
        if not waiting:
            return False
        max(waiting, key=lambda one: (share[one.client], -one.since)).end()
        return True
