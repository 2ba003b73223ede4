"""docs/tutorial.md is true: typed as it stands, in an empty directory, with no further step."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest
import release
from docs_blocks import Block, blocks
from docs_build import ROOT

TUTORIAL = list(blocks(ROOT / "docs/tutorial.md"))
TEN_MINUTES = 600


def script(steps: Iterable[Block]) -> str:
    """What a reader types and saves, in one shell."""
    parts = []
    for block in steps:
        if name := re.fullmatch(r"file ([\w.]+)", block.marker):
            parts.append(f"cat > {name[1]} <<'END OF FILE'\n{block.text}END OF FILE\n")
        else:
            assert block.language == "sh", block
            parts.append(block.text)
    return "".join(parts)


@dataclass(frozen=True, slots=True)
class Reader:
    """Who types in a directory that was empty; the lamsearch that pip installs is this one's wheel.

    What lamsearch needs beside it was fetched for the README's first command, whose environment was
    as fresh: here pip finds that it is there.
    """

    directory: Path
    wheel: Path
    needed: Path

    def types(self, lines: str) -> subprocess.CompletedProcess[str]:
        """Type lines."""
        constraint = self.directory.with_name("constraint.txt")
        constraint.write_text(f"lamsearch @ {self.wheel.as_uri()}\n", encoding="utf-8")
        return release.typed(
            lines, self.directory, PIP_CONSTRAINT=str(constraint), PYTHONPATH=str(self.needed)
        )


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory, shared_directory: Path) -> Reader:
    """A reader in an empty directory."""
    directory = tmp_path_factory.mktemp("tutorial") / "empty"
    directory.mkdir()
    return Reader(directory, release.wheel(shared_directory), release.needed(shared_directory))


@pytest.fixture(scope="module")
def done(reader: Reader) -> subprocess.CompletedProcess[str]:
    """The tutorial typed from top to bottom, up to the commands on one's own table."""
    begun = time.monotonic()
    steps = [block for block in TUTORIAL if block.marker != "own table"]
    found = reader.types(script(steps))
    assert time.monotonic() - begun < TEN_MINUTES
    return found


def test_every_block_is_a_step() -> None:
    """Each block of the tutorial is typed, saved, or the three commands on one's own table."""
    kinds = [re.sub(r"file [\w.]+", "file", block.marker) for block in TUTORIAL]
    assert set(kinds) == {"run", "file", "own table"}
    assert kinds.count("own table") == 1


@pytest.mark.timeout(900)
def test_the_tutorial_as_it_is_written(
    done: subprocess.CompletedProcess[str], reader: Reader
) -> None:
    """A reader who types it has the answer, the report and predictions within ten minutes."""
    assert done.returncode == 0, done.stderr[-3000:]
    assert re.search(r"^Test accuracy: 9\d\.\d\d % \(95 % interval", done.stdout, re.MULTILINE)
    assert re.search(r"^digits +done +100 %", done.stdout, re.MULTILINE)
    assert done.stdout.rstrip().endswith("['0' '1' '2' '3' '4'] [0 1 2 3 4]")
    for report in ("lamsearch-report/digits", "digits-report"):
        assert (reader.directory / report / "index.html").stat().st_size > 10_000
    assert len((reader.directory / "tumours.csv").read_text().splitlines()) == 550
    assert len((reader.directory / "new.csv").read_text().splitlines()) == 21


@pytest.mark.timeout(900)
def test_the_mistake_that_it_quotes(reader: Reader, done: object) -> None:
    """The sentence that the tutorial quotes is what lamsearch says."""
    text = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")
    (sentence,) = re.findall(r"`(digits\.toml: [^`]+)`", text)
    lines = (
        ". lam/bin/activate\nsed 's/^batch_size = 50/batch_size = 0/' -i digits.toml\n"
        "lamsearch check digits.toml"
    )
    found = reader.types(lines)
    assert found.returncode == 2
    assert sentence in found.stderr


@pytest.mark.timeout(900)
def test_one_s_own_table(reader: Reader, done: object) -> None:
    """Three commands lead from the table to a prediction for each new row."""
    steps = [block for block in TUTORIAL if block.marker == "own table"]
    found = reader.types(". lam/bin/activate\n" + script(steps))
    assert found.returncode == 0, found.stderr[-3000:]
    assert re.search(r"^Test ", found.stdout, re.MULTILINE)
    answers = [line for line in found.stdout.splitlines() if re.search("malignant|benign", line)]
    assert len(answers) >= 20
