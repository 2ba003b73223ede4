"""Tables: what their columns become, what a split makes of them, and each issue as a sentence."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from lamsearch.data import load
from lamsearch.data.images import Contents
from lamsearch.data.moments import UNSEEN
from lamsearch.data.sources import read
from lamsearch.data.sources.table import SOURCE
from lamsearch.data.splits import normalise
from lamsearch.data.tables import Cells, by_name, encoded
from lamsearch.errors import DataError, StudyFileError
from lamsearch.results import Column, columns_document, columns_from
from lamsearch.study import Study

MakeStudy = Callable[..., Study]
GOOD = "age,job,y\n3,cook,yes\n1,smith,no\n2.5,cook,yes\n"


@pytest.fixture
def table(tmp_path: Path, study: MakeStudy) -> Callable[..., Contents]:
    """A reader of a table of a content, with keys of [data]."""

    def read_it(content: str | bytes, name: str = "a.csv", **keys: Any) -> Contents:
        raw = content.encode() if isinstance(content, str) else content
        (tmp_path / name).write_bytes(raw)
        asked = {"path": name, "target": "y", "train": 1, "validation": 1} | keys
        return read(study(source="table", **asked).data, tmp_path, None)

    return read_it


def odd_cells(name: str, *texts: str) -> Cells:
    """A column of texts."""
    return Cells(name=name, values=np.arange(len(texts)), texts=texts)


def test_numbers_and_categories(table: Callable[..., Contents]) -> None:
    """A column of numbers is a feature, one of texts a feature for each, the target the labels."""
    found = table(GOOD)
    assert found.classes == ("no", "yes")
    assert found.pool.y.tolist() == [1, 0, 1]
    assert found.columns == (Column(name="age"), Column(name="job", categories=("cook", "smith")))
    assert found.pool.x.tolist() == [[3, 1, 0], [1, 0, 1], [2.5, 1, 0]]
    assert found.pool.x.dtype == np.float32
    assert found.test is None


@pytest.mark.parametrize(
    ("content", "keys"),
    [
        ("\ufeff" + GOOD, {}),
        (GOOD.replace("\n", "\r\n") + "\r\n", {}),
        ('"age", "job","y"\n3,"cook",yes\n1, smith ,no\n2.5,cook,"yes"\n', {}),
        (GOOD.replace(",", ";"), {"separator": ";"}),
        (GOOD.replace(",", "\t"), {"name": "a.tsv"}),
        (GOOD.replace("age", "id,age").replace("\n", "\n7,").removesuffix("7,").replace(
            "7,3", "x,3"), {"ignore": ["id"]}),
        (GOOD.replace("3,", "+3.0e0,"), {}),
    ],
    ids=["byte order mark", "CRLF", "quoted", "semicolons", "tabs", "ignored", "exponent"],
)  # fmt: skip
def test_the_same_table_written_otherwise(
    content: str, keys: dict[str, Any], table: Callable[..., Contents]
) -> None:
    """However a table is written in text, its values and their fingerprint are the same."""
    assert table(content, **keys).fingerprint() == table(GOOD).fingerprint()


def test_separators_in_quotes_are_no_separators(table: Callable[..., Contents]) -> None:
    """A quoted cell may hold separators, quotes and line ends; a blank line holds nothing."""
    found = table('b,y\n"p, q",1\n\n"say ""p""",2\n')
    assert found.columns[0].categories == ("p, q", 'say "p"')
    assert found.classes == ("1", "2")


@pytest.mark.parametrize(
    ("column", "classes"),
    [
        (["1", "3", "10"], ("1", "3", "10")),
        (["3.0", "1.0", "1"], ("1", "3")),
        (["x1", "x10", "é"], ("x1", "x10", "é")),
        (["true", "False", "true"], ("False", "true")),
        (["1", "b", "1"], ("1", "b")),
    ],
)
def test_labels_of_any_kind(
    column: list[str], classes: tuple[str, ...], table: Callable[..., Contents]
) -> None:
    """Whole numbers are classes in their order as numbers, anything else in that of its text."""
    found = table("a,y\n" + "\n".join(f"{index},{label}" for index, label in enumerate(column)))
    assert found.classes == classes
    named = [found.classes[label].removesuffix(".0") for label in found.pool.y]
    assert named == [label.removesuffix(".0") for label in column]


