"""Every block of code in the pages is run by a test, or says why it is not."""

from __future__ import annotations

import contextlib
import re
import shlex
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from docs_blocks import Block, all_blocks, blocks
from docs_build import ROOT

from lamsearch.cli import cli
from lamsearch.study import SOURCES, Data, parse_study
from lamsearch.trainers import check, names

# Which test runs the blocks of a page: of these languages where no comment stands above them, and
# those below these comments. TOML is checked here, wherever it is. `service` needs Docker:
# benchmarks/compose.py types it, and test_compose.py holds the README to that.
RUN_BY = {
    "README.md": (
        "readme/test_readme.py",
        {"command one", "command two", "own data", "cifar10", "service", "many machines"},
    ),
    "docs/clusters.md": ("compose/test_compose.py", {"slurm"}),
    "docs/data.md": ("readme/test_data_page.py", {"run"}),
    "docs/estimators.md": ("readme/test_python_pages.py", {"python"}),
    "docs/extending.md": ("docs/test_docs_blocks.py", {"python"}),
    "docs/metrics.md": ("readme/test_docs.py", {"python"}),
    "docs/exports.md": ("readme/test_exports_page.py", {"python", "sh"}),
    "docs/operating.md": ("readme/test_readme_service.py", {"pool", "serve"}),
    "docs/own-model.md": ("trainers/test_trainers_own_model.py", {"python"}),
    "docs/predict.md": ("readme/test_predict_page.py", {"run"}),
    "docs/python.md": ("readme/test_python_pages.py", {"python"}),
    "docs/regression.md": ("readme/test_docs_regression.py", {"python", "sh"}),
    "docs/scikit-learn.md": ("readme/test_scikit_learn_page.py", {"python"}),
    "docs/storage.md": ("docs/test_docs_blocks.py", {"sh"}),
    "docs/study-file.md": ("docs/test_docs_blocks.py", {"python"}),
    "docs/trainers.md": ("trainers/test_trainers_function.py", {"python"}),
    "docs/tutorial.md": ("docs/test_docs_tutorial.py", {"run", "file", "own table"}),
}  # fmt: skip
SHELLS = ("sh", "bash", "console")
CODE = (*SHELLS, "python")
ALL = all_blocks()
STUDY: dict[str, Any] = {
    "name": "fragment",
    "seed": 1,
    "data": {"source": "digits", "train": 300, "validation": 200},
    "training": {"batch_size": 5, "step_size": 5},
    "coarse": {"trials": 4, "log10_lambda": [-4.0, -1.0]},
}


def not_run(block: Block) -> bool:
    """Whether a block says that it is not run, and why."""
    return re.fullmatch(r"not run: \w.+", block.marker) is not None


@pytest.mark.parametrize("block", [one for one in ALL if one.language in CODE], ids=str)
def test_a_block_is_run_or_says_why_not(block: Block) -> None:
    """Each block of code is in a page that a test runs, or is marked with the reason."""
    if not_run(block):
        return
    name, run = RUN_BY.get(block.page, ("", set()))
    marker = "file" if block.marker.startswith("file ") else block.marker
    assert (marker or block.language) in run, f"{block}: no test runs it"
    test = (ROOT / "tests" / name).read_text(encoding="utf-8")
    assert Path(block.page).stem in test, f"{block}: {name} knows no such page"


def test_every_language_is_known() -> None:
    """A block of a language that nobody looks at is marked."""
    known = {*CODE, "toml", "text"}
    directives = {"toctree", "eval"}
    assert [str(one) for one in ALL if one.language not in known | directives
            and not not_run(one)] == []  # fmt: skip


@pytest.mark.parametrize("block", [one for one in ALL if one.language == "python"], ids=str)
def test_python_compiles(block: Block) -> None:
    """Python that is not run is Python all the same."""
    compile(block.text, str(block), "exec")


