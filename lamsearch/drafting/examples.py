"""The studies that come with lamsearch, and small tables to try one's hand on.

Enters: the name of an example. Leaves: the texts of its files. Refuses to write them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from lamsearch.drafting.text import ADDRESS, schema_line
from lamsearch.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A study file, and what lies beside it: texts by the names of their files.

    ``fetched`` is the source that has to be fetched before, if any.
    """

    study: str
    beside: dict[str, str]
    fetched: str | None = None


def _wine() -> dict[str, str]:
    """178 Italian wines by 13 measurements and their cultivar (Aeberhard & Forina 1991)."""
    from sklearn.datasets import load_wine

    found = load_wine()
    labels = [str(found.target_names[label]) for label in found.target]
    return {"wine.csv": _table(found.feature_names, found.data, "cultivar", labels)}


def _diabetes() -> dict[str, str]:
    """442 patients by ten measurements, and how their disease progressed (Efron et al. 2004)."""
    from sklearn.datasets import load_diabetes

    found = load_diabetes(scaled=False)
    values = [int(value) for value in found.target]
    return {"diabetes.csv": _table(found.feature_names, found.data, "progression", values)}


def _table(names: list[str], rows: Any, target: str, values: list[Any]) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*names, target])
    for row, value in zip(rows, values, strict=True):
        table.writerow([*(f"{number:.10g}" for number in row), value])
    return text.getvalue()


def _nothing() -> dict[str, str]:
    return {}


EXAMPLES: dict[str, tuple[Callable[[], dict[str, str]], str | None]] = {
    "digits": (_nothing, None),
    "cifar10": (_nothing, "cifar10"),
    "cifar10-wide": (_nothing, "cifar10"),
    "table": (_wine, None),
    "regression": (_diabetes, None),
}


def example(name: str) -> Example:
    """Return an example's files.

    Raises:
        InputError: scikit-learn, which carries its data, is not installed.
    """
    beside, fetched = EXAMPLES[name]
    text = (files("lamsearch") / "templates" / f"{name}.toml").read_text(encoding="utf-8")
    try:
        return Example(
            study=text.replace(ADDRESS, schema_line()), beside=beside(), fetched=fetched
        )  # fmt: skip
    except ImportError as error:
        raise InputError(f"--example {name}: needs scikit-learn: {error}") from error