def test_numbers_that_name_categories(table: Callable[..., Contents]) -> None:
    """Columns that `categories` names are categories although they hold numbers."""
    found = table("zip,y\n007,a\n12,b\n007,b\n", categories=["zip"])
    assert found.columns == (Column(name="zip", categories=("007", "12")),)


def test_dates_that_are_categories(table: Callable[..., Contents]) -> None:
    """Dates are categories where the study says so, and only there."""
    found = table("day,y\n2024-01-02,a\n2024-01-01,b\n", categories=["day"])
    assert found.columns == (Column(name="day", categories=("2024-01-01", "2024-01-02")),)


def test_texts_after_many_numbers(table: Callable[..., Contents]) -> None:
    """A column whose first text comes after blocks of numbers is a column of texts from its top."""
    lines = [f"{row % 3},{row % 2}" for row in range(25_000)]
    lines[24_000] = "n,1"
    found = table("a,y\n" + "\n".join(lines))
    assert found.columns == (Column(name="a", categories=("0", "1", "2", "n")),)
    assert found.pool.x.sum(axis=0).tolist() == [8333, 8333, 8333, 1]


def test_large_numbers_keep_what_varies(table: Callable[..., Contents]) -> None:
    """A column of seconds since 1970 is kept in float64, with the whole table."""
    found = table("t,y\n1700000001,a\n1700000002,b\n")
    assert found.pool.x.dtype == np.float64
    assert found.pool.x[:, 0].tolist() == [1700000001, 1700000002]


def oracle(rows: list[list[Any]], train: Any) -> tuple[Any, list[list[str]]]:
    """Return all rows as scikit-learn encodes them by the training ones, and the categories."""
    frame = np.array(rows, object)
    made = make_pipeline(
        make_column_transformer(
            (SimpleImputer(), [0]),
            (OneHotEncoder(handle_unknown="ignore", sparse_output=False), [1]),
            remainder="drop",
        ),
        StandardScaler(),
    ).fit(frame[train])
    known = made[0].named_transformers_["onehotencoder"].categories_
    return made.transform(frame), [list(one) for one in known]


def test_a_split_knows_its_training_rows_alone(tmp_path: Path, study: MakeStudy) -> None:
    """Means, fillings and categories of a split are as scikit-learn's of its training rows; a
    category that these lack changes no number of a model."""
    rng = np.random.default_rng(3)
    rows: list[list[Any]] = [
        [float(number), name]
        for number, name in zip(rng.normal(5, 3, 60).round(3), rng.choice(list("abcd"), 60),
                                strict=True)
    ]  # fmt: skip
    for row in range(0, 60, 7):
        rows[row][0] = np.nan
    alone = 41
    rows[alone][1] = "only here"
    lines = ["n,c,y", *(f"{'' if np.isnan(a) else a},{b},{i % 2}" for i, (a, b) in enumerate(rows))]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    keys: dict[str, Any] = {"source": "table", "path": "a.csv", "target": "y", "missing": "mean"}
    seen = 0
    for seed in range(6):
        asked = study(seed=seed, train=30, validation=20, **keys)
        data = load(asked, tmp_path)
        splits, pool = data.split("coarse"), data.pool
        train = [int(np.flatnonzero((normalise(pool.x, splits.mean, splits.std) == row).all(1))[0])
                 for row in splits.train_x]  # fmt: skip
        names = list(data.columns[1].categories or ())
        back = [[x[0], names[int(x[1:].argmax())]] for x in pool.x.astype(object)]
        expected, (known,) = oracle(back, train)
        places = [0, *(1 + names.index(name) for name in known)]
        got = normalise(pool.x, splits.mean, splits.std)
        np.testing.assert_allclose(got[:, places], expected, atol=2e-6)
        unknown = sorted(set(range(6)) - set(places))
        assert (splits.std[unknown] == np.float32(UNSEEN)).all()
        weights = np.float32(rng.normal(size=(6, 3)))
        without = weights.copy()
        without[unknown] = 0
        bias = np.float32([1, 1, 1])
        assert np.array_equal(got @ weights + bias, got @ without + bias)
        seen += len(unknown)
    assert seen > 0


