"""A trial's curve in the database: what is damaged there is noticed, and stops nobody."""

from __future__ import annotations

import io
import random
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from storage_stub import Window, failed, planned, work

from lamsearch import report
from lamsearch.results import Curve, Trained, TrialState
from lamsearch.storage import Database, Leases, read_study
from lamsearch.storage.curve_blobs import pack, unpack
from lamsearch.study import Study

NAMES = ("training_loss", "training_cost", "training_accuracy",
         "validation_loss", "validation_cost", "validation_accuracy")  # fmt: skip


def outcome(points: int = 5, images: int | None = 11) -> Trained:
    """A trial with a curve of some points and correctness on some images."""
    rng = np.random.default_rng(points)
    return Trained(
        state=TrialState.COMPLETE,
        curve=Curve(
            updates=np.arange(points) * 15,
            learning_rate=rng.standard_normal(points),
            values={name: rng.standard_normal(points) for name in NAMES},
        ),
        scores=None if images is None else rng.random(images) < 0.5,
    )


def arrays_of(blob: bytes) -> dict[str, Any]:
    """The arrays of a blob, as anybody's NumPy reads them."""
    with np.load(io.BytesIO(blob)) as archive:
        return dict(archive)


def packed(arrays: dict[str, Any]) -> bytes:
    """Arrays as anybody's NumPy writes them, objects too."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def zipped(name: str, content: bytes) -> bytes:
    """An archive of one member."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def _arrays(curve: Curve) -> list[Any]:
    return [curve.updates, curve.learning_rate, *curve.values.values()]


