"""docs/tutorial.md is true: typed as it stands, in an empty directory, with no further step."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
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


def typed(lines: str, directory: Path, wheel: Path) -> subprocess.CompletedProcess[str]:
    """Type lines in a directory; the lamsearch that pip installs is this one's wheel."""
    constraint = wheel.parent / "constraint.txt"
    constraint.write_text(f"lamsearch @ {wheel.as_uri()}\n", encoding="utf-8")
    kept = {k: v for k, v in os.environ.items() if not k.startswith("LAMSEARCH_")}
    environment = kept | {"PIP_CONSTRAINT": str(constraint), "PIP_NO_COMPILE": "1"}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", lines],
        cwd=directory, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout's code."""
    directory = tmp_path_factory.mktemp("wheel")
    tree = directory / "tree"
    tree.mkdir()
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if name.startswith("lamsearch/") or "/" not in name:
            target = tree / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / name).read_bytes())
    command = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", "..", "."]
    subprocess.run([sys.executable, "-m", "pip", *command], cwd=tree, check=True)
    (found,) = directory.glob("lamsearch-*.whl")
    return found


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty directory."""
    return tmp_path_factory.mktemp("tutorial")


@pytest.fixture(scope="module")
def done(directory: Path, wheel: Path) -> subprocess.CompletedProcess[str]:
    """The tutorial typed from top to bottom, up to the commands on one's own table."""
    begun = time.monotonic()
    steps = [block for block in TUTORIAL if block.marker != "own table"]
    found = typed(script(steps), directory, wheel)
    assert time.monotonic() - begun < TEN_MINUTES
    return found


def test_every_block_is_a_step() -> None:
    """Each block of the tutorial is typed, saved, or the three commands on one's own table."""
    kinds = [re.sub(r"file [\w.]+", "file", block.marker) for block in TUTORIAL]
    assert set(kinds) == {"run", "file", "own table"}
    assert kinds.count("own table") == 1


@pytest.mark.timeout(900)
def test_the_tutorial_as_it_is_written(
    done: subprocess.CompletedProcess[str], directory: Path
) -> None:
    """A reader who types it has the answer, the report and predictions within ten minutes."""
    assert done.returncode == 0, done.stderr[-3000:]
    assert re.search(r"^Test accuracy: 9\d\.\d\d % \(95 % interval", done.stdout, re.MULTILINE)
    assert re.search(r"^digits +done +100 %", done.stdout, re.MULTILINE)
    assert done.stdout.rstrip().endswith("['0' '1' '2' '3' '4'] [0 1 2 3 4]")
    for report in ("lamsearch-report/digits", "digits-report"):
        assert (directory / report / "index.html").stat().st_size > 10_000
    assert len((directory / "tumours.csv").read_text().splitlines()) == 550
    assert len((directory / "new.csv").read_text().splitlines()) == 21


@pytest.mark.timeout(900)
def test_the_mistake_that_it_quotes(directory: Path, wheel: Path, done: object) -> None:
    """The sentence that the tutorial quotes is what lamsearch says."""
    text = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")
    (sentence,) = re.findall(r"`(digits\.toml: [^`]+)`", text)
    lines = (
        ". lam/bin/activate\nsed 's/^batch_size = 50/batch_size = 0/' -i digits.toml\n"
        "lamsearch check digits.toml"
    )
    found = typed(lines, directory, wheel)
    assert found.returncode == 2
    assert sentence in found.stderr


@pytest.mark.timeout(900)
def test_one_s_own_table(directory: Path, wheel: Path, done: object) -> None:
    """Three commands lead from the table to a prediction for each new row."""
    steps = [block for block in TUTORIAL if block.marker == "own table"]
    found = typed(". lam/bin/activate\n" + script(steps), directory, wheel)
    assert found.returncode == 0, found.stderr[-3000:]
    assert re.search(r"^Test ", found.stdout, re.MULTILINE)
    answers = [line for line in found.stdout.splitlines() if re.search("malignant|benign", line)]
    assert len(answers) >= 20
