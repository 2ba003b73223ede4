"""Image files: found below a directory, and decoded to bytes at a size by Pillow.

Enters: paths. Leaves: the bytes of an image, or one sentence. Pillow reads formats without code or
external programs; nothing is followed out of a directory, and no image is believed to be small.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lamsearch.errors import DataError
from lamsearch.study import ImageShape

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = {
    ".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".bmp": "BMP", ".gif": "GIF", ".webp": "WEBP",
    ".ppm": "PPM", ".pgm": "PPM",
}  # fmt: skip
MOST_FILES = 10_000_000
_FORMATS = tuple(sorted(set(SUFFIXES.values())))
_DEEP = ("I", "F")  # modes of more than 8 bits, which bytes would cut
_MOST_PIXELS = 100_000_000  # of one image, before it is scaled


def is_image(path: Path) -> bool:
    """Whether a file is named as an image."""
    return path.suffix.lower() in SUFFIXES


def images_below(root: Path) -> list[Path]:
    """Return the image files in a directory and in those in it, sorted; links out are refused.

    Raises:
        DataError: It cannot be read, holds too many, or a link leads out of it.
    """
    found: list[Path] = []
    waiting = [root]
    while waiting:
        for entry in entries(waiting.pop()):
            check_within(root, entry)
            if entry.is_dir() and not entry.is_symlink():
                waiting.append(entry)
            elif is_image(entry):
                found.append(entry)
            if len(found) > MOST_FILES:
                raise DataError(f"{root}: at most {MOST_FILES:,} images are read")
    return sorted(found)


def entries(directory: Path) -> list[Path]:
    """What a directory holds, sorted; hidden files such as .DS_Store are nobody's images."""
    try:
        with os.scandir(directory) as found:
            names = sorted(entry.name for entry in found if not entry.name.startswith("."))
    except OSError as error:
        raise DataError(f"{directory}: cannot be read: {error.strerror or error}") from error
    return [directory / name for name in names]


def check_within(root: Path, entry: Path) -> None:
    """Refuse a link that leads out of a directory."""
    if entry.is_symlink() and not entry.resolve().is_relative_to(root.resolve()):
        raise DataError(f"{entry}: must not lead out of {root}")


def size_of(path: Path) -> tuple[int, int, bool]:
    """Return the height and the width of an image, and whether it has colours, as its head says.

    Raises:
        DataError: It is no image.
    """
    with _opened(path) as image:
        return image.height, image.width, image.mode not in ("1", "L", "LA")


def pixels(path: Path, shape: ImageShape) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """Return an image's values at a shape of 1 or 3 channels, scaled to it (bilinear).

    They stand row by row, a pixel's together; or, of a planar shape, channel by channel.

    Raises:
        DataError: It is no whole image.
    """
    from PIL import Image

    size = shape.width, shape.height
    with _opened(path) as image:
        plain = image.convert("RGB" if shape.channels == 3 else "L")
    if plain.size != size:
        plain = plain.resize(size, Image.Resampling.BILINEAR)
    found = np.asarray(plain, np.uint8).reshape(shape.height, shape.width, shape.channels)
    return (found.transpose(2, 0, 1) if shape.planar else found).reshape(-1)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """An image that may be decoded; what goes wrong meanwhile is one sentence."""
    from PIL import Image

    try:
        with warnings.catch_warnings(), path.open("rb") as file:
            warnings.simplefilter("ignore")  # of odd palettes; sizes are looked at here
            with Image.open(file, formats=_FORMATS) as image:
                _check(path, image)
                yield image
    except DataError:
        raise
    except Exception as error:  # its readers have a dozen ways to say "not readable"
        reason = " ".join(str(error).split()).replace(str(path), "it")
        raise DataError(f"{path}: must be a whole image: {reason[:200]}") from error


def _check(path: Path, image: Image.Image) -> None:
    if image.width * image.height > _MOST_PIXELS:
        rule = f"must have at most {_MOST_PIXELS:,} pixels"
        raise DataError(f"{path}: {rule}, got {image.width} x {image.height}")
    if image.mode.startswith(_DEEP):
        rule = "must have 8 bits for each channel: save deeper images as an .npz file"
        raise DataError(f"{path}: {rule}, got the mode {image.mode}")
