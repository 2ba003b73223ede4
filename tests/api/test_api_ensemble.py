"""The models of a report as one predictor."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import load_file, save
from scipy.special import softmax

import lamsearch
from lamsearch.artifacts import model_bytes
from lamsearch.errors import DataError, InputError
from lamsearch.results import Model

CLASSES = ["ape", "bee", "cow"]


def model(seed: int, *, outputs: int = 3, double: bool = False) -> Model:
    """Return a model of four features and five hidden units."""
    draw = np.random.default_rng(seed).normal
    return Model(
        layers=(
            (draw(size=(4, 5)).astype(np.float32), draw(size=5).astype(np.float32)),
            (draw(size=(5, outputs)).astype(np.float32), draw(size=outputs).astype(np.float32)),
        ),
        mean=draw(size=4).astype(np.float64 if double else np.float32),
        std=np.full(4, 2, np.float64 if double else np.float32),
    )


def write(directory: Path, models: Mapping[int, Model], classes: Any = CLASSES) -> Path:
    """Write models as a report has them; return the report's directory."""
    (directory / "models").mkdir(parents=True, exist_ok=True)
    for number, one in models.items():
        content = model_bytes(one, {"classes": classes, "replicate": number})
        (directory / "models" / f"final-{number}.safetensors").write_bytes(content)
    return directory


def by_hand(path: Path, x: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a model's probabilities by the five lines that the documentation gives."""
    m = {name: one.astype(np.float64) for name, one in load_file(path).items()}
    z = (x - m["mean"]) / m["std"]
    return softmax(np.maximum(z @ m["W1"] + m["b1"], 0) @ m["W2"] + m["b2"], axis=1)


X = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)


def test_the_ensemble_is_the_mean_of_the_replicates_probabilities(tmp_path: Path) -> None:
    """Its probabilities are the mean over files, worked by hand, whatever files lie beside."""
    report = write(tmp_path, {number: model(number) for number in range(11)})
    (report / "models" / "final-0-cycle-1.safetensors").write_bytes(b"a snapshot")
    found = lamsearch.load_models(report)
    files = [report / "models" / f"final-{number}.safetensors" for number in range(11)]
    expected = np.mean([by_hand(file, X) for file in files], axis=0)
    np.testing.assert_allclose(found.predict_proba(X), expected, atol=1e-6)
    assert found.replicates == 11
    assert [str(one) for one in found.predict(X)] == [CLASSES[k] for k in expected.argmax(axis=1)]
    alone = lamsearch.load_models(files[10])
    np.testing.assert_array_equal(alone.predict_proba(X), found.members[10].predict_proba(X))


def test_an_example_s_prediction_does_not_depend_on_its_company(tmp_path: Path) -> None:
    """One by one, or shuffled, examples get the probabilities that they get together."""
    found = lamsearch.load_models(write(tmp_path, {0: model(0), 1: model(1)}))
    together = found.predict_proba(X)
    alone = np.concatenate([found.predict_proba(X[k : k + 1]) for k in range(len(X))])
    np.testing.assert_allclose(alone, together, atol=1e-12)
    assert found.predict_proba(X[:0]).shape == (0, 3)


def test_labels_are_compared_by_name(tmp_path: Path) -> None:
    """The score takes labels as texts, whole numbers or floats of them."""
    found = lamsearch.load_models(write(tmp_path, {0: model(0)}, ["0", "1", "2"]))
    names = found.predict(X)
    assert found.score(X, names) == 1.0
    assert found.score(X, names.astype(int)) == 1.0
    assert found.score(X, names.astype(float)) == 1.0
    assert found.score(X, (names.astype(int) + 1) % 3) == 0.0
    with pytest.raises(DataError, match="one target for each of the 40"):
        found.score(X, names[:-1])


def test_quantities_are_predicted_where_there_are_no_classes(tmp_path: Path) -> None:
    """Without classes the prediction is the mean of the models' one output, scored by R²."""
    models = {number: model(number, outputs=1) for number in range(3)}
    found = lamsearch.load_models(write(tmp_path, models, []))
    predicted = found.predict(X)
    assert predicted.shape == (40,)
    np.testing.assert_allclose(
        predicted, np.mean([one.predict(X) for one in found.members], axis=0)
    )
    assert found.score(X, predicted) == 1.0
    assert found.score(X, np.where(np.arange(40) % 2, 1.0, -1.0)) < 0.5
    with pytest.raises(InputError, match="predict a quantity"):
        found.predict_proba(X)


def test_features_that_float32_cannot_centre_keep_their_digits(tmp_path: Path) -> None:
    """A model whose moments are float64 takes its examples in float64."""
    one = model(0, double=True)
    far = Model(layers=one.layers, mean=one.mean + 1e9, std=one.std)
    found = lamsearch.load_models(write(tmp_path, {0: far}))
    x = X.astype(np.float64) + 1e9
    z = (x - far.mean) / far.std
    (W1, b1), (W2, b2) = far.layers
    expected = softmax(np.maximum(z @ W1 + b1, 0) @ W2 + b2, axis=1)
    np.testing.assert_allclose(found.predict_proba(x), expected, atol=1e-5)


def test_features_far_from_zero_keep_their_digits_though_the_moments_are_round(
    tmp_path: Path,
) -> None:
    """A file has moments that float32 holds in float32; examples beside 1e9 are told apart."""
    one = model(0)
    far = Model(layers=one.layers, mean=np.full(4, 1e9), std=np.ones(4))
    found = lamsearch.load_models(write(tmp_path, {0: far}))
    assert found.models[0].mean.dtype == np.float32
    (W1, b1), (W2, b2) = far.layers
    expected = softmax(np.maximum(X.astype(np.float64) @ W1 + b1, 0) @ W2 + b2, axis=1)
    np.testing.assert_allclose(found.predict_proba(X + np.float64(1e9)), expected, atol=1e-5)


@pytest.mark.parametrize("bad", [X[:, :3], X[0], X.astype(str), np.full((2, 4), np.nan)])
def test_other_examples_get_one_sentence(bad: npt.NDArray[Any], tmp_path: Path) -> None:
    """Examples of other features, or that are no numbers, are refused."""
    found = lamsearch.load_models(write(tmp_path, {0: model(0)}))
    with pytest.raises(DataError, match="X: "):
        found.predict(bad)


def test_files_that_are_no_models_of_a_report_get_one_sentence(tmp_path: Path) -> None:
    """Damaged, foreign, missing and unrelated files are refused by name."""
    report = write(tmp_path / "good", {0: model(0)})
    path = report / "models" / "final-0.safetensors"
    whole = path.read_bytes()
    for content in (b"", whole[:-3], b"\0" * 100, save({"weight": np.zeros(3, np.float32)})):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"final-0\.safetensors: "):
            lamsearch.load_models(report)
    for classes in (["ape"], [1, 2, 3], "ape"):
        write(report, {0: model(0)}, classes)
        with pytest.raises(InputError, match="classes"):
            lamsearch.load_models(report)
    write(report, {0: model(0)})
    write(report, {1: model(1)}, ["x", "y", "z"])
    with pytest.raises(InputError, match="must be of one study"):
        lamsearch.load_models(report)
    (tmp_path / "empty").mkdir()
    for nothing in (tmp_path / "empty", tmp_path / "gone"):
        with pytest.raises(InputError, match="must"):
            lamsearch.load_models(nothing)
