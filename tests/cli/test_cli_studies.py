"""Every shape of study from its file to its results, and what lies in the output directory."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from sklearn.datasets import load_digits

from lamsearch import data as datasets
from lamsearch import storage as store
from lamsearch.storage import Database

HEAD = """
name = "{name}"
seed = 5
cohort = 3
[data]
source = "digits"
train = 300
validation = 100
test = 200
[network]
hidden = 8
[training]
batch_size = 20
step_size = 20
"""
COARSE = "[coarse]\ntrials = 4\nlog10_lambda = [-5.0, -1.0]\n"
FINAL = "[final]\nreplicates = 2\n"

# The tables after the common ones, and the trials planned in the four stages.
SHAPES = {
    "coarse only": (COARSE, [4, 0, 0, 0]),
    "coarse and final": (COARSE + FINAL, [4, 0, 0, 2]),
    "stratified, fine, final": (
        COARSE + "sampler = 'stratified'\n[fine]\ntrials = 5\nkeep = 2\n" + FINAL, [4, 5, 0, 2]
    ),
    "tree-structured Parzen estimator": (
        COARSE.replace("4", "7") + "sampler = 'tpe'\n[fine]\ntrials = 3\nsampler = 'tpe'\nkeep = 2",
        [7, 3, 0, 0],
    ),
    "values": ("[coarse]\nvalues = [-4.0, -2.5, -1.0]\n" + FINAL, [3, 0, 0, 2]),
    "fine alone": ("[fine]\ntrials = 4\nlog10_lambda = [-4.0, -2.0]\n" + FINAL, [0, 4, 0, 2]),
    "final only": ("[final]\nreplicates = 3\nlog10_lambda = -3.0\n", [0, 0, 0, 3]),
    "final only with test curves": (
        "[final]\nreplicates = 2\nlog10_lambda = -3.0\ntest_curves = true\n", [0, 0, 0, 2]
    ),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_study_comes_to_its_end(desk: Any, shape: str) -> None:
    """Each shape does exactly its plan, selects where it has candidates, tests where it ends."""
    tables, planned = SHAPES[shape]
    document = desk.do(desk.write(text=HEAD + tables))
    stages = document["stages"]
    assert [stage["planned"] for stage in stages] == planned
    assert [stage["complete"] for stage in stages] == planned
    candidates = {
        trial["log10_lambda"] for stage in stages[:3] for trial in stage["trials"]
    } or {-3.0}  # fmt: skip
    assert document["selected"]["log10_lambda"] in candidates
    assert (document["selected"]["validation_accuracy"] is None) == shape.startswith("final only")
    assert (document["final"] is None) == (planned[3] == 0)
    assert len(document["test_openings"]) == (planned[3] > 0)
    for stage in stages[:2]:
        low, high = stage["interval"] or (-4.0, -1.0)
        assert all(low <= trial["log10_lambda"] <= high for trial in stage["trials"])


def test_a_fixed_list_of_values_is_tried_as_it_stands(desk: Any) -> None:
    """`values` are the candidates, in the file's order, in a stage without an interval."""
    document = desk.do(desk.write(text=HEAD + SHAPES["values"][0]))
    coarse = document["stages"][0]
    assert coarse["interval"] is None
    assert [trial["log10_lambda"] for trial in coarse["trials"]] == [-4.0, -2.5, -1.0]


@pytest.mark.parametrize("own_test", [False, True])
@pytest.mark.parametrize("raw", ["float", "uint8"])
def test_peoples_own_arrays_go_all_the_way(desk: Any, own_test: bool, raw: str) -> None:
    """An .npz file, with a test split of its own or without, is searched, trained and tested."""
    rng = np.random.default_rng(8)
    y = np.arange(260) % 3
    x = rng.normal(size=(260, 2, 3)) + 2 * np.eye(3)[y][:, None, :]
    if raw == "uint8":
        x = np.clip(128 + 30 * x, 0, 255).astype(np.uint8)
    arrays = {"X": x[:200], "y": y[:200]}
    if own_test:
        arrays |= {"X_test": x[200:], "y_test": y[200:]}
    (desk.directory / "data").mkdir()
    np.savez(desk.directory / "data" / "own.npz", **arrays)
    text = HEAD.replace('"digits"', '"data/own.npz"').replace("train = 300", "train = 120")
    text = text.replace("validation = 100", "validation = 30").replace("test = 200\n", "")
    document = desk.do(desk.write(text=text + COARSE + FINAL))
    assert document["final"]["test_images"] == (60 if own_test else 50)
    assert document["final"]["test_accuracy"]["mean"] > 0.8


OUTPUT = {
    "results.json", "report.md", "trials.csv", "index.html",
    "models/final-0.safetensors", "models/final-1.safetensors",
}  # fmt: skip


