"""Directories of images: what is read, at which size, and what is refused."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lamsearch.data.images import Contents
from lamsearch.data.sources import images as source
from lamsearch.data.sources import read
from lamsearch.errors import DataError, StudyFileError
from lamsearch.study import ImageShape, Study

MakeStudy = Callable[..., Study]
RNG = np.random.default_rng(2)
PIXELS = RNG.integers(0, 256, (5, 4, 3), np.uint8)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A directory with two classes, of two images and one."""
    for name in ("cat/1.png", "cat/2.png", "dog/b.bmp"):
        save(tmp_path / "own" / name)
    return tmp_path / "own"


def save(path: Path, pixels: np.ndarray = PIXELS, **keys: Any) -> Path:
    """Write an image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **keys)
    return path


@pytest.fixture
def contents(tmp_path: Path, study: MakeStudy) -> Callable[..., Contents]:
    """A reader of the directory own, with keys of [data]."""

    def read_it(**keys: Any) -> Contents:
        asked = {"path": "own", "size": [5, 4], "train": 1, "validation": 1} | keys
        return read(study(source="images", **asked).data, tmp_path, None)

    return read_it


def test_a_directory_for_each_class(root: Path, contents: Callable[..., Contents]) -> None:
    """At their own size images are their pixels; classes are the names of directories."""
    (root / "readme.txt").write_text("about them")
    (root / "cat/.DS_Store").write_bytes(b"\0")
    found = contents()
    assert found.classes == ("cat", "dog")
    assert found.pool.y.tolist() == [0, 0, 1]
    assert np.array_equal(found.pool.x, np.tile(PIXELS.reshape(-1), (3, 1)))
    assert found.image == ImageShape(height=5, width=4, channels=3)
    assert found.test is None


def test_size_and_colour(root: Path, contents: Callable[..., Contents]) -> None:
    """Images are scaled to the size, height first, and are their luminance without colour."""
    found = contents(size=[2, 3], colour=False)
    assert found.pool.x.shape == (3, 6)
    assert found.image == ImageShape(height=2, width=3)
    grey = Image.fromarray(PIXELS).convert("L").resize((3, 2), Image.Resampling.BILINEAR)
    assert np.array_equal(found.pool.x[0], np.asarray(grey).reshape(-1))


def test_modes(root: Path, contents: Callable[..., Contents]) -> None:
    """Grey, black-and-white, transparent and palette images are read as colours."""
    grey = Image.fromarray(PIXELS[:, :, 0])
    for mode, end in (("L", "png"), ("1", "png"), ("LA", "png"), ("P", "gif"), ("RGBA", "webp")):
        grey.convert(mode).save(
            root / f"dog/{mode}.{end}", **({"lossless": True} if end == "webp" else {})
        )
    found = contents()
    rows = dict(zip((file.name for file in sorted((root / "dog").iterdir())), found.pool.x[2:],
                    strict=True))  # fmt: skip
    for name in ("L.png", "LA.png", "P.gif", "RGBA.webp"):
        assert np.array_equal(rows[name], np.repeat(PIXELS[:, :, 0].reshape(-1), 3)), name


def test_a_test_set_of_its_own(root: Path, contents: Callable[..., Contents]) -> None:
    """Where the directories are train and test, they hold the classes, and test is the test set."""
    (root.parent / "new").mkdir()
    root.rename(root.parent / "new/train")
    (root.parent / "new").rename(root)
    save(root / "test/dog/1.png", PIXELS[::-1].copy())
    found = contents()
    assert (found.classes, len(found.pool)) == (("cat", "dog"), 3)
    assert found.test is not None
    assert found.test.y.tolist() == [1]
    assert np.array_equal(found.test.x[0], PIXELS[::-1].reshape(-1))
    save(root / "test/fox/1.png")
    with pytest.raises(DataError, match=r"test: must be a class that train has .*, got 'fox'"):
        contents()


def bomb(path: Path) -> None:
    """Write a PNG of few bytes that announces 400 million pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    data = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(9))) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + data)


def halved(path: Path) -> None:
    """Cut an image in the middle."""
    save(path, RNG.integers(0, 256, (64, 64, 3), np.uint8))
    path.write_bytes(path.read_bytes()[:4000])


