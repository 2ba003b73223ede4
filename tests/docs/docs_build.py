"""How the tests build the documentation site: as `nox -s docs` does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def built(docs: Path, directory: Path) -> subprocess.CompletedProcess[str]:
    """Build the site of some pages, every warning an error."""
    command = ["sphinx", "-W", "--keep-going", "-q", "-b", "html", "-d", str(directory / "trees")]
    return subprocess.run(
        [sys.executable, "-m", *command, str(docs), str(directory / "site")],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
