"""Models as safetensors: arrays by name that anybody can read, and no code.

Enters: a model and what is to be known of it; bytes. Leaves: bytes; a model, or what is wrong with
it. Refuses to know where they are kept.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from lamsearch.metrics import Task
from lamsearch.results import Activation, Model, TrialRecord, TrialState

_USUAL: Activation = "relu"
_USUAL_TASK: Task = "classification"
_ALIGNED = 8  # bytes: where the arrays begin, as the format asks


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """The file of a replicate's model at the end of its training, or of an earlier ``cycle``.

    ``sha256`` is the digest of what was saved, None where it is not known.
    """

    replicate: int
    cycle: int | None = None
    sha256: str | None = None

    @property
    def name(self) -> str:
        """The file's name."""
        earlier = "" if self.cycle is None else f"-cycle-{self.cycle}"
        return f"final-{self.replicate}{earlier}.safetensors"

    @property
    def words(self) -> str:
        """What it is of, as sentences call it."""
        earlier = "" if self.cycle is None else f" at the end of cycle {self.cycle}"
        return f"model of replicate {self.replicate}{earlier}"


def files_of(trials: Iterable[TrialRecord]) -> dict[str, ModelFile]:
    """Return the files of the complete ones of the final's trials, by name, with their digests."""
    found = [
        ModelFile(replicate=trial.replicate, cycle=cycle, sha256=known)
        for trial in trials
        if trial.state is TrialState.COMPLETE
        for cycle, known in [(None, trial.model_sha256), *sorted(trial.snapshot_sha256.items())]
    ]
    return {one.name: one for one in found}


def model_bytes(model: Model, metadata: Mapping[str, object]) -> bytes:
    """Return a model as safetensors bytes; values of the metadata are written as text or JSON.

    The same model and metadata give the same bytes in every process.

    All is float32, but for ``mean`` and ``std`` of features that float32 cannot centre. The
    metadata name the ``activation`` where it is not relu, and the ``task`` where it is regression.
    """
    arrays = model.arrays()
    with np.errstate(over="ignore"):  # moments that overflow are not equal
        tensors = {name: np.ascontiguousarray(one, np.float32) for name, one in arrays.items()}
    for name in ("mean", "std"):
        if not np.array_equal(tensors[name], exact := arrays[name]):
            tensors[name] = np.ascontiguousarray(exact, np.float64)
    unusual: dict[str, object] = {}
    if model.activation != _USUAL:
        unusual["activation"] = model.activation
    if model.task != _USUAL_TASK:
        unusual["task"] = model.task
    text = {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in {**metadata, **unusual}.items()
    }
    return _in_order(save_tensors(tensors, metadata=text))


def _in_order(content: bytes) -> bytes:
    """The same file with its header in one order: safetensors writes metadata in a random one."""
    length = int.from_bytes(content[:8], "little")
    header: dict[str, Any] = json.loads(content[8 : 8 + length])
    metadata = header.pop("__metadata__", {})
    tensors = dict(sorted(header.items(), key=lambda item: item[1]["data_offsets"]))
    known = {"__metadata__": dict(sorted(metadata.items()))} if metadata else {}
    text = json.dumps(known | tensors, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNED)
    return len(text).to_bytes(8, "little") + text + content[8 + length :]


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
    depth = max(1, sum(bool(re.fullmatch(r"W[1-9]\d*", name)) for name in tensors))
    layers = range(1, depth + 1)
    names = {f"{kind}{layer}" for layer in layers for kind in "Wb"} | {"mean", "std"}
    if tensors.keys() != names:
        raise ValueError(f"a model must hold {sorted(names)}, got {sorted(tensors)}")
    for name, array in tensors.items():
        _check(name, array, _shape(name, tensors))
    found = metadata_of(content)
    model = Model.of(
        tensors,
        _named(found, "activation", get_args(Activation), _USUAL),
        _named(found, "task", get_args(Task), _USUAL_TASK),
    )
    if model.task == "regression" and model.outputs != 1:
        raise ValueError(f"a model's output must be 1 value of a quantity, got {model.outputs}")
    return model


def metadata_of(content: bytes) -> dict[str, str]:
    """Return what is known of a model, as text or JSON by key, of bytes that `model_from` took."""
    length = int.from_bytes(content[:8], "little")  # safetensors has found the header whole
    found: dict[str, str] = json.loads(content[8 : 8 + length]).get("__metadata__", {})
    return found


def _shape(name: str, tensors: Mapping[str, npt.NDArray[Any]]) -> tuple[int, ...]:
    """The shape that an array must have to fit the others."""
    if name in ("mean", "std"):
        return tensors["W1"].shape[:1]
    if name[0] == "b":
        return tensors[f"W{name[1:]}"].shape[1:2]
    number, own = int(name[1:]), tensors[name].shape
    inputs = own[:1] if number == 1 else tensors[f"b{number - 1}"].shape
    return (*inputs, own[-1] if own else 0)


def _check(name: str, array: npt.NDArray[Any], shape: tuple[int, ...]) -> None:
    axes = 2 if name[0] == "W" else 1
    types = (np.float32, np.float64) if name in ("mean", "std") else (np.float32,)
    if array.ndim != axes or array.shape != shape or array.dtype not in types:
        got = f"{array.dtype} of the shape {array.shape}"
        raise ValueError(f"a model's {name} must be float32 of {shape}, got {got}")
    if not np.isfinite(array).all():
        raise ValueError(f"a model's {name} must be finite")


def _named(found: Mapping[str, Any], key: str, known: tuple[Any, ...], usual: Any) -> Any:
    """What the metadata name under a key, which must be known; the usual where they do not."""
    named = found.get(key, usual)
    if named not in known:
        raise ValueError(f"a model's {key} must be one of {', '.join(known)}, got {named!r}")
    return named
