"""A first study file: what is decided of data, and that `check` takes whatever is written."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lamsearch import data as datasets
from lamsearch import trainers
from lamsearch.drafting import EXAMPLES, Asked, draft, example
from lamsearch.drafting.draft import name_of
from lamsearch.drafting.examined import decided
from lamsearch.errors import DataError, InputError
from lamsearch.study import Study, parse_file, read_study

ROOT = Path(__file__).parents[2]


def planned(text: str, directory: Path) -> Study:
    """Check a study file as `lamsearch check` and planning do; return it in numbers."""
    study = trainers.check(parse_file(text.encode(), where="study.toml"), "study.toml")
    return datasets.load(study, directory, origin=directory, look=True).study


def drafted(path: Path, **asked: Any) -> dict[str, Any]:
    """Return the tables of the study file that is drafted beside some data."""
    text = draft(Asked(data=path, **asked), path.parent / "study.toml")
    planned(text, path.parent)
    return tomllib.loads(text)


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (["a", "b"], "classification"),
        ([True, False], "classification"),
        ([0, 1] * 5, "classification"),
        ([1.0, 2.0, 3.0] * 50, "classification"),
        ([0.5, 1.0], "regression"),
        (list(range(30)), "regression"),
        ([25, 346, 90, 17], "regression"),
        ([-1, 1] * 20, "regression"),
        ([0, 70_000] * 20, "regression"),
    ],
    ids=str,
)
def test_what_recurs_is_a_class_and_what_is_measured_a_quantity(
    values: list[Any], task: str
) -> None:
    """Texts, truth values and few whole numbers again and again are classes; else a quantity."""
    found = decided(np.array(values), None, "y")
    assert found.task == task
    assert found.reason
    assert decided(np.array(values), "regression", "y").task == "regression"


def flats(rows: int, *, seed: int = 1) -> pd.DataFrame:
    """Return flats, and whether each was let."""
    rng = np.random.default_rng(seed)
    area = rng.uniform(20, 120, rows)
    return pd.DataFrame({
        "flat": np.arange(1, rows + 1), "area": area.round(1),
        "heating": rng.choice(["gas", "oil"], rows), "key": [f"k{row}" for row in range(rows)],
        "nothing": [""] * rows, "let": np.where(area < 60, "yes", "no"),
    })  # fmt: skip


def test_a_table_s_columns_and_missing_values_are_looked_after(tmp_path: Path) -> None:
    """Row numbers, keys and empty columns are left out, missing values filled, and said."""
    frame = flats(100)
    frame.loc[3:5, "area"] = np.nan
    frame.to_csv(tmp_path / "flats.csv", index=False)
    text = draft(Asked(data=tmp_path / "flats.csv", target="let"), tmp_path / "study.toml")
    data = tomllib.loads(text)["data"]
    assert data["ignore"] == ["flat", "key", "nothing"]
    assert data["missing"] == "mean"
    assert "'flat' numbers the rows; 'key' differs in every row; 'nothing' is empty" in text
    assert "3 values are missing in 'area': they count as the mean" in text
    assert data["path"] == "flats.csv"
    assert "classes: the column 'let' holds texts" in text
    full = flats(100).drop(columns=["nothing"])
    full.to_csv(tmp_path / "full.csv", index=False)
    assert "missing" not in drafted(tmp_path / "full.csv", target="let")["data"]


def test_few_examples_and_many_are_laid_out_as_was_measured(tmp_path: Path) -> None:
    """Few: log loss, a split for each replicate; many: accuracy, one split; both by the model."""
    found = {}
    for rows in (200, 4000):
        flats(rows).drop(columns=["key"]).to_csv(tmp_path / "f.csv", index=False)
        found[rows] = drafted(tmp_path / "f.csv", target="let")
    few, many = found[200], found[4000]
    assert (few["metric"], many["metric"]) == ("log_loss", "accuracy")
    assert few["data"]["resplit"]
    assert "resplit" not in many["data"]
    for one in (few, many):
        assert one["finalists"]["rule"] == "model"
        assert one["finalists"]["extend"]
        sizes = one["data"]
        assert sizes["train"] + sizes["validation"] + sizes["test"] <= (200 if one is few else 4000)
    assert few["training"]["batch_size"] < many["training"]["batch_size"]
    assert few["coarse"]["log10_lambda"][1] > many["coarse"]["log10_lambda"][1]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separators_are_seen(separator: str, tmp_path: Path) -> None:
    """What separates a .csv file's cells is written where it is no comma."""
    flats(50).to_csv(tmp_path / "f.csv", sep=separator, index=False)
    data = drafted(tmp_path / "f.csv", target="let")["data"]
    assert data.get("separator", ",") == separator


