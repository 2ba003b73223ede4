from __future__ import annotations

import hashlib
import io
import itertools
import json
import logging
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from newest import newest_checkpoint
from safetensors import safe_open
from safetensors.numpy import save as save_tensors

from lamsearch.artifacts import Files, digest_of, model_bytes, model_from
from lamsearch.errors import FilesError, InputError
from lamsearch.local_files import write_whole
from lamsearch.results import Model

PlannedStudy = dict[str, np.ndarray]


def state(seed: int = 0) -> dict[str, Any]:
    """Return arrays of all the kinds a trainer keeps, awkward numbers included."""
    rng = np.random.default_rng(seed)
    return {
        "W1": rng.standard_normal((3, 64, 8)).astype(np.float32),
        "odd": np.array([np.nan, np.inf, -0.0, 5e-324]),
        "updates": np.array(1234567890123),
        "alive": np.array([True, False, True]),
        "random": np.frombuffer(rng.bytes(32), np.uint64),
        "empty": np.zeros((0, 4), np.float32),
    }


def same(one: PlannedStudy | None, other: PlannedStudy) -> bool:
    """Whether both hold the same arrays, to the bit."""
    return (
        one is not None
        and one.keys() == other.keys()
        and all(
            (one[key].dtype, one[key].shape, one[key].tobytes())
            == (other[key].dtype, other[key].shape, other[key].tobytes())
            for key in one
        )
    )


def model(seed: int = 0) -> Model:
    """Return a small model of random weights."""
    rng = np.random.default_rng(seed)
    shapes = {"W1": (6, 4), "b1": (4,), "W2": (4, 3), "b2": (3,), "mean": (6,), "std": (6,)}
    return Model.of({k: rng.standard_normal(v).astype(np.float32) for k, v in shapes.items()})


