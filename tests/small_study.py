"""The study that most tests run: small, with every stage."""

from __future__ import annotations

from typing import Any

# Small enough to be searched in about a second, with every stage, two cohorts and a real choice.
SMALL: dict[str, Any] = {
    "name": "small",
    "seed": 7,
    "cohort": 3,
    "data": {"source": "digits", "train": 300, "validation": 100, "test": 200},
    "network": {"hidden": 8},
    "training": {"batch_size": 20, "step_size": 15, "cycles": 2},
    "coarse": {"trials": 5, "log10_lambda": [-5.0, -1.0], "cycles": 1},
    "fine": {"trials": 4, "keep": 2, "cycles": 1},
    "finalists": {"keep": 2, "replicates": 2},
    "final": {"train": 350, "validation": 50, "replicates": 2},
}


def document_of(**changes: Any) -> dict[str, Any]:
    """Return the small study's document; a dictionary updates its table, None removes a key."""
    document = {key: dict(v) if isinstance(v, dict) else v for key, v in SMALL.items()}
    for key, value in changes.items():
        if value is None:
            document.pop(key, None)
        elif isinstance(value, dict):
            document[key] = {**document.get(key, {}), **value}
        else:
            document[key] = value
    return document
