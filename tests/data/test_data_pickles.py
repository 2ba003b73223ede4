"""Hostile pickles: nothing in them runs, whatever they ask for; and those that Python 3 writes."""

import pickle
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from published_files import Published, python2_array, short

from lamsearch.data.cifar10_files import read
from lamsearch.data.pickles import read_dictionary, uint8_array, whole_numbers
from lamsearch.errors import DataError

FLAG = Path("executed")
TOUCH = short(f"touch {FLAG}")
OPEN = short(f"open({str(FLAG)!r}, 'w')")
RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"
ENCODE = b"\x80\x02c_codecs\nencode\n%sU\x06%s\x86R"  # of what, as which


class _Touch:
    """What pickles as a call of open()."""

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(FLAG), "w")


HOSTILE = {
    "os.system": b"\x80\x02cposix\nsystem\n" + TOUCH + b"\x85R.",
    "eval": b"\x80\x02c__builtin__\neval\n" + OPEN + b"\x85R.",
    "builtins.eval": b"\x80\x02cbuiltins\neval\n" + OPEN + b"\x85R.",
    "nested in a dictionary": b"\x80\x02}(U\x04datacos\nsystem\n" + TOUCH + b"\x85Ru.",
    "argument of an admitted call": b"\x80\x02" + RECONSTRUCT + b"cos\nsystem\n\x85R.",
    "call of a dotted name": b"\x80\x02cnumpy\nndarray.__class__\nU\x01a\x85R.",
    "call of ndarray": b"\x80\x02cnumpy\nndarray\nJ\xff\xff\xff\x7f\x85R.",
    "call of text": b"\x80\x02U\x09os.systemU\x01a\x85R.",
    "call of a stand-in": b"\x80\x02" + RECONSTRUCT + b"U\x01a\x85RU\x01a\x85R.",
    "state of a dictionary": b"\x80\x02}}b.",
    "state of a global": b"\x80\x02cnumpy\ndtype\n}b.",
    "items of a stand-in": b"\x80\x02" + RECONSTRUCT + b"U\x01a\x85RU\x01aU\x01bs.",
    "items of a global": b"\x80\x02" + RECONSTRUCT + b"U\x01aa.",
    "key that is a tuple": b"\x80\x02})K\x01s.",
    "INST": b"(" + TOUCH + b"ios\nsystem\n.",
    "OBJ": b"\x80\x02(cos\nsystem\n" + TOUCH + b"o.",
    "NEWOBJ": b"\x80\x02cos\nsystem\n" + TOUCH + b"\x85\x81.",
    "extension registry": b"\x80\x02\x82\x01.",
    "persistent id": b"\x80\x02U\x01aQ.",
    "Python 3 protocol": pickle.dumps({"data": _Touch()}, protocol=4),
    "Python 3 at protocol 2": pickle.dumps({"data": _Touch()}, protocol=2),
    "text number": b"I" + b"9" * 100_000 + b"\n.",
    "endless marks": b"\x80\x02" + b"(" * 200_000,
    "pop from nothing": b"\x80\x02\x87.",
    "tuple without a mark": b"\x80\x02t.",
    "memo never written": b"\x80\x02h\x09.",
    "string longer than the file": b"\x80\x02T\xff\xff\xff\x7fabc.",
    "encode by a codec that runs code": ENCODE % (b"X\x01\x00\x00\x00a", b"zlib_codec"[:6]) + b".",
    "encode by another codec": ENCODE % (b"X\x01\x00\x00\x00a", b"utf-16") + b".",
    "encode of bytes": ENCODE % (b"C\x01a", b"latin1") + b".",
    "encode of text beyond latin-1": ENCODE % (b"X\x02\x00\x00\x00\xc4\xa3", b"latin1") + b".",
    "encode of a list": ENCODE % (b"]", b"latin1") + b".",
    "encode with an error handler": (
        b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aU\x06latin1U\x06ignore\x87R."
    ),
    "decode": b"\x80\x02c_codecs\ndecode\nU\x01aU\x06latin1\x86R.",
    "lookup": b"\x80\x02c_codecs\nlookup\nU\x06latin1\x85R.",
    "one text encoded without end": (
        b"\x80\x02X\xe8\x03\x00\x00"
        + b"a" * 1000
        + b"q\x01U\x06latin1q\x02]("
        + b"c_codecs\nencode\nh\x01h\x02\x86R" * 1000
        + b"e."
    ),
    "bytes of a size": b"\x80\x02c__builtin__\nbytes\nJ\xff\xff\xff\x7f\x85R.",
    "bytearray": b"\x80\x03cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R.",
    "stack global of os.system": b"\x80\x04\x8c\x02os\x8c\x06system\x93" + TOUCH + b"\x85R.",
    "stack global of a number": b"\x80\x04K\x01\x8c\x06system\x93.",
    "attribute of an attribute": b"\x80\x04\x8c\x05numpy\x8c\x0bndarray.dot\x93.",
    "NEWOBJ_EX": b"\x80\x04\x8c\x05numpy\x8c\x07ndarray\x93)}\x92.",
    "buffer out of band": b"\x80\x05\x97.",
    "bytes longer than the file": b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7fabc.",
    "array of bytes longer than the file": b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\xffabc.",
    "memo of nothing": b"\x80\x04\x94.",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_pickle_is_refused_and_never_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A pickle that asks for more than plain values and arrays is refused by its file's name."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "cifar-10-batches-py" / "data_batch_1"
    path.parent.mkdir()
    path.write_bytes(HOSTILE[kind])
    (path.parent / "batches.meta").write_bytes(HOSTILE[kind])
    with pytest.raises(DataError, match=r"batches\.meta: must"):
        read(tmp_path)
    path.with_name("batches.meta").unlink()
    with pytest.raises(DataError, match=r"data_batch_1: must"):
        read_dictionary(path.read_bytes(), str(path))
    assert not FLAG.exists()


@pytest.mark.parametrize("kind", ["os.system", "builtins.eval"])
def test_hostile_samples_do_run_in_pickle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """The samples are real attacks: Python's own pickle executes them."""
    monkeypatch.chdir(tmp_path)
    result = pickle.loads(HOSTILE[kind])  # noqa: S301  # to see the attack work
    if hasattr(result, "close"):
        result.close()
    assert FLAG.exists()


def test_refused_global_is_named() -> None:
    """The sentence names the file and the global that was asked for."""
    with pytest.raises(DataError, match=r"^data_batch_1: .* got 'posix.system'$"):
        read_dictionary(HOSTILE["os.system"], "data_batch_1")


def test_array_state_is_only_compared() -> None:
    """A state of nested tuples, whose text would fill the memory, is refused without reading it."""
    bomb = b"K\x01" + b"q\x20h\x20\x86" * 60  # 2 ** 60 numbers when written out
    array = python2_array(b"").replace(b"M\x10'M\x00\x0c\x86", bomb)
    content = read_dictionary(b"\x80\x02}(U\x04data" + array + b"u.", "file")
    with pytest.raises(DataError, match=r"must have the shape"):
        uint8_array(content["data"], (10_000, 3072), "file: data")


def test_protocol_of_python_3_with_bytes_keys_is_read() -> None:
    """Plain values read the same with text, bytes and Python 2 strings as keys."""
    expected = {"labels": [1, 2]}
    assert read_dictionary(b"\x80\x02}U\x06labels](K\x01K\x02es.", "a") == expected
    assert read_dictionary(b"\x80\x03}C\x06labels](K\x01K\x02es.", "b") == expected
    assert read_dictionary(pickle.dumps(expected, protocol=2), "c") == expected


@pytest.mark.parametrize("encoding", ["bytes", "latin1"])
def test_a_batch_that_python_3_saved_again_is_read(
    published: Published, tmp_path: Path, encoding: str
) -> None:
    """Loaded and dumped by Python 3 in any protocol, with changed labels, a batch is as it was."""
    place = published.copy_to(tmp_path)
    labels = b"labels" if encoding == "bytes" else "labels"
    for number, protocol in enumerate((2, 3, 4, 5), 1):
        path = place / f"data_batch_{number}"
        content = pickle.loads(path.read_bytes(), encoding=encoding)  # noqa: S301  # our own
        content[labels][number] = (content[labels][number] + 1) % 10
        path.unlink()
        path.write_bytes(pickle.dumps(content, protocol=protocol))
    found = read(tmp_path)
    assert np.array_equal(found.pool.x, np.concatenate(published.x[:5]))
    changed = np.concatenate(published.y[:5])
    for number in (1, 2, 3, 4):
        at = (number - 1) * 10_000 + number
        changed[at] = (changed[at] + 1) % 10
    assert np.array_equal(found.pool.y, changed)


def array_of(value: Any, protocol: int) -> object:
    """Return what stands for a value in a pickle of it."""
    raw = pickle.dumps({"value": value}, protocol=protocol)
    return read_dictionary(raw, "file")["value"]


NUMBERS = [3, 0, 7, 9]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("kind", ["u1", "i1", "<i2", ">i4", "u4", "i8", ">u8"])
def test_labels_may_be_numpy_s(protocol: int, kind: str) -> None:
    """An array of any whole numbers, and a list of NumPy's, are read as Python's numbers are."""
    array = np.array(NUMBERS, kind)
    for value in (NUMBERS, array, list(array), [*array[:2], 7, np.int64(9)]):
        found = whole_numbers(array_of(value, protocol), 4, "labels")
        assert found.dtype == np.int64
        assert found.tolist() == NUMBERS


@pytest.mark.parametrize("protocol", [2, 5])
def test_what_are_no_labels_gets_one_sentence(protocol: int) -> None:
    """Floats, texts, truth values, other numbers of labels and huge ones are refused."""
    for value in ([0.5], np.array([0.5]), ["a"], [True], [np.float64(1)], 7, np.array(7), [None],
                  np.array([["a"]])):  # fmt: skip
        with pytest.raises(DataError, match=r"^labels: must be |^file: must use only"):
            whole_numbers(array_of(value, protocol), 1, "labels")
    for value in ([1, 2], np.array([1, 2]), np.array([[1]])):
        with pytest.raises(DataError, match=r"labels: must be 1, got"):
            whole_numbers(array_of(value, protocol), 1, "labels")
    with pytest.raises(DataError, match="at most 64 bits"):
        whole_numbers([2**70], 1, "labels")


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_arrays_in_another_form_are_refused(protocol: int) -> None:
    """An array in Fortran's order, of another shape or another type is refused, not turned."""
    x = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert np.array_equal(uint8_array(array_of(x, protocol), (2, 3), "data"), x)
    for wrong in (np.asfortranarray(x), x.T.copy(), x.astype(np.int8), x.ravel(), x.tolist()):
        with pytest.raises(DataError, match=r"^data: must be|^data: must have the shape \(2, 3\)"):
            uint8_array(array_of(wrong, protocol), (2, 3), "data")


def test_fewer_images_say_where_to_put_them(published: Published, tmp_path: Path) -> None:
    """A long-tailed batch is refused with its shape and the way to read it all the same."""
    path = published.copy_to(tmp_path) / "data_batch_2"
    path.unlink()
    tail = {"data": np.zeros((40, 3072), np.uint8), "labels": [0] * 40}
    path.write_bytes(pickle.dumps(tail, protocol=4))
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    assert "data: must have the shape (10000, 3072) in C order, got (40, 3072)" in str(caught.value)
    assert ".npz" in str(caught.value)


SMALL = {
    "labels": [np.int64(3), 5], b"data": np.arange(6, dtype=np.uint8).reshape(2, 3),
    "names": [b"a\xff.png", b""], "more": np.array([1, 2]),
}  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    protocol=st.integers(2, 5),
    changes=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=6),
    cut=st.integers(0, 400),
)
def test_a_damaged_pickle_is_read_or_refused(
    protocol: int, changes: list[tuple[int, int]], cut: int
) -> None:
    """Whatever bytes are changed or cut off, there is a value or a sentence, and nothing else."""
    raw = bytearray(pickle.dumps(SMALL, protocol=protocol))
    for where, value in changes:
        raw[where % len(raw)] = value
    with suppress(DataError):
        content = read_dictionary(bytes(raw[: len(raw) - cut]), "file")
        whole_numbers(content.get("labels"), 2, "labels")
        whole_numbers(content.get("more"), 2, "more")
        uint8_array(content.get("data"), (2, 3), "data")
