"""Models as ONNX: the plain chain as a graph that runtimes of any language run.

Enters: models as their safetensors files. Leaves: ONNX files, the same bytes each time. Refuses to
know how a model was trained: a graph is what ``W1, b1, … mean, std`` say, and no more.

The input ``x`` (N, features) is float32 and raw, as the data had it; float64 where the model's
``mean`` and ``std`` are, since float32 cannot hold those features. Outputs are ``logits`` and
``probabilities`` (N, classes), or ``values`` (N,) where a quantity is predicted. The ensemble has
no logits: its output is the mean of its members' probabilities, or of their values. Where the
metadata say that a missing value counts as the mean, a NaN in ``x`` does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from lamsearch import __version__
from lamsearch.artifacts import metadata_of, model_from
from lamsearch.dimensions import weight_decay
from lamsearch.errors import InputError
from lamsearch.exports.packages import loaded, needed
from lamsearch.results import FloatArray, Model
from lamsearch.trainers.network.activations import LEAK

ENSEMBLE = "ensemble.onnx"
# Of 2021, and what a graph of these operators needs: whoever runs ONNX at all runs it.
_OPSET, _IR = 15, 8
_FINAL = re.compile(r"final-(\d+)\.safetensors")
_MEMBERS_OWN = ("replicate", "cycle")  # metadata that an ensemble has not


def check_onnx() -> None:
    """Find out whether ONNX models can be made.

    Raises:
        InputError: The extra is not installed.
    """
    needed("onnx", "onnx")


def onnx_models(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return a report's models as ONNX, by file name: each replicate's, and their ensemble.

    Args:
        files: safetensors by file name; those of earlier cycle ends are left out.

    Raises:
        InputError: There is no model among them, or the extra is not installed.
    """
    check_onnx()
    numbers = sorted(int(found[1]) for name in files if (found := _FINAL.fullmatch(name)))
    contents = {number: files[f"final-{number}.safetensors"] for number in numbers}
    if not contents:
        raise InputError("onnx: must be of models, which a study has when its final is over")
    models = {number: model_from(content) for number, content in contents.items()}
    facts = {number: metadata_of(content) for number, content in contents.items()}
    singles = {
        f"final-{number}.onnx": _file(_Graph("final", facts[number]).single(model), facts[number])
        for number, model in models.items()
    }
    shared = {k: v for k, v in facts[numbers[0]].items() if k not in _MEMBERS_OWN}
    shared["replicates"] = json.dumps(numbers)
    together = _Graph("ensemble", shared).mean(list(models.values()))
    return {**singles, ENSEMBLE: _file(together, shared)}


