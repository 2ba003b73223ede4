"""Verbs on data sets: list, fetch, verify."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypedDict

import click

from lamsearch import data as datasets
from lamsearch.cli import options
from lamsearch.cli.echo import echo
from lamsearch.data import SourceInfo
from lamsearch.errors import LamsearchError
from lamsearch.terminal import Transfer, print_json, print_table


class SourceDocument(TypedDict):
    """A data set as ``data list --json`` has it; ``path`` is where it is, if that is known."""

    name: str
    present: bool
    description: str
    path: str | None


@click.group()
def data() -> None:
    """List, fetch and verify data sets."""


@data.command("list")
@options.data_dir
@options.json_document
def list_sources(data_dir: Path | None, as_json: bool) -> None:
    """List the data sets, and which of them are here."""
    found = datasets.sources(options.data_directory(data_dir))
    if as_json:
        listed = {"sources": [_document(one) for one in found]}
        print_json(json.dumps(listed, indent=1, ensure_ascii=False))
        return
    rows = [
        [one.name, "yes" if one.present else "no", one.description, str(one.where or "")]
        for one in found
    ]
    print_table(["name", "here", "what it is", "where"], rows)


def _document(one: SourceInfo) -> SourceDocument:
    return {
        "name": one.name,
        "present": one.present,
        "description": one.description,
        "path": None if one.where is None else str(one.where),
    }


@data.command()
@click.argument("name")
@options.data_dir
def fetch(name: str, data_dir: Path | None) -> None:
    """Download a data set; resumes, checks the checksum, extracts.

    \b
    Example:
      lamsearch data fetch cifar10
    """
    with Transfer(name) as transfer:
        where = datasets.fetch(name, options.data_directory(data_dir), progress=transfer.show)
    echo(str(where))


@data.command()
@click.argument("name")
@options.data_dir
def verify(name: str, data_dir: Path | None) -> None:
    """Read a data set whole and compare it with what was published; exit 1 where it differs.

    Of arrays of your own: classes and their counts, examples that repeat, test examples that are
    training examples too.

    \b
    Example:
      lamsearch data verify cifar10
    """
    found = datasets.verify(name, options.data_directory(data_dir))
    for line in found.lines:
        echo(line)
    if found.published is False:
        raise LamsearchError(f"{name}: the values are not the published ones")
