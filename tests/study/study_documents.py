"""Study files as dictionaries: one that is right, and changes to it."""

from __future__ import annotations

from typing import Any

RIGHT: dict[str, Any] = {
    "name": "right",
    "seed": 7,
    "cohort": 3,
    "data": {"source": "digits", "train": 300, "validation": 100, "test": 200},
    "network": {"hidden": 8},
    "training": {"batch_size": 20, "eta_max": 0.1, "step_size": 15, "cycles": 2},
    "coarse": {"trials": 5, "log10_lambda": [-5.0, -1.0], "cycles": 1},
    "fine": {"trials": 4, "keep": 2, "cycles": 1},
    "finalists": {"keep": 2, "replicates": 2},
    "final": {"train": 350, "validation": 50, "replicates": 2},
}

# Changes that leave a study right.
FINAL_ONLY: dict[str, Any] = {
    "coarse": None, "fine": None, "finalists": None, "final": {"log10_lambda": -3.0}
}  # fmt: skip
VALUES: dict[str, Any] = {"coarse": {"values": [-4.0, -2.0], "trials": None, "log10_lambda": None}}
BATCHES: dict[str, Any] = {
    "data": {"source": "cifar10", "train": None, "validation": None, "test": None,
             "train_batches": [1, 3], "validation_batches": [2]},
    "final": {"train": None, "validation": None},
}  # fmt: skip


def changed(changes: dict[str, Any], base: dict[str, Any] = RIGHT) -> dict[str, Any]:
    """Return the document with changes: a table's keys one by one, None takes a key away."""
    document = dict(base)
    for key, value in changes.items():
        if value is None:
            document.pop(key, None)
        elif isinstance(value, dict):
            document[key] = changed(value, document.get(key, {}))
        else:
            document[key] = value
    return document
