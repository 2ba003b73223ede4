"""The verb predict, on the models of studies that were really trained."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open

import lamsearch

REST = """
[network]
hidden = 8
[training]
batch_size = 20
step_size = 40
[coarse]
trials = 3
log10_lambda = [-4.0, -1.0]
[final]
replicates = 2
"""
TABLE = """
name = "{{name}}"
seed = 3
metric = "{metric}"
[data]
source = "table"
path = "flats.csv"
target = "{target}"
ignore = ["{ignore}"]
missing = "mean"
train = 120
validation = 40
"""
PETS = """
name = "pets"
seed = 3
[data]
source = "images"
path = "pets"
size = [4, 5]
train = 40
validation = 10
test = 10
"""


def write_flats(directory: Path) -> None:
    """Write flats: whether each was let follows from its area and its heating."""
    rng = np.random.default_rng(7)
    with (directory / "flats.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["area", "heating", "rent", "let"])
        for row, area in enumerate(rng.uniform(20, 120, 200)):
            heating = str(rng.choice(["gas", "oil"]))
            shown = "" if row % 50 == 0 else round(area, 1)
            let = "=yes" if area < 60 or heating == "gas" else "no"
            table.writerow([shown, heating, round(300 + 10 * area, 2), let])


def trained(desk: Any, name: str, text: str) -> Path:
    """Run a study; return its report's directory."""
    desk.write(name, text + REST)
    desk.do(desk.directory / f"{name}.toml")
    report: Path = desk.directory / f"{name}-report"
    desk.well("report", name, "--output", report)
    return report


@pytest.fixture
def flats(desk: Any) -> Path:
    """The report of a study of flats by class."""
    write_flats(desk.directory)
    return trained(
        desk, "flats", TABLE.format(metric="accuracy", target="let", ignore="rent")
    )  # fmt: skip


def rows(text: str) -> list[list[str]]:
    """The cells of CSV."""
    return list(csv.reader(io.StringIO(text)))


def arrays(path: Path) -> dict[str, Any]:
    """The arrays of an .npz file, which is closed."""
    with np.load(path) as file:
        return dict(file)


def test_a_table_is_predicted_by_name_in_every_form(desk: Any, flats: Path) -> None:
    """Standard output, files of all kinds and Python say the same of a table whose columns are in
    another order, with the target among them; a class is no formula in CSV."""
    text = (desk.directory / "flats.csv").read_text().splitlines()
    turned = [",".join(reversed(line.split(","))) for line in text]
    new = desk.directory / "new.csv"
    new.write_text("\n".join(turned) + "\n")
    result = desk("predict", flats, new)
    assert result.exit_code == 0, result.stderr
    (head,), *found = rows(result.stdout)
    assert head == "prediction"
    truth = [line.split(",")[-1] for line in text[1:]]
    said = [cell.removeprefix("'") for (cell,) in found]
    assert {cell for (cell,) in found} == {"'=yes", "no"}
    assert np.mean(np.array(said) == truth) > 0.9
    models = flats / "models"
    proba = rows(desk("predict", models, new, "--proba").stdout)
    assert proba[0] == ["'=yes", "no"]
    for name in ("p.csv", "p.npz", "p.parquet"):
        done = desk("predict", flats, new, "--output", desk.directory / name)
        assert (done.exit_code, done.stdout) == (0, "")
    assert (desk.directory / "p.csv").read_text() == result.stdout
    assert arrays(desk.directory / "p.npz")["prediction"].tolist() == said
    from pyarrow import parquet

    assert parquet.read_table(desk.directory / "p.parquet")["prediction"].to_pylist() == said
    assert (
        desk("predict", flats, new, "--proba", "--output", desk.directory / "q.npz").exit_code == 0
    )
    several = arrays(desk.directory / "q.npz")
    np.testing.assert_array_equal(several["probabilities"], np.array(proba[1:], float))
    import pandas as pd

    frame = pd.read_csv(new)
    assert lamsearch.load_models(flats).predict(frame).tolist() == said
    files = [models / f"final-{number}.safetensors" for number in (0, 1)]
    each = [rows(desk("predict", file, new, "--proba").stdout)[1:] for file in files]
    one = np.array(each, float)
    np.testing.assert_allclose(np.mean(one, axis=0), several["probabilities"], atol=1e-12)


