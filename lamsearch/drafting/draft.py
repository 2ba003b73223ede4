"""A study file for data as they lie there.

Enters: where they are, and what was asked for. Leaves: a name and a text that `lamsearch check`
takes, or one sentence. Refuses to write.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from lamsearch import data as datasets
from lamsearch import trainers
from lamsearch.data.image_files import is_image
from lamsearch.data.sources import idx, table
from lamsearch.drafting import other_data, table_columns
from lamsearch.drafting.examined import Examined
from lamsearch.drafting.sizes import layout
from lamsearch.drafting.text import study_text
from lamsearch.errors import DataError, InputError
from lamsearch.metrics import Task
from lamsearch.study import SOURCES, parse_file

_PUBLISHED = ("cifar10", "cifar100", "svhn")  # sources that know where their files lie
_LONGEST = 60  # characters of a name that comes from a file's
_HINT = "; lamsearch init --ignore COLUMN leaves it out"
_KINDS = (
    "a table (.csv, .tsv, .parquet, .arrow, .feather), an .npz file, a directory of images, or "
    "MNIST's idx files"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What `lamsearch init` was asked for."""

    data: Path
    target: str | None = None
    ignore: tuple[str, ...] = ()
    task: Task | None = None

    @property
    def command(self) -> str:
        """The command line that asks for this."""
        options = [] if self.target is None else ["--target", self.target]
        for name in self.ignore:
            options += ["--ignore", name]
        if self.task is not None:
            options += ["--task", self.task]
        return shlex.join(["lamsearch", "init", str(self.data), *options])


def name_of(path: Path) -> str:
    """Return a study's name for a file's: its letters, digits, dots and dashes."""
    stem = path.name.split(".")[0] if path.is_file() else path.name
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-_")[:_LONGEST].strip("-_")
    return name or "study"


def draft(asked: Asked, output: Path) -> str:
    """Return the text of a study file that is to lie at ``output``.

    Raises:
        InputError: It is not said what is predicted, or the data are none that lamsearch reads.
        DataError: The data cannot be used; the sentence is their source's own.
    """
    try:
        found = _examined(asked, _written(asked.data, output))
        text = study_text(output.stem, found, layout(found, str(asked.data)), asked.command)
        study = trainers.check(parse_file(text.encode(), where=str(output)), str(output))
        datasets.load(study, output.parent, origin=output.parent, look=True)
    except DataError as error:
        hint = _HINT if "data.ignore" in str(error) else ""
        raise DataError(f"{error}{hint}") from error
    return text


def _written(data: Path, output: Path) -> str:
    """The path as the study file has it: relative to the file, where it lies below that."""
    whole, directory = data.resolve(), output.absolute().parent.resolve()
    if whole.is_relative_to(directory) and whole != directory:
        return whole.relative_to(directory).as_posix()
    return whole.as_posix()


def _examined(asked: Asked, written: str) -> Examined:
    path = asked.data
    if path.is_file() and path.suffix in table.SUFFIXES:
        return table_columns.examined(
            path, asked.target, asked.ignore, asked.task, written=written
        )  # fmt: skip
    for option, value in (("--target", asked.target), ("--ignore", asked.ignore)):
        if value:
            raise InputError(f"{option}: only a table has columns, which {path} is not")
    if path.is_file() and path.suffix == ".npz":
        return other_data.of_arrays(path, asked.task, written=written)
    if asked.task == "regression":
        raise InputError(f"--task: the targets of {path} are classes")
    if path.is_file() and idx.is_images(path):
        directory = written.rpartition("/")[0] or "."
        return other_data.of_idx_set(path.parent, other_data.prefix_of(path), written=directory)
    if path.is_dir() and idx.training_images(path):
        return other_data.of_idx(path, written=written)
    if path.is_dir():
        _check_not_published(path)
        return other_data.of_images(path, written=written)
    if not path.exists():
        raise InputError(f"{path}: must be {_KINDS}, but there is no such file")
    if is_image(path):
        raise InputError(f"{path}: must be the directory of all images, one in it for each class")
    raise InputError(f"{path}: must be {_KINDS}")


def _check_not_published(path: Path) -> None:
    """Refuse published data, which no study file names by a path."""
    for name in _PUBLISHED:
        if any(one.present for one in SOURCES.get(name).listed(path)):
            rule = f"holds {name}, which a study file names by source = {name!r} and lamsearch run"
            example = "lamsearch init --example cifar10 writes such a study"
            raise InputError(f"{path}: {rule} finds by --data-dir {path}: {example}")
