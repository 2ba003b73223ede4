"""What a release is made of, and environments in which there is nothing but packages given."""

from __future__ import annotations

import subprocess
import sys
import venv
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[2]


def tracked() -> list[str]:
    """Return the files that git tracks or would track, by their paths from the root."""
    done = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return sorted(name for name in done.stdout.split("\0") if name and (ROOT / name).is_file())


def copied(names: Iterable[str], directory: Path) -> Path:
    """Copy files of the checkout, for building writes beside what it builds."""
    for name in names:
        target = directory / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
    return directory


def fresh(environment: Path, *packages: Path) -> Path:
    """Install packages into a new environment by pip, without a network: what they depend on, and
    what builds them, is found where the tests run."""
    venv.create(environment, symlinks=True)
    (directory,) = environment.glob("lib/python*/site-packages")
    found = [path for path in sys.path if Path(path).name == "site-packages"]
    (directory / "dependencies.pth").write_text("\n".join(found), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--python", environment / "bin/python", "install", "--quiet",
         "--disable-pip-version-check", "--no-index", "--no-deps", "--no-build-isolation",
         "--no-compile", "--ignore-installed", *packages],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return environment
