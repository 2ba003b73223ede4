"""The verb init: a first study file, for one's own data or as an example.

Enters: data, or an example's name. Leaves: a study file that `lamsearch check` takes, and the next
command to type. Overwrites nothing unless it is told to.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import cast

import click

from lamsearch.cli.echo import echo
from lamsearch.drafting import EXAMPLES, Asked, draft, example
from lamsearch.drafting.draft import name_of
from lamsearch.errors import FilesError, InputError
from lamsearch.local_files import write_whole
from lamsearch.metrics import Task
from lamsearch.study import NAME_PATTERN

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("data", required=False, type=_PATH)
@click.option("--target", metavar="COLUMN", help="The column of a table that is predicted.")
@click.option(
    "--ignore", metavar="COLUMN", multiple=True, help="A column to leave out; repeatable."
)
@click.option(
    "--task", type=click.Choice(["classification", "regression"]),
    help="Classes or a quantity; else what the target looks like.",
)  # fmt: skip
@click.option("--example", "chosen", type=click.Choice(list(EXAMPLES)), help="Instead of DATA.")
@click.option(
    "--output", metavar="STUDY.toml", type=_PATH, help="The file to write; else NAME.toml here."
)
@click.option("--force", is_flag=True, help="Overwrite what is there.")
def init(
    data: Path | None,
    target: str | None,
    ignore: tuple[str, ...],
    task: str | None,
    chosen: str | None,
    output: Path | None,
    force: bool,
) -> None:
    """Write a study file for your own data, with sizes that suit them, or an example.

    DATA is a table (.csv, .tsv, .parquet, .arrow, .feather), an .npz file with X and y, a
    directory of images with one for each class, or MNIST's idx files.

    \b
    Example:
      lamsearch init flats.csv --target let
      lamsearch init --example digits
    """
    if (data is None) == (chosen is None):
        raise click.UsageError(f"needs DATA, or --example {' | '.join(EXAMPLES)}")
    if chosen is not None and (target or ignore or task):
        raise click.UsageError("--target, --ignore and --task go with DATA, not with --example")
    output = output or Path(f"{chosen or name_of(data or Path())}.toml")
    _check(output, force=force)
    if chosen is not None:
        found = example(chosen)
        texts = {output.parent / name: text for name, text in found.beside.items()}
        for path, text in texts.items():
            _check_beside(path, text, force=force)
        _write({**texts, output: found.study})
        first = "" if found.fetched is None else f"lamsearch data fetch {found.fetched} && "
    else:
        asked = Asked(
            data=cast("Path", data), target=target, ignore=ignore, task=cast("Task | None", task)
        )
        _write({output: draft(asked, output)})
        first = ""
    echo(f"{output} is written: read it, change it. Next:", err=True)
    echo(f"{first}lamsearch run {shlex.quote(str(output))}")


def _check(output: Path, *, force: bool) -> None:
    """Find out whether a study file may be written there, before anything is read."""
    if output.suffix != ".toml":
        raise InputError(f"--output: must end in .toml, got {str(output)!r}")
    if not re.fullmatch(NAME_PATTERN, output.stem):
        rule = "a study's name, which is the file's, must be letters, digits, dots and dashes"
        raise InputError(f"--output: {rule}, got {output.stem!r}")
    if output.is_dir() or not output.parent.is_dir():
        raise InputError(f"--output: must be a file in a directory that is there, got {output}")
    if output.exists() and not force:
        raise InputError(
            f"{output}: is there already: --force overwrites it, --output names another"
        )


def _check_beside(path: Path, text: str, *, force: bool) -> None:
    """Find out whether an example's data may be written: never over somebody's own."""
    if not path.exists() or force:
        return
    if not path.is_file() or path.read_bytes() != text.encode():
        raise InputError(f"{path}: is there already, and is another: --force overwrites it")


def _write(texts: dict[Path, str]) -> None:
    for path, text in texts.items():
        try:
            write_whole(path, text.encode())
        except OSError as error:
            raise FilesError(f"{path}: cannot be written: {error.strerror or error}") from error
