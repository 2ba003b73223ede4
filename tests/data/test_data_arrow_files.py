"""Tables in Arrow's formats: the same values as in text, and nothing of a stranger's file believed
before it is validated."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lamsearch.data.images import Contents
from lamsearch.data.sources import read
from lamsearch.errors import DataError
from lamsearch.results import Column
from lamsearch.study import Study

pa = pytest.importorskip("pyarrow")
feather = pytest.importorskip("pyarrow.feather")
parquet = pytest.importorskip("pyarrow.parquet")

MakeStudy = Callable[..., Study]
ROWS = {"n": [1.5, 2, None, 4], "c": ["b", "a", None, "b"], "y": ["no", "yes", "no", "no"]}


def save_stream(table: Any, path: Path) -> None:
    """Write Arrow's stream format."""
    with pa.ipc.new_stream(str(path), table.schema) as writer:
        writer.write_table(table)


WRITERS: dict[str, tuple[str, Callable[[Any, Path], None]]] = {
    "parquet": ("a.parquet", lambda one, path: parquet.write_table(one, path, row_group_size=3)),
    "feather": ("a.feather", lambda one, path: feather.write_feather(one, str(path), chunksize=3)),
    "zstd": ("a.arrow", lambda one, path: feather.write_feather(one, str(path), "zstd")),
    "stream": ("a.arrow", save_stream),
}  # fmt: skip


@pytest.fixture
def contents(tmp_path: Path, study: MakeStudy) -> Callable[..., Contents]:
    """A reader of a file in the test's directory, with keys of [data]."""

    def read_it(name: str, **keys: Any) -> Contents:
        asked = {"path": name, "target": "y", "train": 1, "validation": 1} | keys
        return read(study(source="table", **asked).data, tmp_path, None)

    return read_it


@pytest.mark.parametrize("writer", WRITERS)
def test_the_same_as_in_text(
    writer: str, tmp_path: Path, contents: Callable[..., Contents]
) -> None:
    """A table in any of Arrow's formats has the values and the fingerprint of that in text."""
    name, write = WRITERS[writer]
    write(pa.table(ROWS), tmp_path / name)
    (tmp_path / "a.csv").write_text("n,c,y\n1.5,b,no\n2,a,yes\n,,no\n4,b,no\n")
    found = contents(name, missing="mean")
    assert found.columns == (Column(name="n"), Column(name="c", categories=("a", "b")))
    assert found.fingerprint() == contents("a.csv", missing="mean").fingerprint()