def test_a_model_says_what_it_is_of(desk: Any, flats: Path) -> None:
    """Its metadata have what a reader needs, by any safetensors library."""
    with safe_open(flats / "models/final-0.safetensors", "np") as file:
        found = dict(file.metadata())
    assert found["lambda_convention"].startswith("cost = mean loss + lambda * sum(W ** 2)")
    assert float(found["lambda"]) == pytest.approx(10 ** float(found["log10_lambda"]))
    assert json.loads(found["classes"]) == ["=yes", "no"]
    assert [one["name"] for one in json.loads(found["columns"])] == ["area", "heating"]
    assert json.loads(found["input"]) == {"divide_by": 1, "image": None}
    assert (found["missing"], found["target"], found["task"]) == ("mean", "let", "classification")
    assert (found["metric"], found["seed"], found["replicate"]) == ("accuracy", "3", "0")
    assert json.loads(found["versions"])["lamsearch"] == lamsearch.__version__


def test_a_quantity_is_predicted_in_its_own_unit(desk: Any) -> None:
    """Numbers near the rents, not standardised ones; it has no probabilities."""
    write_flats(desk.directory)
    report = trained(desk, "rents", TABLE.format(metric="r2", target="rent", ignore="let"))
    found = rows(desk("predict", report, desk.directory / "flats.csv").stdout)[1:]
    table = rows((desk.directory / "flats.csv").read_text())[1:]
    rents = np.array([float(row[2]) for row in table])
    assert np.corrcoef(np.array(found, float)[:, 0], rents)[0, 1] > 0.7
    assert 300 < np.array(found, float).mean() < 1500
    result = desk("predict", report, desk.directory / "flats.csv", "--proba")
    assert result.exit_code == 2
    assert "--proba: these models predict a quantity" in result.stderr


def test_image_files_get_their_pixels_predictions(desk: Any) -> None:
    """A directory's images are read at the size that was trained on, and named in the answer."""
    rng = np.random.default_rng(2)
    for name, level in (("cat", 60), ("dog", 180)):
        (desk.directory / "pets" / name).mkdir(parents=True)
        for number in range(30):
            pixels = rng.normal(level, 25, (4, 5, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(desk.directory / f"pets/{name}/{number:02}.png")
    report = trained(desk, "pets", PETS)
    head, *found = rows(desk("predict", report, desk.directory / "pets").stdout)
    assert head == ["file", "prediction"]
    assert np.mean([file.split("/")[0] == said for file, said in found]) > 0.9
    with safe_open(report / "models/final-0.safetensors", "np") as file:
        assert json.loads(file.metadata()["input"]) == {
            "divide_by": 255,
            "image": {"height": 4, "width": 5, "channels": 3, "planar": False},
        }
    one, other = desk.directory / "pets/dog/00.png", desk.directory / "pets/cat/00.png"
    named = rows(desk("predict", report, one, other).stdout)[1:]
    assert [said for _, said in named] == ["dog", "cat"]


def test_bad_input_is_a_sentence_and_no_file(desk: Any, flats: Path) -> None:
    """Exit code 2 where models, input or output cannot be; the output is then not written."""
    new, output = desk.directory / "new.csv", desk.directory / "p.csv"
    new.write_text("area,heating\n50,coal\n")
    broken = desk.directory / "broken.safetensors"
    broken.write_bytes((flats / "models/final-0.safetensors").read_bytes()[:-9])
    for arguments, expected in (
        ((flats, new), "row 0: must be a category that training had ('gas', 'oil'), got 'coal'"),
        ((flats, desk.directory / "no.csv"), "no such file"),
        ((desk.directory, new), "must hold models"),
        ((broken, new), "a model must be a safetensors file"),
    ):
        result = desk("predict", *arguments, "--output", output)
        assert (result.exit_code, result.stdout) == (2, "")
        assert expected in result.stderr
        assert not output.exists()
    for bad in (new, desk.directory, desk.directory / "p.txt"):
        result = desk("predict", flats, new, "--output", bad)
        assert result.exit_code == 2
        assert "--output: must" in result.stderr
    assert new.read_text().startswith("area")