def test_missing_categories_are_zeros(table: Callable[..., Contents]) -> None:
    """With `missing = "mean"` a missing number stays missing, and a missing category is none."""
    found = table("a,b,y\n1,x,0\n,x,1\n3,NA,0\n", missing="mean")
    assert np.isnan(found.pool.x[1, 0])
    assert found.pool.x[:, 1].tolist() == [1, 1, 0]


def test_a_column_that_training_rows_lack(tmp_path: Path, study: MakeStudy) -> None:
    """A number that no training row has says nothing, wherever else it stands."""
    (tmp_path / "a.csv").write_text("a,b,y\n" + ",1,0\n,2,1\n" * 20 + "5,3,1\n" * 2)
    keys: dict[str, Any] = {"source": "table", "path": "a.csv", "target": "y", "missing": "mean"}
    for seed in range(20):
        data = load(study(seed=seed, train=2, validation=30, **keys), tmp_path)
        splits = data.split("coarse")
        if splits.std[0] == UNSEEN:
            assert splits.mean[0] == 0
            assert np.abs(splits.validation_x[:, 0]).max() < 1e-29
            return
    pytest.fail("no split whose training rows lack the number")


def test_quantities(tmp_path: Path, study: MakeStudy) -> None:
    """A target that is a quantity is float64 in its own unit, and makes no classes."""
    (tmp_path / "a.csv").write_text("a,y\n1,0.5\n2,-3e9\n")
    keys = {"path": "a.csv", "target": "y", "train": 1, "validation": 1}
    data = study(source="table", **keys).data
    found = SOURCE.read_quantities(data, tmp_path, None)
    assert SOURCE.quantities
    assert (found.classes, found.pool.y.dtype, found.pool.y.tolist()) == (
        (),
        np.float64,
        [0.5, -3e9],
    )
    for bad, rule in {"x": "must hold numbers, for they are a quantity, got 'x'",
                      "": "must have no missing values of the target, got 1 of 2",
                      "1e999": "row 1: must be finite, got inf"}.items():  # fmt: skip
        (tmp_path / "a.csv").write_text(f"a,y\n1,{'7' if bad != 'x' else bad}\n2,{bad}\n")
        with pytest.raises(DataError) as caught:
            SOURCE.read_quantities(data, tmp_path, None)
        assert rule in str(caught.value)


MISTAKES: dict[str, tuple[str | bytes, dict[str, Any]]] = {
    "columns must have different names, got twice: a": ("a,a,y\n1,2,3\n", {}),
    "column 2: must have a name of 1 to 100 printable characters, got ''": ("a, ,y\n1,2,3\n", {}),
    "data.target: must be a column of the table; did you mean Y?, got 'y'": ("a,Y\n1,2\n", {}),
    "data.target: must be a column of the table (a, b), got 'y'": ("a,b\n1,2\n", {}),
    "data.ignore: must be a column of the table; did you mean job?, got 'jobs'": (
        GOOD, {"ignore": ["jobs"]}),
    "line 3: must have 2 cells, as the first line, got 3": ("a,y\n1,2\n1,2,3\n", {}),
    "line 3: must have 2 cells, as the first line, got 1": ("a,y\n1,2\n1\n", {}),
    "must be UTF-8 text; save it as UTF-8 (byte 0xe9)": ("a,y\né,1\n".encode("latin-1"), {}),
    "must be UTF-8 text; save it as UTF-8 (byte 0xff)": ("a,y\n1,1\n".encode("utf-16"), {}),
    "must be UTF-8 text, but it holds NUL: save it as UTF-8": (
        "a,y\n1,1\n".encode("utf-16-le"), {}),
    "columns must be separated by ',', but its first line has ';': data.separator names it": (
        "a;y\n1;2\n", {}),
    "the first line must name the columns, got numbers: '5,3'": ("5,3\n1,2\n", {}),
    "must have a first line that names the columns, but it is empty": ("", {}),
    "must have at least one row": ("a,y\n", {}),
    "must have at least one column beside the target": ("y\n1\n", {}),
    "line 2: must be text in cells: ',' expected after '\"'": ('a,y\n"1"2,3\n', {}),
    "must be text in cells: unexpected end of data": ('a,y\n"1,3\n', {}),
    "must be text in cells: field larger than field limit": ("a,y\n" + "1" * 200_000 + ",1\n", {}),
    "column 'd': must be numbers or categories, not dates or times: name it in data.ignore": (
        "d,y\n2024-02-03,1\n2024-02-04 10:00:00,2\n", {}),
    "write what matters as numbers, got '3.2.2024'": ("d,y\n3.2.2024,1\n", {}),
    "column 'a': must have no missing values (missing = \"mean\" fills them), got 2 of 3": (
        "a,y\n1,1\n,1\nNA,2\n", {}),
    "column 'y': must have no missing values of the target, got 1 of 2": (
        "a,y\n1,1\n2,\n", {"missing": "mean"}),
    "column 'a': must hold a value somewhere: name it in data.ignore": (
        "a,y\n,1\n,2\n", {"missing": "mean"}),
    "column 'y': row 1: must be a whole number, as labels are; a quantity": (
        "a,y\n1,1\n1,1.5\n", {}),
    "column 'y': row 0: must be a label in 0..65535, got -1": ("a,y\n1,-1\n", {}),
    "column 'a': must have at most 1000 categories: an identifier or free text belongs in "
    "data.ignore, got 1001": ("a,y\n" + "".join(f"n{n},1\n" for n in range(1001)), {}),
    "column 'a': whole numbers must lie within ±2⁵³: an identifier belongs in data.ignore, got "
    "'12345678901234567890'": ("a,y\n12345678901234567890,1\n", {}),
    "column 'a': row 0: must be finite, got inf": ("a,y\n1e999,1\n", {}),
    "column 'a': row 0: must lie within ±1e300, got -1e+301": ("a,y\n-1e301,1\n", {}),
    "column 'a': a category must be 1 to 100 printable characters: free text belongs in": (
        "a,y\nx\x1b[2J,1\n", {}),
}  # fmt: skip