def test_a_quantity_is_drafted_as_one(tmp_path: Path) -> None:
    """Fractions to predict make a study of R² without classes' shares."""
    flats(100).drop(columns=["let"]).to_parquet(tmp_path / "f.parquet")
    found = drafted(tmp_path / "f.parquet", target="area")
    assert found["metric"] == "r2"
    assert "stratified" not in found["data"]
    assert found["data"]["resplit"]


def test_the_target_is_named_or_usual(tmp_path: Path) -> None:
    """Without --target a column of a usual name is taken; else the columns are listed."""
    frame = flats(60)
    frame.rename(columns={"let": "Label"}).to_csv(tmp_path / "f.csv", index=False)
    assert drafted(tmp_path / "f.csv")["data"]["target"] == "Label"
    frame.rename(columns={"area": "y", "let": "class"}).to_csv(tmp_path / "h.csv", index=False)
    assert drafted(tmp_path / "h.csv")["data"]["target"] == "class"
    frame.to_csv(tmp_path / "g.csv", index=False)
    with pytest.raises(InputError, match=r"--target must name .*: flat, area, heating, key"):
        drafted(tmp_path / "g.csv")
    with pytest.raises(DataError, match="did you mean let"):
        drafted(tmp_path / "g.csv", target="lett")


def test_dates_are_refused_by_the_source_until_they_are_left_out(tmp_path: Path) -> None:
    """The source's own sentence, and how to leave the column out; with --ignore it is."""
    flats(60).assign(since="2024-01-05").to_csv(tmp_path / "f.csv", index=False)
    expected = r"column 'since': must be .*not dates or times.*lamsearch init --ignore COLUMN"
    with pytest.raises(DataError, match=expected):
        drafted(tmp_path / "f.csv", target="let")
    found = drafted(tmp_path / "f.csv", target="let", ignore=("since",))
    assert found["data"]["ignore"][0] == "since"


def test_arrays_images_and_idx_files_are_drafted(tmp_path: Path) -> None:
    """Each source's own keys are written: sizes of images, a prefix, no test where one is there."""
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "a.npz", X=rng.normal(size=(60, 4)), y=rng.integers(0, 3, 60))
    found = drafted(tmp_path / "a.npz")["data"]
    assert (found["source"], found["test"], found["stratified"]) == ("npz", 12, True)
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(10):
            pixels = rng.integers(0, 256, (20, 24), np.uint8)
            Image.fromarray(pixels).save(tmp_path / f"pets/{name}/{number}.png")
    found = drafted(tmp_path / "pets")["data"]
    assert (found["size"], found["colour"], found["path"]) == ([20, 24], False, "pets")
    (tmp_path / "mnist").mkdir()
    for part, count in (("train", 60), ("t10k", 20)):
        for kind, shape in (("images", (count, 4, 4)), ("labels", (count,))):
            head = bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes()
            values = rng.integers(0, 3, shape, np.uint8)
            path = tmp_path / f"mnist/own-{part}-{kind}-idx{len(shape)}-ubyte"
            path.write_bytes(head + values.tobytes())
    for path in (tmp_path / "mnist", tmp_path / "mnist/own-train-images-idx3-ubyte"):
        text = draft(Asked(data=path), tmp_path / "study.toml")
        planned(text, tmp_path)
        found = tomllib.loads(text)["data"]
        assert (found["path"], found["prefix"]) == ("mnist", "own-")
        assert "test" not in found


def test_published_data_are_named_by_their_source(tmp_path: Path) -> None:
    """A directory of CIFAR-100's files is none of somebody's own images; what to write is said."""
    (tmp_path / "cifar-100-python").mkdir()
    for name in ("train", "test", "meta"):
        (tmp_path / "cifar-100-python" / name).touch()
    with pytest.raises(
        InputError, match=r"holds cifar100, which .* source = 'cifar100' and .*-dir"
    ):
        drafted(tmp_path)


def test_data_elsewhere_are_named_by_their_whole_path(tmp_path: Path) -> None:
    """A worker reads no relative path that leads up; data below the file are relative to it."""
    (tmp_path / "in").mkdir()
    flats(60).to_csv(tmp_path / "f.csv", index=False)
    asked = Asked(data=tmp_path / "f.csv", target="let")
    text = draft(asked, tmp_path / "in" / "study.toml")
    assert tomllib.loads(text)["data"]["path"] == (tmp_path / "f.csv").resolve().as_posix()


