"""The page from data to predictions is true: its commands and its code run as they stand."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from page_commands import typed

PAGE = (Path(__file__).parents[2] / "docs/predict.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"<!-- run -->\n```(?P<kind>\w+)\n(?P<text>.*?)```", re.DOTALL)


def run(command: list[str], directory: Path) -> str:
    """Run a command of this environment; return what it prints."""
    environment = {**os.environ, "LAMSEARCH_CACHE": str(directory / "cache")}
    done = subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Where the page's blocks were run in their order, and what each command printed."""
    directory, found = tmp_path_factory.mktemp("page"), []
    for block in BLOCK.finditer(PAGE):
        if block["kind"] == "python":
            found.append(run([sys.executable, "-c", block["text"]], directory))
            continue
        cache = str(directory / "cache")
        lines = block["text"].splitlines()
        found += [typed(line, directory, LAMSEARCH_CACHE=cache) for line in lines]
    return directory, found


def test_every_block_is_run() -> None:
    """No code of the page stands without its mark."""
    assert len(BLOCK.findall(PAGE)) == PAGE.count("\n```") / 2


def test_the_page_from_top_to_bottom(printed: tuple[Path, list[str]]) -> None:
    """Its commands follow from each other, and the models answer as the flats were made."""
    directory, (_, next_command, _, predicted, *rest) = printed
    assert next_command == "lamsearch run flats.toml\n"
    assert predicted.splitlines()[0] == "prediction"
    assert len(predicted.splitlines()) == 6
    assert "table: the file is right" in rest[1]
    assert rest[2].splitlines()[0] == "no,yes"
    said = [row["prediction"] for row in csv.DictReader(_lines(directory / "predictions.csv"))]
    truth = [row["let"] for row in csv.DictReader(_lines(directory / "flats.csv"))]
    assert sum(a == b for a, b in zip(said, truth, strict=True)) > 0.85 * len(truth)
    assert rest[-2] == "no yes\n"
    assert rest[-1] == "1 mean ['no', 'yes']\n"


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_every_option_is_on_the_page() -> None:
    """Each option of both verbs is documented."""
    from lamsearch.cli import VERBS

    for verb in ("init", "predict"):
        for parameter in VERBS.get(verb).params:
            for option in parameter.opts:
                assert not option.startswith("--") or f"`{option}" in PAGE or f" {option} " in PAGE