@pytest.mark.parametrize("rule", MISTAKES)
def test_mistake_gets_one_sentence(
    rule: str, table: Callable[..., Contents], tmp_path: Path
) -> None:
    """Each issue of a table is one sentence with the file, the column or line, and the value."""
    content, keys = MISTAKES[rule]
    with pytest.raises(DataError) as caught:
        table(content, **keys)
    assert str(caught.value).startswith(f"{tmp_path / 'a.csv'}: ")
    assert rule in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_all_mistakes_are_reported_together(table: Callable[..., Contents]) -> None:
    """Three columns with an issue each make three lines."""
    with pytest.raises(DataError) as caught:
        table("a,b,y\n1,1e999,1\n,2,\n")
    assert len(str(caught.value).splitlines()) == 3


@pytest.mark.parametrize(
    "cell", ["1_000", "٣", "0x10", "inf", "infinity", "1e", "--1", "=1+1", "1,000"]
)
def test_what_is_no_number_is_a_text(cell: str, table: Callable[..., Contents]) -> None:
    """Neither what Python alone takes for a number nor a formula is one: it is a category."""
    assert table(f'a,y\n"{cell}",1\n').columns == (Column(name="a", categories=(cell,)),)


KEYS = {
    "data.path: must end in .csv, .tsv, .parquet, .arrow or .feather": {"path": "a.xlsx"},
    "data.separator: is only for .csv": {"path": "a.tsv", "separator": ";"},
    "data.target: must not be in data.ignore": {"ignore": ["y"]},
    "data.categories: must not be in data.ignore too": {"ignore": ["a"], "categories": ["a"]},
    "data.target: is required": {"target": None},
    "data.missing: must be 'mean'": {"missing": "zero"},
}


@pytest.mark.parametrize("rule", KEYS)
def test_keys_that_make_no_sense(rule: str, study: MakeStudy) -> None:
    """What cannot be meant by the keys of a table is said before anything is read."""
    keys = {"path": "a.csv", "target": "y", "train": 1, "validation": 1} | KEYS[rule]
    with pytest.raises(StudyFileError) as caught:
        study(source="table", **{key: one for key, one in keys.items() if one is not None})
    assert rule in str(caught.value)