@pytest.fixture(params=["directory", "memory", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place for files: a directory, or an object store."""
    if request.param == "memory":
        request.getfixturevalue("monkeypatch").setenv("LAMSEARCH_FILES_PROTOCOLS", "memory")
    if request.param == "s3":
        return f"{request.getfixturevalue('s3')}/some/prefix"
    return (
        str(tmp_path / "store") if request.param == "directory" else f"memory://{uuid.uuid4().hex}"
    )


@pytest.fixture
def files(url: str) -> Files:
    """The files of one study."""
    return Files(url, "study-id")


def listing(url: str) -> list[str]:
    """All files below a URL, by their names below it, but for the marks of directories."""
    fs, root = fsspec.core.url_to_fs(url)
    fs.invalidate_cache()
    names = sorted(path[len(root) :].lstrip("/") for path in fs.find(root))
    return [name for name in names if not name.endswith("/.lamsearch-study")]


def edit(url: str, name: str, change: Callable[[bytes], bytes]) -> None:
    """Change a stored file's bytes behind the room's back."""
    fs, root = fsspec.core.url_to_fs(url)
    fs.pipe_file(f"{root}/{name}", change(fs.cat_file(f"{root}/{name}")))


FOLDER = "study-id/checkpoints/coarse-2"


def test_a_checkpoint_comes_back_to_the_bit(files: Files) -> None:
    """A state that is saved is loaded with the same keys, types, shapes and bits."""
    assert newest_checkpoint(files, "coarse", 2) is None
    files.save_checkpoint("coarse", 2, 30, state())
    assert same(newest_checkpoint(files, "coarse", 2), state())


def test_checkpoints_of_cohorts_and_stages_are_their_own(files: Files) -> None:
    """A cohort's checkpoint is not another cohort's, stage's or study's."""
    files.save_checkpoint("coarse", 2, 30, state())
    assert newest_checkpoint(files, "coarse", 1) is None
    assert newest_checkpoint(files, "fine", 2) is None
    assert newest_checkpoint(Files(files.url, "other-id"), "coarse", 2) is None


def test_the_newest_and_the_one_before_are_kept(files: Files, url: str) -> None:
    """However many are saved, two remain, and the newest by updates is loaded."""
    for updates in (5, 30, 200, 1000):
        files.save_checkpoint("coarse", 2, updates, state(updates))
    assert listing(url) == [f"{FOLDER}/000000000200.npz", f"{FOLDER}/000000001000.npz"]
    assert same(newest_checkpoint(files, "coarse", 2), state(1000))


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-1],
        lambda content: content[: len(content) // 2],
        lambda content: content[:100] + bytes([content[100] ^ 1]) + content[101:],
        lambda content: bytes([content[0] ^ 1]) + content[1:],
        lambda _: b"",
    ],
    ids=["a byte short", "half", "one bit in the body", "one bit in the digest", "empty"],
)
def test_a_damaged_checkpoint_is_reported_and_the_previous_used(
    damage: Callable[[bytes], bytes], files: Files, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A newest checkpoint that is not whole is named in a warning and the one before is loaded;
    where that is damaged too, there is none."""
    files.save_checkpoint("coarse", 2, 30, state(1))
    files.save_checkpoint("coarse", 2, 60, state(2))
    edit(url, f"{FOLDER}/000000000060.npz", damage)
    with caplog.at_level(logging.WARNING):
        assert same(newest_checkpoint(files, "coarse", 2), state(1))
    assert caplog.messages == ["checkpoint 000000000060.npz of coarse cohort 2 is damaged"]
    edit(url, f"{FOLDER}/000000000030.npz", damage)
    assert newest_checkpoint(files, "coarse", 2) is None


def test_a_damaged_checkpoint_never_displaces_a_whole_one(files: Files, url: str) -> None:
    """After a damaged newest one, the work that goes on from the previous is saved and loaded."""
    for updates in (30, 60):
        files.save_checkpoint("coarse", 2, updates, state(updates))
    edit(url, f"{FOLDER}/000000000060.npz", lambda _: b"")
    files.save_checkpoint("coarse", 2, 45, state(45))
    assert same(newest_checkpoint(files, "coarse", 2), state(45))
    files.save_checkpoint("coarse", 2, 60, state(60))
    assert same(newest_checkpoint(files, "coarse", 2), state(60))


def test_what_a_crash_left_half_written_is_no_checkpoint(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A temporary file of a write that was killed is neither loaded nor counted nor complained of,
    and goes with the others."""
    files = Files(str(tmp_path), "study-id")
    left = tmp_path / FOLDER / ".000000000060.npz.0123"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    assert newest_checkpoint(files, "coarse", 2) is None
    assert caplog.messages == []
    files.save_checkpoint("coarse", 2, 30, state(1))
    assert same(newest_checkpoint(files, "coarse", 2), state(1))
    files.save_checkpoint("coarse", 2, 40, state(2))
    names = sorted(path.name for path in (tmp_path / FOLDER).glob("0*"))
    assert names == ["000000000030.npz", "000000000040.npz"]
    files.drop_checkpoints("coarse", 2)
    assert not left.exists()


def test_checkpoints_are_dropped_by_cohort(files: Files, url: str) -> None:
    """Dropping a cohort's checkpoints leaves the others', and doing it twice is safe."""
    files.save_checkpoint("coarse", 1, 30, state())
    files.save_checkpoint("coarse", 2, 30, state())
    files.drop_checkpoints("coarse", 2)
    files.drop_checkpoints("coarse", 2)
    assert listing(url) == ["study-id/checkpoints/coarse-1/000000000030.npz"]


def test_removing_all_leaves_other_studies(files: Files, url: str) -> None:
    """A study's files are removed whole, another study's below the same URL stay."""
    other = Files(url, "other-id")
    for one in (files, other):
        one.save_checkpoint("coarse", 2, 30, state())
        one.save_model(0, model(), {})
    files.remove_all()
    files.remove_all()
    assert {name.split("/")[0] for name in listing(url)} == {"other-id"}
    assert files.read_model(0) is None


def test_a_model_comes_back_to_the_bit(files: Files) -> None:
    """A model's six arrays are float32 safetensors that are read as they were written."""
    assert files.read_model(3) is None
    content = files.save_model(3, model(), {"study": "x"})
    assert files.read_model(3) == content
    assert files.read_model(2) is None
    again = model_from(content)
    assert list(again.arrays()) == ["W1", "b1", "W2", "b2", "mean", "std"]
    for name, array in again.arrays().items():
        assert array.dtype == np.float32
        assert array.tobytes() == model().arrays()[name].tobytes()


def test_a_snapshot_has_a_file_of_its_own(files: Files, url: str) -> None:
    """A cycle end's model lies beside that of the training's end, and goes with the study."""
    last = files.save_model(3, model(), {"study": "x"})
    snapshot = files.save_model(3, model(), {"study": "x", "cycle": 2}, cycle=2)
    assert files.read_model(3) == last
    assert files.read_model(3, digest_of(snapshot), 2) == snapshot
    assert files.read_model(3, digest_of(last), 2) is None
    assert listing(url) == [
        f"study-id/models/final-3{cycle}.safetensors" for cycle in ("-cycle-2", "")
    ]
    files.remove_all()
    assert listing(url) == []


def test_a_model_s_metadata_are_read_by_any_safetensors(tmp_path: Path) -> None:
    """Text in the metadata is written as it is, everything else as JSON."""
    path = tmp_path / "m.safetensors"
    facts = {"study": "dögs", "lambda": 10**-2.5, "replicate": 2, "classes": ["a", "b"]}
    path.write_bytes(model_bytes(model(), facts))
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
        assert sorted(file.keys()) == ["W1", "W2", "b1", "b2", "mean", "std"]
    assert metadata["study"] == "dögs"
    assert json.loads(metadata["lambda"]) == 10**-2.5
    assert json.loads(metadata["classes"]) == ["a", "b"]


def test_a_model_of_other_floats_is_written_as_float32() -> None:
    """Weights in float64, or not contiguous, are float32 in the file."""
    wide = Model.of({
        name: np.asfortranarray(array.astype(np.float64))
        for name, array in model().arrays().items()
    })  # fmt: skip
    assert model_bytes(wide, {}) == model_bytes(model(), {})


def test_a_damaged_model_is_none(files: Files, url: str, caplog: pytest.LogCaptureFixture) -> None:
    """A model file that is not whole is reported and counts as absent."""
    files.save_model(0, model(), {})
    edit(url, "study-id/models/final-0.safetensors", lambda content: content[:-5])
    assert files.read_model(0) is None
    assert "model of replicate 0 is damaged" in caplog.text
    edit(url, "study-id/models/final-0.safetensors", lambda _: b"")
    assert files.read_model(0) is None


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever writing fails, the old file stands whole and nothing temporary is left."""
    path = tmp_path / "there.npz"
    write_whole(path, b"old")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    if step == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    elif step == "replace":
        monkeypatch.setattr(os, "replace", full)
    with pytest.raises((OSError, TypeError)):
        write_whole(path, "no bytes" if step == "write" else b"new")  # type: ignore[arg-type]
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"


def test_a_full_disk_is_said_and_the_earlier_checkpoint_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint that does not fit is an error with path and cause, and loses nothing."""
    files = Files(str(tmp_path), "study-id")
    files.save_checkpoint("coarse", 2, 30, state(1))

    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FilesError) as caught:
        files.save_checkpoint("coarse", 2, 60, state(2))
    path = tmp_path / FOLDER / "000000000060.npz"
    assert str(caught.value) == f"files: {path} cannot be written: No space left on device"
    assert caught.value.exit_code == 1
    assert same(newest_checkpoint(files, "coarse", 2), state(1))


def test_a_file_in_the_way_of_the_directory_is_named(tmp_path: Path) -> None:
    """Where the directory cannot be made, every call that needs it names the path."""
    (tmp_path / "store").write_bytes(b"")
    files = Files(str(tmp_path / "store"), "study-id")
    for call in (
        lambda: files.save_checkpoint("coarse", 2, 30, state()),
        lambda: newest_checkpoint(files, "coarse", 2),
        lambda: files.save_model(0, model(), {}),
        lambda: files.read_model(0),
    ):
        with pytest.raises(FilesError, match=f"files: {tmp_path}/store/study-id/.* cannot be"):
            call()


def test_a_url_that_fsspec_does_not_know_is_bad_input() -> None:
    """A files URL that means nothing is refused before any work."""
    with pytest.raises(InputError, match="files: must be a directory or a URL that fsspec knows"):
        Files("nosuch://bucket/x", "study-id")


def tensors(**changes: Any) -> bytes:
    """A model's file with other arrays than a model has."""
    arrays = model().arrays()
    return save_tensors(
        {key: value for key, value in (arrays | changes).items() if value is not None}
    )


NO_MODELS: dict[str, bytes] = {
    "a wrong name": tensors(W1=None, W3=np.zeros((6, 4), np.float32)),
    "a name too many": tensors(W3=np.zeros(1, np.float32)),
    "a name missing": tensors(std=None),
    "nothing at all": save_tensors({}),
    "another mean": tensors(mean=np.zeros(5, np.float32)),
    "another width": tensors(W2=np.zeros((5, 3), np.float32)),
    "other classes": tensors(b2=np.zeros(4, np.float32)),
    "a vector": tensors(W1=np.zeros(24, np.float32)),
    "whole numbers": tensors(b1=np.zeros(4, np.int32)),
    "a wide weight": tensors(W1=np.zeros((6, 4))),
    "no number": tensors(b1=np.full(4, np.nan, np.float32)),
}


@pytest.mark.parametrize("content", NO_MODELS.values(), ids=NO_MODELS)
def test_a_file_that_is_no_model_is_none(
    content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Arrays that do not make a model are said in one line, and count as absent."""
    files = Files(str(tmp_path), "study-id")
    files.save_model(0, model(), {})
    (tmp_path / "study-id/models/final-0.safetensors").write_bytes(content)
    assert files.read_model(0) is None
    (line,) = caplog.messages
    assert line.startswith("model of replicate 0 is damaged: a model")
    with pytest.raises(ValueError, match="a model"):
        model_from(content)


def test_a_model_that_is_not_the_one_saved_is_none(
    files: Files, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A model whose bits are not those of the recorded digest counts as absent, though it is whole
    in itself; where no digest was recorded it is taken."""
    digest = digest_of(files.save_model(0, model(), {}))
    assert files.read_model(0, digest) is not None
    edit(url, "study-id/models/final-0.safetensors", lambda content: content[:-1] + b"\x3e")
    assert files.read_model(0) is not None
    assert caplog.messages == []
    assert files.read_model(0, digest) is None
    assert caplog.messages == [
        "model of replicate 0 is damaged: its SHA-256 is not the one that was recorded with its "
        "trial"
    ]


def test_bombs_and_objects_are_no_checkpoints(tmp_path: Path) -> None:
    """Content with a right checksum that is compressed, pickled or no archive counts as damaged."""
    files = Files(str(tmp_path), "study-id")
    saves: list[Callable[[io.BytesIO], object]] = [
        lambda buffer: np.savez_compressed(buffer, a=np.zeros(1 << 20)),
        lambda buffer: np.savez(buffer, a=np.array([{}], object)),
        lambda buffer: np.save(buffer, np.zeros(3)),
        lambda buffer: buffer.write(b"no archive"),
    ]
    for number, save in enumerate(saves):
        buffer = io.BytesIO()
        save(buffer)
        body = buffer.getvalue()
        files.save_checkpoint("coarse", 2, number, state())
        path = tmp_path / FOLDER / f"{number:012d}.npz"
        path.write_bytes(hashlib.sha256(body).digest() + body)
        assert newest_checkpoint(files, "coarse", 2) is None


def test_two_damaged_checkpoints_never_displace_those_to_come(files: Files, url: str) -> None:
    """Where both are damaged, the training that begins anew keeps what it saves."""
    for updates in (60, 90):
        files.save_checkpoint("coarse", 2, updates, state())
        edit(url, f"{FOLDER}/{updates:012d}.npz", lambda _: b"")
    assert newest_checkpoint(files, "coarse", 2) is None
    files.save_checkpoint("coarse", 2, 30, state(30))
    assert same(newest_checkpoint(files, "coarse", 2), state(30))


def chain(*sizes: int) -> dict[str, Any]:
    """The arrays of a model of layers between so many values."""
    rng, arrays = np.random.default_rng(1), {}
    for layer, (above, below) in enumerate(itertools.pairwise(sizes), 1):
        arrays[f"W{layer}"] = rng.standard_normal((above, below)).astype(np.float32)
        arrays[f"b{layer}"] = rng.standard_normal(below).astype(np.float32)
    moments = {"mean": np.zeros(sizes[0], np.float32), "std": np.ones(sizes[0], np.float32)}
    return arrays | moments


@pytest.mark.parametrize("sizes", [(6, 3), (6, 4, 3), (6, 5, 4, 7, 3)])
@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "tanh"])
def test_a_chain_of_any_length_comes_back(sizes: tuple[int, ...], activation: Any) -> None:
    """Layers and activation are read as they were written; relu alone stands in no metadata."""
    one = Model.of(chain(*sizes), activation)
    content = model_bytes(one, {"study": "x"})
    again = model_from(content)
    assert (len(again.layers), again.activation) == (len(sizes) - 1, activation)
    for name, array in again.arrays().items():
        assert array.tobytes() == one.arrays()[name].tobytes()
    assert (b"activation" in content) == (activation != "relu")


def test_layers_that_do_not_follow_one_another_are_no_model() -> None:
    """A layer too few, of another width, or an activation that nobody knows is refused."""
    right = chain(6, 5, 4, 3)
    for change in (
        {"W2": right["W2"][:, :3]}, {"W3": right["W3"][:3]}, {"b2": right["b2"][:1]}, {"W2": None},
        {"W1": right["W1"][:5]}, {"W2": right["W2"][0]}, {"b3": right["W3"]},
    ):  # fmt: skip
        arrays = {key: one for key, one in (right | change).items() if one is not None}
        with pytest.raises(ValueError, match="a model"):
            model_from(save_tensors(arrays))
    with pytest.raises(ValueError, match=r"activation must be one of relu, .*, got 'gelu'"):
        model_from(save_tensors(right, metadata={"activation": "gelu"}))