TYPES: dict[str, tuple[Any, Column, list[list[float]]]] = {
    "int8": (pa.array([1, -2], pa.int8()), Column(name="v"), [[1], [-2]]),
    "uint64": (pa.array([2**53, 1], pa.uint64()), Column(name="v"), [[2.0**53], [1]]),
    "half": (pa.array(np.float16([0.5, 2])), Column(name="v"), [[0.5], [2]]),
    "decimal": (pa.array([Decimal("1.25"), Decimal("-2.00")]), Column(name="v"), [[1.25], [-2]]),
    "bool": (
        pa.array([True, False]), Column(name="v", categories=("false", "true")), [[0, 1], [1, 0]]
    ),
    "dictionary": (
        pa.array(["x", "w"]).dictionary_encode(), Column(name="v", categories=("w", "x")),
        [[0, 1], [1, 0]],
    ),
    "numbers in a dictionary": (
        pa.array([7, 12]).dictionary_encode(), Column(name="v", categories=("12", "7")),
        [[0, 1], [1, 0]],
    ),
    "view": (
        pa.array(["x", "w"], pa.string_view()), Column(name="v", categories=("w", "x")),
        [[0, 1], [1, 0]],
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", TYPES)
def test_types(kind: str, tmp_path: Path, contents: Callable[..., Contents]) -> None:
    """Numbers of every type are numbers; texts, truth values and dictionaries are categories."""
    array, column, x = TYPES[kind]
    feather.write_feather(pa.table({"v": array, "y": [0, 1]}), str(tmp_path / "a.arrow"))
    found = contents("a.arrow")
    assert found.columns == (column,)
    assert found.pool.x.tolist() == x


def test_numbers_that_name_categories(tmp_path: Path, contents: Callable[..., Contents]) -> None:
    """Whole numbers, of floats too, are categories where the study says so."""
    table = pa.table({"a": [7, 12], "b": [1.0, 2.0], "y": [1.0, 2.0]})
    parquet.write_table(table, tmp_path / "a.parquet")
    found = contents("a.parquet", categories=["a", "b"])
    assert [column.categories for column in found.columns] == [("12", "7"), ("1", "2")]
    assert found.classes == ("1", "2")


def test_dates_that_are_categories(tmp_path: Path, contents: Callable[..., Contents]) -> None:
    """Dates are categories where the study says so, and only there."""
    table = pa.table({"a": [DAY, datetime.date(2023, 1, 1)], "y": [0, 1]})
    feather.write_feather(table, str(tmp_path / "a.arrow"))
    found = contents("a.arrow", categories=["a"])
    assert found.columns == (Column(name="a", categories=("2023-01-01", "2024-02-03")),)


DAY = datetime.date(2024, 2, 3)
REFUSED = {
    "column 'v': must be numbers or categories, not dates or times": pa.array([DAY, DAY]),
    "write what matters as numbers, got duration[us]": pa.array([datetime.timedelta(1)] * 2),
    "column 'v': must be numbers, texts or truth values: name it in data.ignore, got 'list<": (
        pa.array([[1], [2]])
    ),
    "data.ignore, got 'struct<": pa.array([{"a": 1}, {"a": 2}]),
    "data.ignore, got 'binary'": pa.array([b"a", b"b"]),
    "column 'v': must hold a value somewhere": pa.nulls(2),
    "column 'v': whole numbers must lie within ±2⁵³": pa.array([2**53 + 1, 2**62 + 1]),
    "column 'v': must have no missing values": pa.array([1.0, float("nan")]),
    "column 'v': row 1: must be finite, got inf": pa.array([1.0, float("inf")]),
}


@pytest.mark.parametrize("rule", REFUSED)
@pytest.mark.parametrize("writer", ["parquet", "feather"])
def test_types_that_are_neither(
    rule: str, writer: str, tmp_path: Path, contents: Callable[..., Contents]
) -> None:
    """Dates, lists, records and raw bytes are refused by name, unless the study leaves them out."""
    name, write = WRITERS[writer]
    table = pa.table({"a": [1, 2], "v": REFUSED[rule], "y": [0, 1]})
    write(table, tmp_path / name)
    with pytest.raises(DataError) as caught:
        contents(name)
    assert str(caught.value).startswith(f"{tmp_path / name}: ")
    assert rule in str(caught.value)
    assert contents(name, ignore=["v"]).pool.x.tolist() == [[1], [2]]


@pytest.mark.parametrize("writer", WRITERS)
def test_damaged_files_are_refused(
    writer: str, tmp_path: Path, contents: Callable[..., Contents]
) -> None:
    """A file that is cut, empty or of another kind is one sentence, wherever it is cut."""
    name, write = WRITERS[writer]
    write(pa.table(ROWS), tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    # the end of a stream's last batch is the end of the table, marked or not
    ends = range(0, len(whole) - 9, 37) if writer != "stream" else range(0, len(whole) // 2, 37)
    for content in [b"", b"PAR1", b"ARROW1\0\0", b"a,y\n1,2\n", *(whole[:end] for end in ends)]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError) as caught:
            contents(name, missing="mean")
        assert len(str(caught.value).splitlines()) == 1, content


@pytest.mark.parametrize("writer", ["feather", "stream"])
def test_offsets_of_a_stranger_are_validated(
    writer: str, tmp_path: Path, contents: Callable[..., Contents]
) -> None:
    """Texts whose offsets lead out of their buffer are refused before they are read."""
    name, _ = WRITERS[writer]
    table = pa.table({"v": ["abcde", "fgh"], "y": [0, 1]})
    new = pa.ipc.new_stream if writer == "stream" else pa.ipc.new_file
    with new(str(tmp_path / name), table.schema) as sink:
        sink.write_table(table)
    assert contents(name).columns[0].categories == ("abcde", "fgh")
    whole = (tmp_path / name).read_bytes()
    before, after = (np.array([0, end, 8], np.int32).tobytes() for end in (5, 2**30))
    assert whole.count(before) == 1
    (tmp_path / name).write_bytes(whole.replace(before, after))
    with pytest.raises(DataError, match="must be a whole Arrow table"):
        contents(name)
