"""The verb predict: what the models of a report say of further examples.

Enters: models, files of examples. Leaves: predictions, on standard output or in a file. Changes
nothing else, and asks no storage.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from lamsearch.api.ensemble import Ensemble, load_models
from lamsearch.api.example_files import examples_in
from lamsearch.api.raw_examples import Given
from lamsearch.cli.echo import echo
from lamsearch.errors import FilesError, InputError
from lamsearch.local_files import write_whole
from lamsearch.visible import cell

_SUFFIXES = (".csv", ".npz", ".parquet")
_SIGNED = re.compile(r"[+-]\w*")  # no formula, whatever a spreadsheet makes of it
_PATH = click.Path(path_type=Path)

Column = tuple[str, Sequence[Any]]


@click.command()
@click.argument("models", type=_PATH)
@click.argument("inputs", metavar="INPUT", nargs=-1, required=True, type=_PATH)
@click.option(
    "--output", metavar="FILE", type=_PATH,
    help="A .csv, .npz or .parquet file; else CSV on standard output.",
)  # fmt: skip
@click.option("--proba", is_flag=True, help="Probabilities, a column for each class.")
def predict(models: Path, inputs: tuple[Path, ...], output: Path | None, proba: bool) -> None:
    """Predict the classes, or the quantity, of further examples.

    MODELS is a report's directory, its models directory, or one .safetensors file of it: of several
    models it is their mean. INPUT is a table with the columns of the study's (in any order, others
    are left out), an .npz file with X, an idx file of images, a directory of images, or images.

    \b
    Example:
      lamsearch predict lamsearch-report/flats new.csv --output predictions.csv
      lamsearch predict lamsearch-report/flats new.csv --proba
    """
    if output is not None:
        _check_output(output, models, inputs)
    ensemble = load_models(models)
    if proba and not ensemble.classes:
        raise InputError("--proba: these models predict a quantity, which has no probabilities")
    examples = examples_in(inputs, ensemble)
    found = ensemble.predict_proba(examples) if proba else ensemble.predict(examples)
    columns = _columns(ensemble, examples, found, proba=proba)
    if output is None:
        echo(_as_csv(columns).removesuffix("\n"))
        return
    try:
        write_whole(output, _content(output, columns, ensemble, examples, found))
    except OSError as error:
        raise FilesError(f"{output}: cannot be written: {error.strerror or error}") from error
    echo(f"{len(found)} predictions: {output}", err=True)


def _check_output(output: Path, models: Path, inputs: Sequence[Path]) -> None:
    if output.suffix not in _SUFFIXES:
        rule = f"--output: must end in {', '.join(_SUFFIXES[:-1])} or {_SUFFIXES[-1]}"
        raise InputError(f"{rule}, got {str(output)!r}")
    if output.is_dir() or any(one.exists() and _same(one, output) for one in (models, *inputs)):
        raise InputError(f"--output: must not be what is read, or a directory, got {output}")


def _same(one: Path, other: Path) -> bool:
    return other.exists() and one.samefile(other)


def _columns(ensemble: Ensemble, examples: Given, found: Any, *, proba: bool) -> list[Column]:
    """What is written, by the names of its columns."""
    files: list[Column] = [("file", examples.names)] if examples.names else []
    if proba:
        return files + list(zip(ensemble.classes, found.T.tolist(), strict=True))
    return [*files, ("prediction", found.tolist())]


def _as_csv(columns: Sequence[Column]) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_cell(name) for name, _ in columns)
    for row in zip(*(values for _, values in columns), strict=True):
        table.writerow(_cell(one) if isinstance(one, str) else repr(one) for one in row)
    return text.getvalue()


def _cell(text: str) -> str:
    """A name as no spreadsheet takes it for a formula; one that is none, such as +, as it is."""
    return text if _SIGNED.fullmatch(text) else cell(text)


def _content(
    output: Path, columns: Sequence[Column], ensemble: Ensemble, examples: Given, found: Any
) -> bytes:
    if output.suffix == ".csv":
        return _as_csv(columns).encode()
    buffer = io.BytesIO()
    if output.suffix == ".npz":
        key = "probabilities" if found.ndim > 1 else "prediction"
        arrays = {key: found, "classes": np.array(ensemble.classes, np.str_)}
        if examples.names:
            arrays["file"] = np.array(examples.names)
        np.savez(buffer, **arrays)
    else:
        _write_parquet(buffer, columns)
    return buffer.getvalue()


def _write_parquet(buffer: io.BytesIO, columns: Sequence[Column]) -> None:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        rule = "needs pyarrow, which is not installed: pip install 'lamsearch[table]', or .csv"
        raise InputError(f"--output: a .parquet file {rule}") from error
    names = [name for name, _ in columns]
    parquet.write_table(pa.table([pa.array(values) for _, values in columns], names), buffer)