class _Graph:
    """A graph as it grows: nodes, arrays, outputs; names are those of the chain."""

    def __init__(self, name: str, facts: Mapping[str, str]) -> None:
        self.name, self.features, self.double = name, 0, False
        self._fills = facts.get("missing") == "mean"
        self._onnx = loaded("onnx")
        self.nodes: list[Any] = []
        self.arrays: list[Any] = []
        self.outputs: list[Any] = []

    def single(self, model: Model) -> _Graph:
        """Add one model, with its logits as an output."""
        self._input([model])
        if model.task == "regression":
            self._value(self._chain(model, ""), "values")
            self._output("values", ["N"])
        else:
            self._add("Identity", [self._chain(model, "")], "logits")
            self._add("Softmax", ["logits"], "probabilities", axis=1)
            for name in ("logits", "probabilities"):
                self._output(name, ["N", model.outputs])
        return self

    def mean(self, models: list[Model]) -> _Graph:
        """Add the mean of models' probabilities or values, summed in the models' order."""
        self._input(models)
        regression = models[0].task == "regression"
        parts = []
        for number, model in enumerate(models):
            prefix = f"member{number}_"
            scores, part = self._chain(model, prefix), f"{prefix}answer"
            if regression:
                self._value(scores, part)
            else:
                self._add("Softmax", [scores], part, axis=1)
            parts.append(part)
        name = "values" if regression else "probabilities"
        self._add("Mean", parts, name)
        self._output(name, ["N"] if regression else ["N", models[0].outputs])
        return self

    def _chain(self, model: Model, prefix: str) -> str:
        """Add the scores of one model; return their name."""
        x = self._normalised(model, prefix)
        for number, (W, b) in enumerate(model.layers, 1):
            weights = self._array(f"{prefix}W{number}", W)
            shift = self._array(f"{prefix}b{number}", b)
            x = self._add("MatMul", [x, weights], f"{prefix}product{number}")
            x = self._add("Add", [x, shift], f"{prefix}z{number}")
            if number < len(model.layers):
                x = self._activation(model.activation, x, f"{prefix}a{number}")
        return x

    def _input(self, models: list[Model]) -> None:
        self.features = len(models[0].mean)
        types = {one.dtype for model in models for one in (model.mean, model.std)}
        self.double = np.dtype(np.float64) in types

    def _normalised(self, model: Model, prefix: str) -> str:
        """Add (x − mean) / std, in the type of the input, as float32."""
        kind = np.float64 if self.double else np.float32
        mean = self._array(f"{prefix}mean", model.mean.astype(kind))
        std = self._array(f"{prefix}std", model.std.astype(kind))
        x = "x"
        if self._fills:
            missing = self._add("IsNaN", ["x"], f"{prefix}missing")
            x = self._add("Where", [missing, mean, "x"], f"{prefix}filled")
        x = self._add("Sub", [x, mean], f"{prefix}centred")
        x = self._add("Div", [x, std], f"{prefix}scaled")
        if not self.double:
            return x
        return self._add("Cast", [x], f"{prefix}narrow", to=self._onnx.TensorProto.FLOAT)

    def _activation(self, kind: str, z: str, name: str) -> str:
        if kind == "leaky_relu":
            return self._add("LeakyRelu", [z], name, alpha=LEAK)
        return self._add({"relu": "Relu", "tanh": "Tanh"}[kind], [z], name)

    def _value(self, scores: str, name: str) -> None:
        """Add the one output of a regression as a vector."""
        axes = self._array(f"{name}_axes", np.array([1], np.int64))
        self._add("Squeeze", [scores, axes], name)

    def _add(self, operator: str, inputs: list[str], name: str, **attributes: Any) -> str:
        node = self._onnx.helper.make_node(operator, inputs, [name], name=name, **attributes)
        self.nodes.append(node)
        return name

    def _array(self, name: str, values: FloatArray | np.ndarray[Any, Any]) -> str:
        self.arrays.append(self._onnx.numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def _output(self, name: str, shape: list[str | int]) -> None:
        kind = self._onnx.TensorProto.FLOAT
        self.outputs.append(self._onnx.helper.make_tensor_value_info(name, kind, shape))


def _file(graph: _Graph, facts: Mapping[str, str]) -> bytes:
    """Return a graph as the bytes of an ONNX model that the library finds valid."""
    onnx = loaded("onnx")
    kind = onnx.TensorProto.DOUBLE if graph.double else onnx.TensorProto.FLOAT
    x = onnx.helper.make_tensor_value_info("x", kind, ["N", graph.features])
    made = onnx.helper.make_graph(graph.nodes, graph.name, [x], graph.outputs, graph.arrays)
    model = onnx.helper.make_model(
        made, opset_imports=[onnx.helper.make_opsetid("", _OPSET)], ir_version=_IR,
        producer_name="lamsearch", producer_version=__version__,
    )  # fmt: skip
    for key, value in _metadata(facts):
        model.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _metadata(facts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What the safetensors file says of a model, and λ as other libraries have it."""
    known = dict(facts)
    if "lambda" in known:
        known["weight_decay"] = json.dumps(weight_decay(json.loads(known["lambda"])))
    yield from sorted(known.items())
