"""The page on people's own data is true: its code runs, its study files are right."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from page_commands import typed
from PIL import Image

PAGE = (Path(__file__).parents[2] / "docs/data.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"<!-- (?P<what>run|check|file (?P<name>[\w.]+)) -->\n```(?P<kind>\w+)\n"
                   r"(?P<text>.*?)```", re.DOTALL)  # fmt: skip
REST = """
[training]
batch_size = 5
step_size = 5

[coarse]
trials = 2
log10_lambda = [-4.0, -1.0]
"""


def run(command: list[str], directory: Path) -> str:
    """Run a command of this environment; return what it prints."""
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with what the page speaks of and does not make: pets and MNIST's files."""
    rng = np.random.default_rng(1)
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(20):
            pixels = rng.integers(0, 256, (20, 24, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / f"pets/{name}/{number:02}.jpg")
    (tmp_path / "mnist").mkdir()
    for part, count in (("train", 60), ("t10k", 20)):
        for kind, shape in (("images", (count, 28, 28)), ("labels", (count,))):
            head = bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes()
            values = rng.integers(0, 256, shape, np.uint8) if kind == "images" else (
                np.arange(count, dtype=np.uint8) % 10)  # fmt: skip
            path = tmp_path / f"mnist/{part}-{kind}-idx{len(shape)}-ubyte"
            path.write_bytes(head + values.tobytes())
    return tmp_path


def test_the_page_in_its_order(directory: Path) -> None:
    """From top to bottom, each piece of code runs, and each study file is planned."""
    printed, checked = [], 0
    for block in BLOCK.finditer(PAGE):
        what, kind, text = block["what"], block["kind"], block["text"]
        if block["name"]:
            (directory / block["name"]).write_text(text, encoding="utf-8")
        elif what == "check":
            checked += 1
            study = directory / f"{checked}.toml"
            study.write_text(f'name = "s{checked}"\nseed = 1\n{text}{REST}', encoding="utf-8")
            assert "coarse" in typed(f"lamsearch check {study.name}", directory)
        elif kind == "python":
            printed.append(run([sys.executable, "-c", text], directory))
        else:
            printed += [typed(line, directory) for line in text.splitlines()]
    assert checked == 4
    assert "Test" in printed[2]
    assert float(printed[3]) > 0.8  # the exported model, by NumPy alone


def test_every_source_has_a_section() -> None:
    """Each of lamsearch's own sources that reads files stands in the page's table."""
    from lamsearch.study import SOURCES

    named = set(re.findall(r"`(\w+)`", PAGE))
    assert {*SOURCES.builtin} - {"digits"} <= named
