"""Models as ONNX, run by onnxruntime."""

from __future__ import annotations

import itertools
import json
import sys
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from scipy.special import softmax

from lamsearch.artifacts import model_bytes
from lamsearch.errors import InputError
from lamsearch.exports import onnx_models
from lamsearch.results import Activation, Model

CLASSES = ["ape", "bee, \"wild\"", "cow"]  # fmt: skip
HIDDEN = [(), (5,), (6, 5)]


def model(
    seed: int,
    hidden: tuple[int, ...],
    *,
    outputs: int = 3,
    activation: Activation = "relu",
    double: bool = False,
) -> Model:
    """Return a model of four features, those of ``double`` beyond float32's digits."""
    draw, sizes = np.random.default_rng(seed).normal, (4, *hidden, outputs)
    return Model(
        layers=tuple(
            (draw(size=(a, b)).astype(np.float32), draw(size=b).astype(np.float32))
            for a, b in itertools.pairwise(sizes)
        ),
        mean=1.7e9 + draw(size=4) if double else draw(size=4).astype(np.float32),
        std=np.full(4, 2.1, np.float64 if double else np.float32),
        activation=activation,
        task="regression" if outputs == 1 else "classification",
    )


def exported(*models: Model, classes: Any = CLASSES, **more: Any) -> dict[str, bytes]:
    """Return the ONNX files of models that are saved as a report has them."""
    known = {"lambda": 0.002, "study": "animals", "classes": classes, **more}
    files = {
        f"final-{number}.safetensors": model_bytes(one, {**known, "replicate": number})
        for number, one in enumerate(models)
    }
    return onnx_models(files)


def run(content: bytes, x: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    """Return what onnxruntime answers, by the outputs' names."""
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_outputs()]
    return dict(zip(names, session.run(names, {"x": x}), strict=True))


def chain(one: Model, x: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return a model's outputs by the plain chain, in float64."""
    functions = {
        "relu": lambda z: np.maximum(z, 0),
        "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
        "tanh": np.tanh,
    }
    a = (x.astype(np.float64) - one.mean) / one.std
    for number, (W, b) in enumerate(one.layers, 1):
        z = a @ W.astype(np.float64) + b
        a = z if number == len(one.layers) else functions[one.activation](z)
    return np.asarray(a)


X = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
near: dict[str, Any] = {"rtol": 2e-5, "atol": 2e-5}


@pytest.mark.parametrize("hidden", HIDDEN)
def test_a_classifiers_answers_are_those_of_the_plain_chain(hidden: tuple[int, ...]) -> None:
    """Logits and probabilities of raw x in onnxruntime equal NumPy's within float32 rounding."""
    one = model(1, hidden)
    found = run(exported(one)["final-0.onnx"], X)
    np.testing.assert_allclose(found["logits"], chain(one, X), **near)
    np.testing.assert_allclose(found["probabilities"], softmax(chain(one, X), axis=1), **near)
    assert found["logits"].dtype == found["probabilities"].dtype == np.float32


@pytest.mark.parametrize("hidden", HIDDEN)
def test_a_regressions_answers_are_those_of_the_plain_chain(hidden: tuple[int, ...]) -> None:
    """Its one output is a vector of the predicted values."""
    one = model(2, hidden, outputs=1)
    found = run(exported(one, classes=[])["final-0.onnx"], X)
    np.testing.assert_allclose(found.pop("values"), chain(one, X)[:, 0], **near)
    assert not found


@pytest.mark.parametrize("activation", ["leaky_relu", "tanh"])
def test_other_activations_are_in_the_graph(activation: Activation) -> None:
    """The graph has the activation that the model's file names."""
    one = model(3, (6, 5), activation=activation)
    found = run(exported(one)["final-0.onnx"], X)
    np.testing.assert_allclose(found["logits"], chain(one, X), **near)


def test_the_ensemble_is_the_mean_of_probabilities_or_of_values() -> None:
    """One file answers the mean over the replicates' answers, and nothing else."""
    several = [model(seed, (5,)) for seed in range(3)]
    found = run(exported(*several)["ensemble.onnx"], X)
    mean = np.mean([softmax(chain(one, X), axis=1) for one in several], axis=0)
    np.testing.assert_allclose(found.pop("probabilities"), mean, **near)
    assert not found
    quantities = [model(seed, (5,), outputs=1) for seed in range(3)]
    found = run(exported(*quantities, classes=[])["ensemble.onnx"], X)
    mean = np.mean([chain(one, X)[:, 0] for one in quantities], axis=0)
    np.testing.assert_allclose(found["values"], mean, **near)


def test_features_beyond_float32_are_given_in_float64() -> None:
    """Where mean and std are float64 so is the input, and answers differ by rounding alone."""
    one, far = model(4, (5,), double=True), 1.7e9 + X.astype(np.float64)
    files = exported(one, model(5, (5,)))
    found = run(files["final-0.onnx"], far)
    np.testing.assert_allclose(found["logits"], chain(one, far), **near)
    assert run(files["final-1.onnx"], X)["logits"].shape == (40, 3)
    assert run(files["ensemble.onnx"], far)["probabilities"].shape == (40, 3)


@pytest.mark.parametrize("name", ["final-0", "ensemble"])
def test_a_missing_value_is_the_mean_where_it_was_in_training(name: str) -> None:
    """A NaN counts as the training split's mean where the metadata say so, and is NaN elsewhere."""
    one, holed = model(10, (5,)), X.copy()
    holed[3, 2] = np.nan
    whole = np.where(np.isnan(holed), one.mean, holed)
    found = run(exported(one, missing="mean")[f"{name}.onnx"], holed)["probabilities"]
    np.testing.assert_allclose(found, softmax(chain(one, whole), axis=1), **near)
    assert np.isnan(run(exported(one)[f"{name}.onnx"], holed)["probabilities"][3]).all()


def test_metadata_name_classes_study_and_lambda() -> None:
    """Metadata are those of the safetensors file, with weight_decay = 2λ, in their order."""
    files = exported(model(6, (5,)), model(7, (5,)))
    session = onnxruntime.InferenceSession(files["final-1.onnx"])
    found = session.get_modelmeta().custom_metadata_map
    assert json.loads(found["classes"]) == CLASSES
    assert (found["study"], found["replicate"]) == ("animals", "1")
    assert json.loads(found["lambda"]) == 0.002
    assert json.loads(found["weight_decay"]) == 0.004
    keys = [one.key for one in onnx.load_from_string(files["ensemble.onnx"]).metadata_props]
    assert keys == sorted(keys)
    assert "replicate" not in keys
    assert "replicates" in keys


def test_the_bytes_are_the_same_each_time() -> None:
    """Two exports of the same models are the same files."""
    models = [model(seed, (6, 5)) for seed in range(2)]
    assert exported(*models) == exported(*models)


def test_models_of_earlier_cycle_ends_are_left_out() -> None:
    """A file is made for each final model and for the ensemble, in the replicates' order."""
    content = model_bytes(model(8, ()), {"classes": CLASSES})
    names = ["final-10", "final-2", "final-2-cycle-1"]
    found = onnx_models({f"{name}.safetensors": content for name in names})
    assert list(found) == ["final-2.onnx", "final-10.onnx", "ensemble.onnx"]


def test_nothing_to_export_is_said() -> None:
    """Without a model there is a sentence that says what is lacking."""
    with pytest.raises(InputError, match="a study has when its final is over"):
        onnx_models({})


def test_a_missing_package_is_said_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without onnx the sentence says how to install it."""
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InputError, match=r"pip install 'lamsearch\[onnx\]'"):
        exported(model(9, ()))