def deep(path: Path) -> None:
    """Write an image of 16 bits for each pixel."""
    Image.fromarray(np.arange(20, dtype=np.uint16).reshape(5, 4)).save(path)


def linked_out(path: Path) -> None:
    """Link to an image that is elsewhere."""
    path.symlink_to(save(path.parents[2] / "elsewhere/1.png"))


def postscript(path: Path) -> None:
    """Write PostScript, which Pillow would have Ghostscript run."""
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 5\n%%EndComments\nshowpage\n")


MISTAKES: dict[str, tuple[str, Callable[[Path], object]]] = {
    "got 'x.txt'": ("cat/x.txt", lambda path: path.write_text("no image")),
    "got 'x.eps'": ("cat/x.eps", postscript),
    "cat/x.png: must be a whole image: cannot identify image file": ("cat/x.png", postscript),
    "cat/x.jpg: must be a whole image: cannot identify": (
        "cat/x.jpg", lambda path: path.write_bytes(b"")),
    "cat/x.png: must be a whole image: image file is truncated": ("cat/x.png", halved),
    "cat/x.png: must": ("cat/x.png", bomb),
    "cat/x.png: must have 8 bits for each channel: save deeper images as an .npz file": (
        "cat/x.png", deep),
    "cat/x.png: must not lead out of": ("cat/x.png", linked_out),
    "own/x: must not lead out of": ("x", lambda path: path.symlink_to(path.parents[1])),
    "must hold image files alone (.png, .jpg": ("cat/x", Path.mkdir),
    "own/x.png: must be in the directory of its class": ("x.png", save),
    "own/fox: must hold an image": ("fox", Path.mkdir),
    "a class must be named by 1 to 100 printable characters, got 'a\\x1b[2J'": (
        "a\x1b[2J/x.png", save),
}  # fmt: skip
if hasattr(os, "mkfifo"):
    MISTAKES["got 'p.png'"] = ("cat/p.png", os.mkfifo)


@pytest.mark.parametrize("rule", MISTAKES)
def test_mistake_gets_one_sentence(
    rule: str, root: Path, contents: Callable[..., Contents]
) -> None:
    """What is no whole image in the directory of its class is one sentence that names it."""
    name, make = MISTAKES[rule]
    make(root / name)
    with pytest.raises(DataError) as caught:
        contents()
    assert rule in str(caught.value)
    assert str(caught.value).startswith(str(root))
    assert len(str(caught.value).splitlines()) == 1


def test_links_within_are_followed(root: Path, contents: Callable[..., Contents]) -> None:
    """A link to an image of the same directory is that image."""
    (root / "dog/same.png").symlink_to(root / "cat/1.png")
    assert contents().pool.y.tolist() == [0, 0, 1, 1]


def test_nothing_there(tmp_path: Path, contents: Callable[..., Contents]) -> None:
    """A directory that is absent or has no classes is refused by name."""
    with pytest.raises(
        DataError, match="data: images must be in a directory, but there is none at"
    ):
        contents()
    (tmp_path / "own").mkdir()
    with pytest.raises(
        DataError, match="own: must hold a directory for each of 1 to 65536 classes"
    ):
        contents()


def test_too_many_pixels_in_all(
    root: Path, contents: Callable[..., Contents], monkeypatch: Any
) -> None:
    """Images that would not fit into memory at their size are refused before one is read."""
    monkeypatch.setattr(source, "_MOST_VALUES", 100)
    with pytest.raises(DataError, match=r"make data\.size smaller, got 3 x 60"):
        contents()


@pytest.mark.parametrize("size", [[0, 4], [5], [5, 4, 3], [5000, 4], "5x4"])
def test_sizes(size: object, contents: Callable[..., Contents]) -> None:
    """A size is two numbers of pixels, height and width."""
    with pytest.raises(StudyFileError, match=r"data\.size"):
        contents(size=size)


def test_listed(root: Path) -> None:
    """`data list` has a line for each directory of directories of images."""
    assert [info.name for info in source.SOURCE.listed(root.parent)] == ["own"]
