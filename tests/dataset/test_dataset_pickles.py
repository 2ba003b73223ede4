"""Hostile pickles: nothing in them runs, whatever they ask for."""

import pickle
from pathlib import Path

import pytest
from conftest import python2_array, short

from lamsearch.dataset.cifar10 import read
from lamsearch.dataset.pickles import read_dictionary, uint8_array
from lamsearch.errors import DataError

FLAG = Path("executed")
TOUCH = short(f"touch {FLAG}")
OPEN = short(f"open({str(FLAG)!r}, 'w')")
RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"


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