@pytest.fixture(scope="module")
def output(done_desk: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the output directory of the done study."""
    directory = tmp_path_factory.mktemp("output")
    done_desk.well("report", "small", "--output", directory)
    return directory


def test_the_output_directory_holds_all_it_promises(output: Path) -> None:
    """results.json, report.md, store.csv, index.html, figures and models are there, no more."""
    names = {p.relative_to(output).as_posix() for p in output.rglob("*") if p.is_file()}
    figures = {name for name in names if name.startswith("figures/")}
    assert names - figures == OUTPUT
    pngs = [name for name in figures if name.endswith(".png")]
    assert pngs
    assert all((output / name).read_bytes().startswith(b"\x89PNG") for name in pngs)
    assert len([name for name in figures if not name.endswith((".png", ".svg"))]) == 0


def test_the_document_on_disk_is_the_document_printed(output: Path, done_desk: Any) -> None:
    """results.json and `report --json` are the same text, and store.csv has a row per trial."""
    text = (output / "results.json").read_text(encoding="utf-8")
    assert done_desk.well("report", "small", "--json").stdout == text
    document = json.loads(text)
    with (output / "trials.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(stage["planned"] for stage in document["stages"])
    first = document["stages"][0]["trials"][0]
    assert float(rows[0]["validation_accuracy"]) == first["validation_accuracy"]


def test_the_exported_models_reproduce_the_test_accuracy(output: Path, done_desk: Any) -> None:
    """relu((x − mean) / std @ W1 + b1) @ W2 + b2 on raw digits gives results.json's numbers."""
    document = json.loads((output / "results.json").read_text(encoding="utf-8"))
    database = Database(done_desk.url)
    record, stored = store.read_study(database, "small"), store.load(database, "small")
    database.close()
    images = datasets.open_test(
        stored.study, done_desk.directory, record.openings[0], fingerprint=record.data_fingerprint
    )
    raw = {row.tobytes() for row in load_digits().data.astype(np.float32)}
    assert all(row.tobytes() in raw for row in images.x)
    together, accuracies = 0.0, []
    for replicate in range(2):
        path = output / f"models/final-{replicate}.safetensors"
        with safe_open(path, framework="numpy") as file:
            m = {name: file.get_tensor(name) for name in ("W1", "b1", "W2", "b2", "mean", "std")}
            metadata = file.metadata()
        assert {array.dtype for array in m.values()} == {np.dtype(np.float32)}
        assert [m[name].shape for name in ("W1", "b1", "W2", "b2", "mean", "std")] == [
            (64, 8), (8,), (8, 10), (10,), (64,), (64,)
        ]  # fmt: skip
        assert metadata["study"] == "small"
        assert metadata["replicate"] == str(replicate)
        assert float(metadata["lambda"]) == document["selected"]["lambda"]
        assert json.loads(metadata["classes"]) == list("0123456789")
        assert metadata["study_fingerprint"] == document["fingerprint"]["study"]
        assert metadata["data_fingerprint"] == document["fingerprint"]["data"]
        scores = np.maximum((images.x - m["mean"]) / m["std"] @ m["W1"] + m["b1"], 0)
        scores = scores @ m["W2"] + m["b2"]
        accuracies.append(float((scores.argmax(axis=1) == images.y).mean()))
        exponents = np.exp(scores - scores.max(axis=1, keepdims=True))
        together = together + exponents / exponents.sum(axis=1, keepdims=True)
    final = document["final"]
    assert accuracies == final["accuracies"]
    assert final["test_accuracy"]["mean"] == pytest.approx(np.mean(accuracies))
    assert final["test_accuracy"]["sd"] == pytest.approx(np.std(accuracies, ddof=1))
    ensemble = float((np.argmax(together, axis=1) == images.y).mean())
    assert final["ensemble_test_accuracy"] == ensemble


def test_models_that_are_lost_are_said_to_be(desk: Any) -> None:
    """A report of a done study whose models are gone says so and has everything else."""
    desk.do(desk.write(text=HEAD + SHAPES["final only"][0]))
    for path in (desk.directory / "lamsearch-files").glob("*/models/*"):
        path.unlink()
    result = desk.well("report", "small", "--output", "out")
    assert "3 models are not in " in result.stderr
    assert (desk.directory / "out/results.json").is_file()


def test_models_that_are_damaged_are_not_copied(desk: Any) -> None:
    """A model that is not as it was saved is left out of the report, which says so."""
    desk.do(desk.write(text=HEAD + SHAPES["final only"][0]))
    (path,) = (desk.directory / "lamsearch-files").glob("*/models/final-1.safetensors")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    result = desk.well("report", "small", "--output", "out")
    assert "1 model is not in " in result.stderr
    names = sorted(file.name for file in (desk.directory / "out/models").iterdir())
    assert names == ["final-0.safetensors", "final-2.safetensors"]
