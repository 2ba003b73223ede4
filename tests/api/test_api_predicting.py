"""Models and what is given to them: data frames, tables, arrays, images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from PIL import Image

from lamsearch.api.ensemble import Ensemble, ensemble_of
from lamsearch.api.example_files import examples_in
from lamsearch.artifacts import Inputs, inputs_metadata, model_bytes
from lamsearch.errors import DataError, InputError
from lamsearch.results import Column, Model, columns_document
from lamsearch.study import ImageShape

COLUMNS = (
    Column(name="area"),
    Column(name="heating", categories=("gas", "oil")),
    Column(name="zip", categories=("10", "20")),
)
TABLE = Inputs(columns=COLUMNS, divisor=1)
FRAME = pd.DataFrame({
    "zip": [10, 20, 10], "note": ["x", "y", "z"], "heating": ["oil", "gas", "oil"],
    "area": [1.5, 2.5, -0.5],
})  # fmt: skip
ENCODED = np.array([[1.5, 0, 1, 1, 0], [2.5, 1, 0, 0, 1], [-0.5, 0, 1, 1, 0]])


def models(inputs: Inputs, features: int = 5, count: int = 2) -> Ensemble:
    """Return models of three classes that know such inputs, as their files have them."""
    contents = {}
    for number in range(count):
        draw = np.random.default_rng(number).normal
        model = Model(
            layers=((draw(size=(features, 3)).astype(np.float32), np.zeros(3, np.float32)),),
            mean=np.full(features, 0.25, np.float32),
            std=np.full(features, 0.5, np.float32),
        )
        facts: dict[str, object] = {"classes": ["a", "b", "c"], **inputs_metadata(inputs)}
        if inputs.columns:
            facts["columns"] = columns_document(inputs.columns)
        contents[f"final-{number}.safetensors"] = model_bytes(model, facts)
    return ensemble_of(contents, where="models")


def plain(features: int = 5) -> Ensemble:
    """Return the same models, of arrays without names."""
    return models(Inputs(divisor=1), features)


def written(path: Path, frame: pd.DataFrame) -> Path:
    """Write a data frame in the format that a path's end says."""
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    elif path.suffix == ".tsv":
        frame.to_csv(path, index=False, sep="\t")
    else:
        frame.to_parquet(path)
    return path


def test_a_frame_s_columns_are_told_by_their_names() -> None:
    """In any order, others left out, it gets what its encoded features get: of several libraries,
    and from a plain mapping."""
    import pyarrow as pa

    expected = plain().predict_proba(ENCODED)
    found = models(TABLE)
    for given in (FRAME, pa.table(FRAME), {name: list(FRAME[name]) for name in FRAME}):
        np.testing.assert_array_equal(found.predict_proba(given), expected)
    np.testing.assert_array_equal(found.predict(FRAME), plain().predict(ENCODED))


@pytest.mark.parametrize("name", ["new.csv", "new.tsv", "new.parquet"])
def test_a_file_s_columns_are_told_by_their_names(name: str, tmp_path: Path) -> None:
    """A table gets what the data frame gets, whatever its format; a ; separates as well."""
    found = models(TABLE)
    path = written(tmp_path / name, FRAME)
    np.testing.assert_array_equal(
        found.predict_proba(examples_in([path], found)), found.predict_proba(FRAME)
    )
    FRAME.to_csv(tmp_path / "semi.csv", sep=";", index=False)
    np.testing.assert_array_equal(
        found.predict(examples_in([tmp_path / "semi.csv"], found)), found.predict(FRAME)
    )


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"heating": None}, "must have the columns that the models were trained on, lacks 'hea"),
        ({"heating": ["oil", "coal", "gas"]},
         "column 'heating': row 1: must be a category that training had .*, got 'coal'"),
        ({"area": ["big", "2", "3"]}, "column 'area': must hold numbers"),
        ({"area": [1.0, np.nan, 2.0]}, "column 'area': must have no missing values"),
        ({"heating": ["oil", None, "gas"]}, "column 'heating': must have no missing values"),
        ({"area": [1.0, 1e301, 2.0]}, "column 'area': row 1: must lie within"),
    ],
    ids=str,
)  # fmt: skip
def test_what_training_could_not_have_is_one_sentence(
    change: dict[str, Any], expected: str, tmp_path: Path
) -> None:
    """A missing column, an unknown category, a text for a number: of a frame and of a file."""
    found = models(TABLE)
    frame = FRAME.drop(columns=[key for key, value in change.items() if value is None])
    frame = frame.assign(**{key: value for key, value in change.items() if value is not None})
    with pytest.raises(DataError, match=expected) as of_frame:
        found.predict(frame)
    assert "\n" not in str(of_frame.value)
    path = written(tmp_path / "new.csv", frame)
    with pytest.raises(DataError, match=expected) as of_file:
        found.predict(examples_in([path], found))
    assert str(of_file.value).startswith(str(path))


