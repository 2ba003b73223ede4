"""What a model's file says of itself, and that it has the same bytes wherever it is written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load
from safetensors.numpy import save as save_tensors

from lamsearch.artifacts import Inputs, facts_from, inputs_metadata, metadata_of, model_bytes
from lamsearch.results import Column, Model, columns_document
from lamsearch.study import ImageShape

WRITE = """
import sys
import numpy as np
from lamsearch.artifacts import model_bytes
from lamsearch.results import Model
layer = (np.arange(6, dtype=np.float32).reshape(3, 2), np.zeros(2, np.float32))
model = Model(layers=(layer,), mean=np.zeros(3) + 1e9 + 0.1, std=np.ones(3))
facts = {f"key {number}": number for number in range(40)} | {"classes": ["ä", "b"]}
sys.stdout.buffer.write(model_bytes(model, facts))
"""


def model(features: int = 3) -> Model:
    """Return a linear model of two classes."""
    zeros = np.zeros((features, 2), np.float32), np.zeros(2, np.float32)
    moments = np.zeros(features, np.float32), np.ones(features, np.float32)
    return Model(layers=(zeros,), mean=moments[0], std=moments[1])


def test_a_model_has_the_same_bytes_in_every_process() -> None:
    """Processes that hash texts differently write the same file, in the order of its keys."""
    written = [
        subprocess.run(
            [sys.executable, "-c", WRITE],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True, check=True,
        ).stdout
        for seed in ("1", "2", "3")
    ]  # fmt: skip
    assert len(set(written)) == 1
    header = json.loads(written[0][8 : 8 + int.from_bytes(written[0][:8], "little")])
    assert list(header["__metadata__"]) == sorted(header["__metadata__"])


def test_safetensors_itself_reads_what_was_put_in_order(tmp_path: Path) -> None:
    """The library finds every array to the bit, and the metadata as they were given."""
    content = model_bytes(model(5), {"b": "ü", "a": [1, 2]})
    (tmp_path / "m.safetensors").write_bytes(content)
    with safe_open(tmp_path / "m.safetensors", "np") as file:
        assert file.metadata() == {"a": "[1, 2]", "b": "ü"}
        for name, array in model(5).arrays().items():
            assert file.get_tensor(name).tobytes() == array.tobytes()
    assert int.from_bytes(content[:8], "little") % 8 == 0
    assert load(content).keys() == model(5).arrays().keys()


COLUMNS = (Column(name="area"), Column(name="heating", categories=("gas", "oil")))
IMAGE = ImageShape(height=1, width=1, channels=3)


@pytest.mark.parametrize(
    "inputs",
    [
        Inputs(columns=COLUMNS, fills=True, divisor=1),
        Inputs(divisor=255, image=IMAGE),
        Inputs(divisor=1),
    ],
)
def test_what_inputs_are_comes_back(inputs: Inputs) -> None:
    """Columns, what is missing, pixels and their image are read as they were written."""
    metadata = {"classes": ["a", "b"], **inputs_metadata(inputs)}
    if inputs.columns:
        metadata["columns"] = columns_document(inputs.columns)
    facts = facts_from(metadata_of(model_bytes(model(), metadata)), 3)
    assert (facts.classes, facts.inputs) == (("a", "b"), inputs)


def test_a_model_of_an_earlier_version_says_what_it_did() -> None:
    """Without the newer entries classes and columns are known, and nothing is made up."""
    known = {"classes": ["a", "b"], "columns": columns_document(COLUMNS)}
    content = save_tensors(
        model().arrays(), metadata={key: json.dumps(value) for key, value in known.items()}
    )
    facts = facts_from(metadata_of(content), 3)
    assert facts.inputs == Inputs(columns=COLUMNS)
    assert facts.inputs.divisor is None


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ({"classes": None}, "must name its classes"),
        ({"classes": ["a", 1]}, "must name its classes"),
        ({"classes": "["}, "must name its classes"),
        ({"classes": "[" * 100_000}, "must name its classes"),
        ({"classes": ["a", "a"]}, "classes must have different names"),
        ({"columns": {"a": 1}}, "columns must be those of a table"),
        ({"columns": columns_document(COLUMNS[:1])}, "columns must make its 3 features, got 1"),
        ({"columns": columns_document([COLUMNS[0]] * 3)}, "columns must have different names"),
        ({"missing": "median"}, "missing must be 'mean', got 'median'"),
        ({"input": []}, "input must say divide_by and image"),
        ({"input": {"divide_by": 0, "image": None}}, "divide_by must be 1 or 255, got 0"),
        ({"input": {"divide_by": True, "image": None}}, "divide_by must be 1 or 255, got True"),
        ({"input": {"divide_by": 255, "image": {"height": 1}}}, "image must have height, width"),
        ({"input": {"divide_by": 255, "image": {
            "height": -1, "width": 1, "channels": -3, "planar": False}}},
         "image must make its 3 features"),
        ({"input": {"divide_by": 255, "image": {
            "height": 1.0, "width": 1, "channels": 3, "planar": False}}},
         "image must have whole sizes"),
    ],
    ids=str,
)  # fmt: skip
def test_metadata_that_lamsearch_does_not_write_are_one_sentence(
    entries: dict[str, Any], expected: str
) -> None:
    """Whoever wrote a file: types, sizes and names are checked, and the sentence says which."""
    metadata = {"classes": '["a", "b"]'} | {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in entries.items()
    }
    with pytest.raises(ValueError, match=expected):
        facts_from(metadata, 3)
