"""Numbers per example as a short text."""

from __future__ import annotations

import base64
import zlib

import numpy as np
import pytest

from lamsearch.results import packed, unpacked

RNG = np.random.default_rng(4)


@pytest.mark.parametrize(
    "scores",
    [
        RNG.random(500) < 0.3,
        RNG.choice([-0.1, -2.3, -4.6], 5000),
        RNG.normal(size=700).astype(np.float32),
        np.array([1.5]),
        np.arange(256.0),
        np.arange(257.0),
    ],
    ids=["bools", "few", "many", "one", "bytes", "beyond"],
)
def test_what_is_packed_is_unpacked_as_float32(scores: np.ndarray) -> None:
    """The same numbers in the same order."""
    text = packed(scores)
    assert text is not None
    assert np.array_equal(unpacked(text), scores.astype(np.float32))


def test_a_few_different_numbers_are_short() -> None:
    """5,000 examples of ten classes take less than 4 kB, and what would be long is left out."""
    text = packed(np.log(RNG.integers(1, 11, 5000) / 55))
    assert text is not None
    assert len(text) < 4000
    assert packed(RNG.normal(size=100_000)) is None


def _text(content: bytes) -> str:
    return base64.b64encode(zlib.compress(content)).decode()


@pytest.mark.parametrize(
    "text",
    [
        "no base64!", base64.b64encode(b"no zlib").decode(), _text(b"short"),
        _text(b"\x05\0\0\0\0\0\0\0" + b"\0" * 19),  # five numbers want 20 bytes
        _text(b"\x02\0\0\0\x01\0\0\0" + b"\0" * 4 + b"\x00\x01"),  # a code without a number
        _text(b"\xff\xff\xff\xff\0\0\0\0" + b"\0" * (1 << 25)),
    ],
)  # fmt: skip
def test_what_nobody_packed_is_refused(text: str) -> None:
    """Damage is a ValueError, and makes no room for what it claims to be."""
    with pytest.raises(ValueError, match="scores per example must"):
        unpacked(text)