def laid_over(base: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """A study with the tables of a fragment: [data] whole, of others the keys that it has."""
    tables = {key: base.get(key, {}) | value for key, value in document.items() if key != "data"}
    return base | document | tables


@pytest.mark.parametrize("block", [one for one in ALL if one.language == "toml"], ids=str)
def test_toml_is_a_study_file_or_a_part_of_one(block: Block) -> None:
    """Each block of TOML is a study file, a fragment that fits one, or names entry points."""
    document = tomllib.loads(block.text)
    if project := document.get("project"):
        for group, entries in project["entry-points"].items():
            assert group.removeprefix("lamsearch.") in (
                "sources", "metrics", "samplers", "trainers", "verbs")  # fmt: skip
            assert all(re.fullmatch(r"[\w.]+:\w+", value) for value in entries.values())
        return
    study = parse_study(document if "name" in document else laid_over(STUDY, document))
    if study.trainer.name in names() and not not_run(block):
        check(study)


def lines(block: Block) -> Iterator[list[str]]:
    """Yield the commands of a block in words, without what stands around them."""
    text = block.text.replace("\\\n", " ")
    for line in text.splitlines():
        plain = line.strip().removeprefix("$ ")
        for part in re.split(r"(?<!\d)&(?!&)|&&|\|", plain):
            with contextlib.suppress(ValueError):  # a quotation over several lines
                words = shlex.split(part, comments=True)
                while words and re.fullmatch(r"\w+=.*", words[0]):
                    words = words[1:]
                if words:
                    yield words


def test_every_command_is_one() -> None:
    """Each call of lamsearch in a block, run or not, is one that the command line takes."""
    count = 0
    for block in ALL:
        for words in lines(block) if block.language in SHELLS else ():
            name = Path(words[0]).name
            if name == "docker" and words[:3] == ["docker", "compose", "exec"]:
                words = words[4:] if words[3] != "-T" else words[5:]
                name = words[0]
            if name == "lamsearch":
                parse(cli, words[1:])
                count += 1
            if words[:2] == ["python", "-m"]:
                assert find_spec(words[2]) is not None, block
    assert count > 30
    with pytest.raises(click.UsageError):
        parse(cli, ["worker", "digits", "--no-such-option"])


def parse(command: click.Command, words: list[str], parent: click.Context | None = None) -> None:
    """Read a command's words as the command line does, and a group's verb with the rest."""
    if isinstance(command, click.Group):
        context = click.Context(command, parent=parent)
        verb = command.get_command(context, words[0])
        assert verb is not None, words
        parse(verb, words[1:], context)
    else:
        command.make_context(command.name, words, parent=parent)


def python_of(page: str) -> list[str]:
    """The blocks of Python of a page that are run."""
    found = blocks(ROOT / "docs" / f"{page}.md")
    return [one.text for one in found if one.language == "python" and not not_run(one)]


def test_the_code_of_extending_works() -> None:
    """The source of docs/extending.md gives a class for each blob, its metric a number for each
    example, its sampler shares in [0, 1)."""
    space: dict[str, Any] = {}
    for block in python_of("extending"):
        exec(block, space)  # noqa: S102  # our own text
    source = space["SOURCE"]
    data: Data = source.table(source="blobs", train=1, validation=1, centres=4)
    contents = source.read(data, Path(), None)
    assert contents.classes == ("a", "b", "c", "d")
    assert np.bincount(contents.pool.y).tolist() == [225] * 4
    scores = space["SPHERICAL"].per_example(np.array([[0.6, 0.8], [1.0, 0.0]]), np.array([1, 0]))
    np.testing.assert_allclose(scores, [-0.2, 0.0])
    shares = space["HALTON"].draw(7, 2, np.random.default_rng(1))
    assert shares.shape == (7, 2)
    assert 0 <= shares.min() <= shares.max() < 1


def test_the_arrays_of_the_study_file_page_are_read(tmp_path: Path, monkeypatch: Any) -> None:
    """What docs/study-file.md writes as an .npz file is what lamsearch reads."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    space = {
        "images": rng.integers(0, 256, (30, 8, 8), np.uint8), "labels": np.arange(30) % 3,
        "test_images": rng.integers(0, 256, (6, 8, 8), np.uint8), "test_labels": np.arange(6) % 3,
    }  # fmt: skip
    for block in python_of("study-file"):
        exec(block, space)  # noqa: S102  # our own text
    source: Any = SOURCES.get("npz")
    data = source.table(source="npz", path="mine.npz", train=20, validation=10)
    contents = source.read(data, tmp_path, tmp_path)
    assert len(contents.pool.y) == 30
    assert len(contents.test.y) == 6


def test_the_copy_of_the_storage_page_is_one(tmp_path: Path) -> None:
    """The command of docs/storage.md copies a database that is in use, with what its -wal has."""
    with contextlib.closing(sqlite3.connect(tmp_path / "lamsearch.db")) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE kept (value)")
        connection.execute("INSERT INTO kept VALUES (7)")
        connection.commit()
        (block,) = [one for one in blocks(ROOT / "docs/storage.md") if one.language == "sh"]
        program, *arguments = shlex.split(block.text)
        assert program == "python"
        subprocess.run([sys.executable, *arguments], cwd=tmp_path, check=True)
    with contextlib.closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert copy.execute("SELECT value FROM kept").fetchall() == [(7,)]
