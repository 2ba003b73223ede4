"""Clients that open many connections or are slow, on real sockets."""

from __future__ import annotations

import resource
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import pytest
from study_processes import promised
from web_process import WAIT_SECONDS, Dashboard

from lamsearch.web.connections import Limits, Server

Start = Callable[..., Dashboard]
HALF = b"GET /api/studies HTTP/1.1\r\nHost: x\r\n"  # without the empty line that ends a head
LONG = b"x" * (40 << 20)  # more than sockets keep on their way


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer with what was sent, or with much."""
    sent = environ["wsgi.input"].read()
    body = LONG if environ["PATH_INFO"] == "/long" else b"got %d" % len(sent)
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


@contextmanager
def serving(limits: Limits, *, may_send: bool = False) -> Iterator[int]:
    """Run a server in a thread; give its port."""
    listening = socket.create_server(("127.0.0.1", 0))
    with closing(listening):
        server = Server(
            application, listening, may_send=lambda _: may_send, threads=2, limits=limits
        )
        ended = threading.Event()
        thread = threading.Thread(target=lambda: run(server, ended))
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            ended.set()
            server.pull_trigger()
            thread.join(WAIT_SECONDS)
            assert not thread.is_alive()
            server.task_dispatcher.shutdown()
            server.asyncore.close_all(server._map)


def run(server: Server, ended: threading.Event) -> None:
    """Let the server's loop turn until it is to end."""
    while not ended.is_set():
        server.asyncore.loop(timeout=0.1, use_poll=True, map=server._map, count=1)


def connect(port: int, client: str = "127.0.0.1") -> socket.socket:
    """Open a connection from an address of this machine."""
    return socket.create_connection(
        ("127.0.0.1", port), timeout=WAIT_SECONDS, source_address=(client, 0)
    )


def ask(port: int, client: str = "127.0.0.1", path: str = "/", body: bytes = b"") -> bytes:
    """Send a whole request on a connection of its own; return all that comes back."""
    with connect(port, client) as one:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        one.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        return everything(one)


def everything(one: socket.socket) -> bytes:
    """Read until the other side ends the connection."""
    found = bytearray()
    while part := one.recv(1 << 16):
        found += part
    return bytes(found)


def ends(one: socket.socket) -> bool:
    """Whether the other side ends the connection without a word; waits for it."""
    try:
        return one.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("sent", [HALF, b""], ids=["half a head", "nothing"])