def test_other_columns_of_the_same_file_are_other_data(tmp_path: Path, study: MakeStudy) -> None:
    """What a cache remembers of a file holds for the target that it was read with."""
    (tmp_path / "a.csv").write_text("a,y\n1,0\n2,1\n3,0\n")
    keys: dict[str, Any] = {"source": "table", "path": "a.csv", "train": 1, "validation": 1}
    found = [
        load(study(target=target, **keys), tmp_path, cache=tmp_path / "cache")
        for target in ("y", "a", "y")
    ]
    assert [one.classes for one in found] == [("0", "1"), ("1", "2", "3"), ("0", "1")]
    assert found[0].columns == found[2].columns == (Column(name="a"),)


def test_columns_can_be_read_back(table: Callable[..., Contents]) -> None:
    """What is recorded of the columns gives them again, and encodes further rows the same way."""
    found = table("n,c,y\n1,b,0\n2,a,1\n")
    columns = columns_from(columns_document(found.columns))
    assert columns == found.columns
    further = table("c,n,more,y\nz,5,1,0\nb,6,1,1\n")
    assert further.columns[0].categories == ("b", "z")
    from lamsearch.data.csv_files import read as read_csv

    path = Path(further.name)
    cells = by_name(columns, read_csv(path, ",", lambda names: names, ["c"]), "a.csv")
    assert encoded(columns, cells).tolist() == [[5, 0, 0], [6, 0, 1]]
    with pytest.raises(DataError, match=r"'n': must hold numbers, as in training, got 'p'$"):
        by_name(columns, [odd_cells("n", "1", "p", "q"), odd_cells("c", "b")], "a.csv")
    with pytest.raises(DataError, match=r"a\.csv: column 'n': must hold numbers, as in training"):
        by_name(columns, read_csv(path, ",", lambda names: names, ["c", "n"]), "a.csv")
    with pytest.raises(DataError, match=r"a\.csv: column 'n': is required"):
        by_name(columns, read_csv(path, ",", lambda names: ["c"], ["c"]), "a.csv")
    for bad in ([{"name": 1, "kind": "number"}], [{"name": "a", "kind": "date"}], "ab", [[]]):
        with pytest.raises(ValueError, match="column"):
            columns_from(bad)


def test_listed(tmp_path: Path) -> None:
    """`data list` has a line for each table in the directory of data."""
    for name in ("b.csv", "a.parquet", "c.txt"):
        (tmp_path / name).write_bytes(b"")
    assert {info.name for info in SOURCE.listed(tmp_path)} == {"b.csv", "a.parquet"}


def test_text_tables_need_no_extra(table: Callable[..., Contents], monkeypatch: Any) -> None:
    """A .csv is read where pyarrow is not installed; a .parquet says what to install."""
    for name in [one for one in sys.modules if one.split(".")[0] == "pyarrow"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    importlib.invalidate_caches()
    assert table(GOOD).classes == ("no", "yes")
    with pytest.raises(DataError, match=r"needs pyarrow, .*: pip install 'lamsearch\[table\]', or"):
        table(b"PAR1", "a.parquet")


def test_a_column_of_groups_is_no_feature_and_no_split_parts_it(
    tmp_path: Path, study: MakeStudy
) -> None:
    """Its values, numbers or texts, say which rows stay together; a missing one is refused."""
    rows = "".join(f"{row},{row % 2},p{row // 5}\n" for row in range(40))
    (tmp_path / "data.csv").write_text(f"size,kind,patient\n{rows}")
    keys: dict[str, Any] = {"source": "table", "path": "data.csv", "target": "kind",
                            "groups": "patient", "train": 20, "validation": 10}  # fmt: skip
    asked = study(**keys)
    loaded = load(asked, tmp_path)
    assert loaded.features == 1
    splits = loaded.split("coarse")
    sizes = [(x * splits.std + splits.mean).round().astype(int).ravel().tolist()
             for x in (splits.train_x, splits.validation_x)]  # fmt: skip
    patients = [{size // 5 for size in some} for some in sizes]
    assert not patients[0] & patients[1]
    days = "".join(f"{row},{row % 2},2024-01-{row // 5 + 1:02}\n" for row in range(40))
    (tmp_path / "data.csv").write_text(f"size,kind,patient\n{days}")
    assert load(asked, tmp_path).features == 1  # a day is a group too
    (tmp_path / "data.csv").write_text(f"size,kind,patient\n1,0,\n{rows}")
    with pytest.raises(DataError, match=r"patient.*must have no missing values of the groups"):
        load(asked, tmp_path)
