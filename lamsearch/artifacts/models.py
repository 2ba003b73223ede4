"""Models as safetensors: arrays by name that anybody can read, and no code.

Enters: a model and what is to be known of it; bytes. Leaves: bytes; a model, or what is wrong with
it. Refuses to know where they are kept.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields

import numpy as np
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from lamsearch.results import Model


def model_bytes(model: Model, metadata: Mapping[str, object]) -> bytes:
    """Return a model as safetensors bytes; values of the metadata are written as text or JSON.

    All is float32, but for ``mean`` and ``std`` of features that float32 cannot centre.
    """
    with np.errstate(over="ignore"):  # moments that overflow are not equal
        tensors = {name: np.ascontiguousarray(getattr(model, name), np.float32)
                   for name in ("W1", "b1", "W2", "b2", "mean", "std")}  # fmt: skip
    for name in ("mean", "std"):
        if not np.array_equal(tensors[name], exact := getattr(model, name)):
            tensors[name] = np.ascontiguousarray(exact, np.float64)
    text = {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in metadata.items()
    }
    return save_tensors(tensors, metadata=text)


def digest_of(content: bytes) -> str:
    """Return the SHA-256 of a file's content."""
    return hashlib.sha256(content).hexdigest()


def model_from(content: bytes) -> Model:
    """Return the model of safetensors bytes.

    Raises:
        ValueError: They are none, or their arrays do not fit together.
    """
    try:
        tensors = load_tensors(content)
    except Exception as error:  # safetensors has no public error type
        raise ValueError(f"a model must be a safetensors file: {error}") from error
    names = {field.name for field in fields(Model)}
    if tensors.keys() != names:
        raise ValueError(f"a model must hold {sorted(names)}, got {sorted(tensors)}")
    if any(tensors[name].ndim != 2 for name in ("W1", "W2")):
        raise ValueError("a model's W1 and W2 must be matrices")
    (features, hidden), classes = tensors["W1"].shape, tensors["W2"].shape[1]
    shapes = {
        "W1": (features, hidden), "b1": (hidden,), "W2": (hidden, classes), "b2": (classes,),
        "mean": (features,), "std": (features,),
    }  # fmt: skip
    for name, array in tensors.items():
        types = (np.float32, np.float64) if name in ("mean", "std") else (np.float32,)
        if array.shape != shapes[name] or array.dtype not in types:
            got = f"{array.dtype} of the shape {array.shape}"
            raise ValueError(f"a model's {name} must be float32 of {shapes[name]}, got {got}")
        if not np.isfinite(array).all():
            raise ValueError(f"a model's {name} must be finite")
    return Model(**tensors)