def test_half_open_requests_block_nobody(finished_url: str, start: Start, sent: bytes) -> None:
    """With 600 connections of one client that say nothing more, another client, and the same, are
    answered within a second."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 1024:  # this process needs them too
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(2048, hard), hard))
    dashboard = start(finished_url)
    assert dashboard.ask("/api/studies").status == 200  # all is loaded
    with ExitStack() as stack:
        opened = [stack.enter_context(connect(dashboard.port, "127.0.0.1")) for _ in range(600)]
        for one in opened[-500:]:  # the first have given way
            one.sendall(sent)
        for client in ("127.0.0.2", "127.0.0.1"):
            began = time.monotonic()
            assert dashboard.ask("/api/studies", client=client).status == 200
            assert time.monotonic() - began < promised(1)
    assert dashboard.stderr == ""


def test_who_holds_most_gives_way() -> None:
    """Where there is no more room, the oldest connection of whoever has most of them is closed,
    and nobody else's."""
    with serving(Limits(connections=64)) as port, ExitStack() as stack:
        modest = [stack.enter_context(connect(port, "127.0.0.2")) for _ in range(3)]
        greedy = [stack.enter_context(connect(port, "127.0.0.3")) for _ in range(200)]
        for one in greedy[: 200 - 61]:
            assert ends(one)
        for one in (*modest, *greedy[200 - 61 :]):
            one.sendall(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
            assert everything(one).endswith(b"got 0")


def test_a_request_under_way_never_gives_way() -> None:
    """A connection whose request is being answered stays, however many others come."""
    with serving(Limits(connections=64)) as port, ExitStack() as stack:
        slow = stack.enter_context(connect(port, "127.0.0.2"))
        slow.sendall(b"GET /long HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert slow.recv(12) == b"HTTP/1.1 200"
        opened = [stack.enter_context(connect(port, "127.0.0.2")) for _ in range(200)]
        assert ends(opened[0])
        assert everything(slow).endswith(LONG[:1000])


@pytest.mark.parametrize(
    ("sent", "limits"),
    [
        (HALF, Limits(head_seconds=0.3)),
        (b"", Limits(idle_seconds=0.3)),
        (b"GET / HTTP/1.1\r\n\r\n", Limits(idle_seconds=0.3)),  # answered, then idle
        (
            b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf",
            Limits(head_seconds=0.1, stall_seconds=0.2),
        ),
    ],
    ids=["head", "nothing", "between requests", "body"],
)
def test_waiting_has_an_end(sent: bytes, limits: Limits) -> None:
    """Who does not send the rest of a head or a body, or nothing at all, is disconnected."""
    with serving(limits) as port, connect(port) as one:
        one.sendall(sent)
        found = everything(one)
        assert found.count(b"HTTP/1.1 200 OK") == sent.count(b"\r\n\r\n") - (b"half" in sent)


def test_a_head_in_drops_has_the_same_end() -> None:
    """Who goes on sending a head, byte after byte, is disconnected all the same."""
    with serving(Limits(head_seconds=0.5)) as port, connect(port) as one:
        began = time.monotonic()
        assert drip(one, b"X")
        assert time.monotonic() - began < promised(5)


def test_who_does_not_read_is_disconnected() -> None:
    """An answer that nobody reads is given up; it holds no thread meanwhile."""
    limits = Limits(stall_seconds=1.0, bytes_per_second=1e9)
    with serving(limits) as port, ExitStack() as stack:
        for _ in range(4):  # twice as many as there are threads
            one = stack.enter_context(connect(port))
            one.sendall(b"GET /long HTTP/1.1\r\n\r\n")
            assert one.recv(12) == b"HTTP/1.1 200"
        began = time.monotonic()
        assert ask(port).endswith(b"got 0")
        assert time.monotonic() - began < promised(1)
        with connect(port) as last:
            last.sendall(b"GET /long HTTP/1.1\r\n\r\n")
            stack.close()
            assert drip(last, b"\r\n")
            assert len(everything(last)) < len(LONG)


def drip(one: socket.socket, part: bytes) -> bool:
    """Send a little again and again; return whether the other side ended the connection."""
    deadline = time.monotonic() + WAIT_SECONDS
    try:
        while time.monotonic() < deadline:
            one.sendall(part)
            time.sleep(0.01)  # the slowness is what is tested
    except OSError:
        return True
    return False


def test_who_reads_steadily_gets_all() -> None:
    """An answer that takes longer than the grace is whole where it is read at the rate."""
    limits = Limits(stall_seconds=0.5, bytes_per_second=1 << 20)
    with serving(limits) as port, connect(port) as one:
        one.sendall(b"GET /long HTTP/1.1\r\nConnection: close\r\n\r\n")
        found = 0
        while part := one.recv(1 << 20):
            found += len(part)
            time.sleep(0.02)  # slower than the server, faster than the rate
        assert found > len(LONG)


def test_long_bodies_need_a_reason() -> None:
    """A body of 64 KiB or more is received only from who may send one, said by its length or not;
    a shorter one from everybody."""
    long, short = b"x" * (1 << 20), b"x" * 60_000
    with serving(Limits()) as port:
        assert ask(port, body=short).endswith(b"got 60000")
        with connect(port) as one:
            one.sendall(b"POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n")
            assert everything(one).startswith(b"HTTP/1.1 413")
        with connect(port) as one:
            chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
            one.sendall(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 2)
            assert one.recv(12) == b"HTTP/1.1 413"
    with serving(Limits(), may_send=True) as port:
        assert ask(port, body=long).endswith(b"got 1048576")


def test_a_body_in_many_parts_arrives() -> None:
    """What a client sends in pieces, several requests on one connection, is answered in order."""
    with serving(Limits()) as port, connect(port) as one:
        for part in (b"POST / HT", b"TP/1.1\r\nContent-Le", b"ngth: 4\r\n\r", b"\nab", b"cd",
                     b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n"):  # fmt: skip
            one.sendall(part)
        found = everything(one)
    assert found.count(b"200 OK") == 2
    assert found.index(b"got 4") < found.index(b"got 0")


def test_an_idle_server_sleeps_between_its_looks() -> None:
    """Waitress takes whole seconds, so that a fraction would make its loop turn at full speed."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        server = Server(application, listening, may_send=lambda _: False, threads=1)
        try:
            assert server.adj.asyncore_loop_timeout >= 1
            assert server.adj.cleanup_interval >= 1
        finally:
            server.task_dispatcher.shutdown()
            server.asyncore.close_all(server._map)
