"""A fresh environment in which lamsearch and the example package are installed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/own-trainer"
PARTS = ("lamsearch", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="session")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install both from their sources by pip, without a network: what they depend on, and what
    builds them, is found where the tests run."""
    work = tmp_path_factory.mktemp("outside")
    environment, sources = work / "environment", work / "sources"
    venv.create(environment, symlinks=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    found = [path for path in sys.path if Path(path).name == "site-packages"]
    (packages / "dependencies.pth").write_text("\n".join(found), encoding="utf-8")
    hidden = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
    for part in PARTS:  # building writes beside what it builds
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        (sources / "lamsearch").mkdir(parents=True, exist_ok=True)
        options = {"ignore": hidden} if copy is shutil.copytree else {}
        copy(ROOT / part, sources / "lamsearch" / part, **options)
    shutil.copytree(EXAMPLE, sources / "own-trainer", ignore=hidden)
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--python", environment / "bin/python", "install", "--quiet",
         "--disable-pip-version-check", "--no-index", "--no-deps", "--no-build-isolation",
         "--no-compile", "--ignore-installed", sources / "lamsearch", sources / "own-trainer"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return environment