def test_missing_values_are_the_mean_where_the_study_said_so(tmp_path: Path) -> None:
    """A missing number counts as the training mean, a missing category as none of them."""
    found = models(Inputs(columns=COLUMNS, divisor=1, fills=True))
    frame = FRAME.assign(area=[np.nan, 2.5, -0.5], heating=["oil", None, "oil"])
    filled = ENCODED.copy()
    filled[0, 0], filled[1, 1] = 0.25, 0  # the models' mean
    expected = plain().predict_proba(filled)
    np.testing.assert_array_equal(found.predict_proba(frame), expected)
    path = written(tmp_path / "new.csv", frame)
    np.testing.assert_array_equal(found.predict_proba(examples_in([path], found)), expected)


def test_a_row_s_prediction_does_not_depend_on_the_other_rows() -> None:
    """A value that needs float64 beside it changes nothing of a row."""
    found = models(Inputs(columns=(Column(name="x"), Column(name="y")), divisor=1), 2)
    alone = found.predict_proba({"x": [0.1], "y": [0.3]})
    both = found.predict_proba({"x": [0.1, 1e9], "y": [0.3, 1e9 + 0.5]})
    np.testing.assert_array_equal(alone[0], both[0])


def test_many_examples_are_predicted_batch_by_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of three get what all get together, and errors count rows from the first batch."""
    x = np.random.default_rng(3).normal(size=(10, 5))
    together = plain().predict_proba(x)
    monkeypatch.setattr("lamsearch.api.ensemble._VALUES", 15)
    np.testing.assert_allclose(plain().predict_proba(x), together, atol=1e-12)
    x[7, 2] = np.nan
    with pytest.raises(DataError, match="row 7: feature 2: must be a number, got nan"):
        plain().predict(x)


@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.float64])
def test_pixels_are_scaled_as_the_metadata_say(kind: type) -> None:
    """Bytes, whole numbers of them and their shares are the same image to a model of bytes."""
    found = models(Inputs(divisor=255, image=ImageShape(height=2, width=2)), 4)
    pixels = np.array([[0, 51, 255, 3], [1, 2, 200, 100]])
    given = pixels / 255 if kind is np.float64 else pixels.astype(kind)
    expected = plain(4).predict_proba(pixels / 255)
    np.testing.assert_allclose(found.predict_proba(given), expected, atol=1e-6)


@pytest.mark.parametrize("value", [256, -1, 255.0, -0.5])
def test_what_is_no_pixel_is_refused(value: float) -> None:
    """A float beyond 1 or a whole number beyond a byte would be another image, silently."""
    found = models(Inputs(divisor=255), 1)
    with pytest.raises(DataError, match="row 0: must be whole numbers of 0 to 255, or floats of 0"):
        found.predict(np.array([[value]]))


def test_bytes_are_numbers_to_models_that_were_not_trained_on_them() -> None:
    """Values 0 to 16 in uint8, as somebody may have digits, are not divided by 255."""
    x = np.array([[0, 3, 16, 7, 1]], np.uint8)
    np.testing.assert_array_equal(plain().predict_proba(x), plain().predict_proba(x * 1.0))


@pytest.mark.parametrize("planar", [False, True])
def test_images_are_scaled_and_laid_out_as_in_training(planar: bool, tmp_path: Path) -> None:
    """A directory's images, and several named ones, get what their pixels get as an array."""
    shape = ImageShape(height=2, width=3, channels=3, planar=planar)
    found = models(Inputs(divisor=255, image=shape), 18)
    pixels = np.random.default_rng(1).integers(0, 256, (2, 2, 3, 3), np.uint8)
    (tmp_path / "in").mkdir()
    for path, one in zip(("b.png", "in/a.bmp"), pixels, strict=True):
        Image.fromarray(one).save(tmp_path / path)
    given = examples_in([tmp_path], found)
    assert given.names == ("b.png", "in/a.bmp")
    laid = pixels.transpose(0, 3, 1, 2) if planar else pixels
    expected = found.predict_proba(laid.reshape(2, -1))
    np.testing.assert_array_equal(found.predict_proba(given), expected)
    named = examples_in([tmp_path / "in/a.bmp", tmp_path / "b.png"], found)
    np.testing.assert_array_equal(found.predict_proba(named), expected[::-1])


