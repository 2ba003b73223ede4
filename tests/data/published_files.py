"""Writers of CIFAR-10's published layouts, and a web server with bad manners."""

import os
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import numpy as np

NAMES = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
CLASSES = ["airplane", "automobile", "bird", "cat", "deer"]
CLASSES += ["dog", "frog", "horse", "ship", "truck"]


def short(text: str) -> bytes:
    """Return a Python 2 str as protocol 2 wrote it."""
    return b"U" + bytes([len(text)]) + text.encode("ascii")


def python2_array(raw: bytes, shape: tuple[int, int] = (10_000, 3072), kind: str = "u1") -> bytes:
    """Return a pickled uint8 array with the opcodes of Python 2's NumPy."""
    rows, columns = (b"M" + size.to_bytes(2, "little") for size in shape)
    return (
        b"cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08K\x00\x85U\x01b\x87Rq\t"
        b"(K\x01" + rows + columns + b"\x86cnumpy\ndtype\nq\n" + short(kind) + b"K\x00K\x01\x87R"
        b"q\x0b(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        b"T" + len(raw).to_bytes(4, "little") + raw + b"tq\x0cb"
    )


def python2_batch(labels: list[int], array: bytes) -> bytes:
    """Return a pickled batch: labels, an array pickled already, and memoised file names."""
    numbers = b"".join(b"J" + label.to_bytes(4, "little", signed=True) for label in labels)
    names = b"".join(
        short(f"a_s_{i:06d}.png") + b"r" + (1000 + i).to_bytes(4, "little")
        for i in range(len(labels))
    )
    return (
        b"\x80\x02}q\x01(" + short("batch_label") + b"q\x02" + short("training batch") + b"q\x03"
        + short("labels") + b"q\x04]q\x05(" + numbers + b"e" + short("data") + b"q\x06" + array
        + short("filenames") + b"q\r]q\x0e(" + names + b"eu."
    )  # fmt: skip


def python2_meta(names: list[str]) -> bytes:
    """Return batches.meta."""
    labels = b"".join(short(name) for name in names)
    return b"\x80\x02}q\x01(" + short("label_names") + b"q\x03]q\x04(" + labels + b"eu."


@dataclass
class Published:
    """A directory with both layouts of the same made-up images, and what they must be read as."""

    directory: Path
    x: list[np.ndarray]
    y: list[np.ndarray]

    def copy_to(self, directory: Path, *, binary: bool = False) -> Path:
        """Link one layout into ``directory`` (files to be damaged must be replaced, not edited)."""
        name = "cifar-10-batches-bin" if binary else "cifar-10-batches-py"
        place = directory / name
        place.mkdir(parents=True)
        for file in (self.directory / name).iterdir():
            os.link(file, place / file.name)
        return place


@dataclass
class Manners:
    """How the server behaves: what it serves, and where it closes each of the first answers."""

    content: bytes = b""
    drops: list[int] = field(default_factory=list)
    ignores_range: bool = False
    status: int = 0
    ranges: list[str | None] = field(default_factory=list)
    url: str = ""


class Handler(BaseHTTPRequestHandler):
    """Answers as its manners say."""

    manners: Manners

    def do_GET(self) -> None:
        """Serve the content, or a part of it, or close in the middle."""
        manners, wanted = self.manners, self.headers.get("Range")
        manners.ranges.append(wanted)
        if manners.status:
            self.send_error(manners.status)
            return
        start = 0
        if wanted and not manners.ignores_range:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(manners.content):
            self.send_error(416)
            return
        body = manners.content[start:]
        self.send_response(206 if start else 200)
        if start:
            whole = len(manners.content)
            self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: manners.drops.pop(0)] if manners.drops else body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""