@pytest.mark.parametrize(
    ("name", "expected"),
    [("flats.csv", "flats"), ("my flats (2).csv", "my-flats-2"), ("Ä.csv", "study"),
     ("a.b.csv", "a"), ("x" * 200 + ".csv", "x" * 60)],
)  # fmt: skip
def test_a_study_is_named_after_its_file(name: str, expected: str, tmp_path: Path) -> None:
    """Letters, digits and dashes of the file's name, no more of them than a study's has."""
    path = tmp_path / name
    path.write_text("") if len(name) < 200 else None
    assert name_of(path).startswith(expected)


COLUMN = st.sampled_from(["number", "whole", "text", "constant", "missing", "rows", "far", "key"])
TARGET = st.sampled_from(["texts", "two", "several", "fractions", "truth"])


def table(kinds: list[str], target: str, rows: int, seed: int) -> pd.DataFrame:
    """Return a table of columns of these kinds."""
    rng = np.random.default_rng(seed)
    made = {
        "number": lambda: rng.normal(size=rows),
        "whole": lambda: rng.integers(0, 5, rows),
        "text": lambda: rng.choice(["ä", "b c", '"q"', "d,e"], rows),
        "constant": lambda: np.full(rows, 3.5),
        "missing": lambda: np.where(rng.random(rows) < 0.3, np.nan, rng.normal(size=rows)),
        "rows": lambda: np.arange(rows),
        "far": lambda: 1e9 + rng.normal(size=rows),
        "key": lambda: [f"k{row}" for row in range(rows)],
    }
    targets = {
        "texts": lambda: rng.permutation(np.arange(rows) % 3).astype("U1"),
        "two": lambda: rng.permutation(np.arange(rows) % 2),
        "several": lambda: rng.permutation(np.arange(rows) % 4),
        "fractions": lambda: rng.normal(size=rows) * 100,
        "truth": lambda: rng.permutation(np.arange(rows) % 2 == 0),
    }
    columns = {f"c {number} é": made[kind]() for number, kind in enumerate(kinds)}
    return pd.DataFrame({**columns, 'the "y"': targets[target]()})


@settings(max_examples=40, deadline=None)
@given(
    kinds=st.lists(COLUMN, min_size=1, max_size=5), target=TARGET,
    rows=st.integers(20, 200), seed=st.integers(0, 100),
)  # fmt: skip
def test_what_is_written_for_any_table_can_be_planned(
    kinds: list[str], target: str, rows: int, seed: int, scratch: Path
) -> None:
    """Whatever a table's columns, its text passes the checks of `lamsearch check` on its data."""
    frame = table(kinds, target, rows, seed)
    frame.to_csv(scratch / "any.csv", index=False)
    text = draft(Asked(data=scratch / "any.csv", target='the "y"'), scratch / "study.toml")
    study = planned(text, scratch)
    assert study.task == ("regression" if target == "fractions" else "classification")
    assert (study.data.file, study.name) == ("any.csv", "study")
    assert text.splitlines()[1].startswith("#:schema ")


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory for what is drawn."""
    return tmp_path_factory.mktemp("drafts")


@pytest.mark.parametrize("rows", [0, 1, 9])
def test_too_few_examples_are_refused(rows: int, tmp_path: Path) -> None:
    """Nothing can be trained, selected and tested with fewer than ten."""
    flats(rows).to_csv(tmp_path / "f.csv", index=False)
    with pytest.raises(DataError):
        drafted(tmp_path / "f.csv", target="let")


def test_templates_are_the_studies_of_this_repository() -> None:
    """What is in the wheel is what stands in studies/, to the byte."""
    shared = {"digits", "cifar10", "cifar10-wide"}
    for name in shared:
        own = (ROOT / "lamsearch/templates" / f"{name}.toml").read_bytes()
        assert own == (ROOT / "studies" / f"{name}.toml").read_bytes()
    assert {path.stem for path in (ROOT / "lamsearch/templates").glob("*.toml")} == set(EXAMPLES)


@pytest.mark.parametrize("name", ["digits", "table", "regression"])
def test_an_example_can_be_planned_where_it_is_written(name: str, tmp_path: Path) -> None:
    """With what lies beside it, and sizes of all its examples."""
    found = example(name)
    for file, text in found.beside.items():
        (tmp_path / file).write_text(text, encoding="utf-8")
    assert planned(found.study, tmp_path).name == name


def test_an_example_that_is_a_study_of_this_repository_is_that_study() -> None:
    """Whatever the line of its schema, its fingerprint is that of the file in studies/."""
    text = example("cifar10").study
    found = parse_file(text.encode(), where="cifar10.toml")
    assert found.fingerprint == read_study(ROOT / "studies/cifar10.toml").fingerprint