def test_idx_and_npz_files_are_arrays(tmp_path: Path) -> None:
    """MNIST's format and X of an archive, whatever else is in it, are predicted alike."""
    found = models(Inputs(divisor=255, image=ImageShape(height=2, width=2)), 4)
    pixels = np.random.default_rng(2).integers(0, 256, (3, 2, 2), np.uint8)
    head = bytes([0, 0, 8, 3]) + np.array(pixels.shape, ">u4").tobytes()
    (tmp_path / "new-images-idx3-ubyte").write_bytes(head + pixels.tobytes())
    np.savez(tmp_path / "new.npz", X=pixels, y=[1, 2, 3])
    expected = found.predict_proba(pixels)
    for name in ("new-images-idx3-ubyte", "new.npz"):
        given = examples_in([tmp_path / name], found)
        np.testing.assert_array_equal(found.predict_proba(given), expected)


def test_inputs_that_the_models_cannot_know_are_one_sentence(tmp_path: Path) -> None:
    """A table for models of arrays, an image for models of a table, nothing, and pickles."""
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "a.csv").write_text("x\n1\n")
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    np.savez(tmp_path / "objects.npz", X=np.array([{}], object))
    np.savez(tmp_path / "other.npz", Z=np.zeros(3))
    for name, expected in {
        "a.png": "were not trained on bytes of images",
        "a.csv": "were trained on examples without columns",
        "a.txt": "must be a table", "empty": "must hold images", "no.csv": "no such file",
        "objects.npz": "without pickles", "other.npz": "X: is required",
    }.items():  # fmt: skip
        with pytest.raises(InputError, match=expected):
            examples_in([tmp_path / name], plain())
    with pytest.raises(InputError, match="several inputs must be images"):
        examples_in([tmp_path / "a.png", tmp_path / "a.csv"], plain())


def test_models_of_other_inputs_are_no_ensemble(tmp_path: Path) -> None:
    """Two files of one shape whose columns differ do not predict together."""
    one = models(TABLE, count=1).models[0]
    contents = {
        str(number): model_bytes(
            one, {"classes": ["a", "b", "c"], "columns": columns_document(columns)}
        )
        for number, columns in enumerate((COLUMNS, (Column(name="rooms"), *COLUMNS[1:])))
    }
    with pytest.raises(InputError, match="must be of one study, got 2 kinds of inputs"):
        ensemble_of(contents, where="models")


def test_a_quantity_with_classes_is_no_model() -> None:
    """Metadata that name a task and classes that exclude each other are refused."""
    layer = np.zeros((2, 1), np.float32), np.zeros(1, np.float32)
    moments = np.zeros(2, np.float32), np.ones(2, np.float32)
    model = Model(layers=(layer,), mean=moments[0], std=moments[1], task="regression")
    with pytest.raises(InputError, match="a model of a quantity must have no classes"):
        ensemble_of({"a": model_bytes(model, {"classes": ["a"]})}, where="models")


def test_rows_of_nothing_are_predicted_as_nothing(tmp_path: Path) -> None:
    """A table with names and no rows has no predictions, and the right columns of them."""
    found = models(TABLE)
    path = written(tmp_path / "new.csv", FRAME[:0])
    predicted: npt.NDArray[Any] = found.predict_proba(examples_in([path], found))
    assert predicted.shape == (0, 3)