BLOB = pack(outcome()) or b""
GOOD = arrays_of(BLOB)
HUGE = b"\x93NUMPY\x01\x00\x76\x00" + (
    b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }".ljust(117) + b"\n"
)
DAMAGED: dict[str, bytes] = {
    "nothing": b"",
    "no archive": b"no archive at all",
    "an array": np.arange(5).tobytes(),
    "half": BLOB[: len(BLOB) // 2],
    "its end is missing": BLOB[:-4],
    "an empty archive": packed({}),
    "no updates": packed({k: v for k, v in GOOD.items() if k != "updates"}),
    "a curve is missing": packed({k: v for k, v in GOOD.items() if k != "training_loss"}),
    "a foreign name": packed(GOOD | {"foreign": np.zeros(5)}),
    "lengths that differ": packed(GOOD | {"training_loss": np.zeros(4)}),
    "a matrix": packed(GOOD | {"training_loss": np.zeros((5, 1))}),
    "a scalar": packed(GOOD | {"updates": np.array(3)}),
    "text": packed(GOOD | {"training_loss": np.array(list("abcde"))}),
    "whole numbers for a loss": packed(GOOD | {"training_loss": np.arange(5)}),
    "fractions for updates": packed(GOOD | {"updates": np.arange(5.0)}),
    "objects": packed(GOOD | {"training_loss": np.array([{}] * 5, object)}),
    "complex numbers": packed(GOOD | {"training_loss": np.zeros(5, complex)}),
    "times": packed(GOOD | {"updates": np.arange(5).astype("m8[s]")}),
    "updates that fall": packed(GOOD | {"updates": np.arange(5)[::-1]}),
    "updates below zero": packed(GOOD | {"updates": np.arange(5) - 3}),
    "no number of images": packed({k: v for k, v in GOOD.items() if k != "images"}),
    "images without correctness": packed({k: v for k, v in GOOD.items() if k != "correct"}),
    "too few bits": packed(GOOD | {"images": np.array(99)}),
    "a negative number of images": packed(GOOD | {"images": np.array(-3)}),
    "a fraction of images": packed(GOOD | {"images": np.array(11.0)}),
    "bits as numbers": packed(GOOD | {"correct": np.zeros(2)}),
    "a shape of terabytes": zipped("updates.npy", HUGE),
    "a header of another version": zipped("updates.npy", b"\x93NUMPY\x03\x00" + HUGE[8:]),
    "a header that is code": zipped("updates.npy", HUGE.replace(b"False", b"exit()"[:5])),
}


@pytest.mark.parametrize("points", [0, 1, 5])
@pytest.mark.parametrize("images", [None, 0, 8, 11])
def test_what_is_packed_is_unpacked_to_the_bit(points: int, images: int | None) -> None:
    """A curve of any length, with or without correctness, comes back as it was."""
    given = outcome(points, images)
    curve, correct = unpack(pack(given) or b"")
    assert given.curve is not None
    assert list(curve.values) == list(NAMES)
    for one, other in zip(_arrays(curve), _arrays(given.curve), strict=True):
        assert (one.dtype, one.tobytes()) == (other.dtype, other.tobytes())
    assert (correct is None) == (given.scores is None)
    if correct is not None and given.scores is not None:
        assert correct.tolist() == given.scores.tolist()


@pytest.mark.parametrize("blob", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_blob_is_a_value_error(blob: bytes) -> None:
    """Whatever stands where a curve was packed is refused in one way only."""
    with pytest.raises(ValueError, match="must"):
        unpack(blob)


def test_a_bomb_takes_no_memory() -> None:
    """An archive that unpacks to a gigabyte is refused before it does."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("updates.npy", "w", force_zip64=True) as member,
    ):
        for _ in range(300):
            member.write(bytes(1 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="at most"):
            unpack(buffer.getvalue())
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_flipped_bit_of_a_blob_is_noticed_or_without_effect() -> None:
    """Of a packed curve with any one bit flipped, the same is unpacked, or nothing."""
    right, _ = unpack(BLOB)
    draw = random.Random(3)  # noqa: S311 - no secret
    noticed = 0
    for _ in range(1000):
        content = bytearray(BLOB)
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        try:
            curve, correct = unpack(bytes(content))
        except ValueError:
            noticed += 1
            continue
        for one, other in zip(_arrays(curve), _arrays(right), strict=True):
            assert one.tobytes() == other.tobytes()
        assert correct is not None
        assert correct.tolist() == np.unpackbits(GOOD["correct"], count=11).astype(bool).tolist()
    assert noticed > 500


def test_a_study_with_damaged_curves_is_reported_with_one_warning(
    tmp_path: Path, open_database: Callable[[str], Database], small_study: Callable[..., Study]
) -> None:
    """Trials whose blobs are damaged keep their scores, have no curve, and are counted in one
    sentence; correctness of another split's length is left out of its trial likewise."""
    url = f"sqlite:///{tmp_path / 'x.db'}"
    database = open_database(url)
    planned(database, small_study(fine=None, finalists=None))
    work(Leases(database, "small", owner="a", seconds=20.0))
    before = read_study(database, "small")
    assert not any("damaged" in line for line in report.document(before)["warnings"])
    window = Window(url)
    written = (b"junk", DAMAGED["lengths that differ"], BLOB)  # the last is of 11 images
    for candidate, blob in enumerate(written):
        window.execute(
            "UPDATE lamsearch_curve SET arrays = :a WHERE stage = 'coarse' AND candidate = :c",
            a=blob, c=candidate,
        )  # fmt: skip
    after = read_study(database, "small")
    trials = after.stages["coarse"].trials
    assert [trial.curve is None for trial in trials[:4]] == [True, True, False, False]
    assert [trial.scores is None for trial in trials[:4]] == [True, True, True, False]
    assert [trial.score for trial in trials] == [
        trial.score for trial in before.stages["coarse"].trials
    ]
    (line,) = [line for line in report.document(after)["warnings"] if "damaged" in line]
    assert line.startswith("the learning curves of 3 trials are damaged in the database")
    report.write(after, tmp_path / "report")


def test_a_failed_trial_without_a_curve_is_not_damaged() -> None:
    """A trial that never had a curve is no damage."""
    assert pack(failed()) is None
