"""An installation from requirements-slim.txt, as far as a command line can tell: what it lacks is
hidden from every process."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from PIL import Image

from lamsearch.installed import OPTIONAL

ROOT = Path(__file__).parents[2]
IMAGES = """
name = "images"
seed = 1
[data]
source = "images"
path = "images/train"
train = 1
validation = 1
size = [2, 2]
[training]
batch_size = 1
step_size = 2
[coarse]
log10_lambda = [-5.0, -1.0]
trials = 2
[final]
replicates = 1
"""
Slim = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def slim(tmp_path: Path) -> Slim:
    """Call the command line where those packages are not found, in a directory of its own."""
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    lines = f"import sys\nsys.modules.update(dict.fromkeys({sorted(OPTIONAL)}))\n"
    (hidden / "sitecustomize.py").write_text(lines, encoding="utf-8")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LAMSEARCH_")}
    path = os.pathsep.join([str(hidden), str(ROOT)])

    def call(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "lamsearch", *map(str, arguments)], cwd=tmp_path,
            env={**environment, "PYTHONPATH": path}, capture_output=True, text=True, check=False,
        )  # fmt: skip

    return call


def test_it_is_what_pyproject_names_but_for_what_may_be_lacking() -> None:
    """The slim requirements are the project's, with their bounds, without nine packages."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        one for one in project["dependencies"] if Requirement(one).name not in OPTIONAL.values()
    ]
    assert len(wanted) == len(project["dependencies"]) - len(OPTIONAL)
    lines = (ROOT / "requirements-slim.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not line.startswith("#")] == wanted


def test_a_study_is_run_and_reported_without_figures(
    slim: Slim, study_file: Callable[..., Path], tmp_path: Path
) -> None:
    """The report is whole but for its figures, none of which it links to, and says how to get
    them; so does `lr-range`, whose numbers are there."""
    done = slim("run", study_file(), "--workers", 1, "--output", "out")
    assert done.returncode == 0, done.stderr
    why = "figures: needs matplotlib, which is not installed: pip install matplotlib"
    assert why in done.stderr.splitlines()
    out = tmp_path / "out"
    assert not (out / "figures").exists()
    page, text = ((out / name).read_text(encoding="utf-8") for name in ("index.html", "report.md"))
    assert why in page
    assert why in text
    assert not re.search(r"<img|figures/", page + text)
    assert slim("status", "small").returncode == 0
    ranged = slim("lr-range", study_file(), "--json", "--output", "range", "--epochs", 2)
    assert ranged.returncode == 0, ranged.stderr
    assert why in ranged.stderr.splitlines()
    assert json.loads(ranged.stdout)["points"]
    assert [path.name for path in (tmp_path / "range").iterdir()] == ["lr_range.json"]


def test_what_needs_a_package_that_is_not_there_is_one_sentence(slim: Slim) -> None:
    """`serve`, a storage on PostgreSQL: exit code 2, and how it is installed."""
    served = slim("serve")
    assert (served.returncode, served.stdout) == (2, "")
    assert served.stderr == (
        "Error: serve: needs a2wsgi, fastapi, fastapi-offline, matplotlib, optuna-dashboard, "
        "prometheus-client and waitress, which are not installed: pip install lamsearch\n"
    )
    asked = slim("status", "--storage", "postgresql://user@127.0.0.1:1/nothing")
    assert asked.returncode == 2
    assert asked.stderr == (
        "Error: storage: needs psycopg, which is not installed: pip install 'psycopg[binary]'\n"
    )


def test_images_need_pillow(slim: Slim, tmp_path: Path) -> None:
    """A study of a directory of images is refused in one sentence, before anything is planned."""
    for name in ("a", "b"):
        (tmp_path / "images/train" / name).mkdir(parents=True)
        Image.new("L", (2, 2)).save(tmp_path / "images/train" / name / "one.png")
    (tmp_path / "images.toml").write_text(IMAGES, encoding="utf-8")
    refused = slim("submit", "images.toml")
    assert refused.returncode == 2
    assert refused.stderr == (
        "Error: submit: needs pillow, which is not installed: pip install pillow\n"
    )
    assert not (tmp_path / "lamsearch.db").exists()
