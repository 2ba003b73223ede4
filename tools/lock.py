"""Renews requirements.lock and requirements-build.lock: what the image installs, with hashes.

    pip install uv && python tools/lock.py [--upgrade]

Without --upgrade, what is locked stays unless pyproject.toml forbids it. THIRD_PARTY.md follows:
see tools/licences.py.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON = "3.11"  # of the image
PLATFORMS = ("x86_64-manylinux_2_28", "aarch64-manylinux_2_28")


def compiled(requirements: str, lock: Path, platform: str, options: list[str]) -> str:
    """Return the lock of some requirements on a platform, beginning from the one there is."""
    command = [
        "uv", "pip", "compile", "-", "--output-file", str(lock), "--python-version", PYTHON,
        "--python-platform", platform, "--generate-hashes", "--only-binary", ":all:",
        "--no-annotate", "--no-emit-index-url", "--quiet",
        "--custom-compile-command", "python tools/lock.py", *options,
    ]  # fmt: skip
    subprocess.run(command, input=requirements, text=True, check=True, cwd=ROOT)
    return lock.read_text(encoding="utf-8")


def main() -> None:
    """Write both locks; one lock must do for every platform."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    wanted = {
        "requirements.lock": project["project"]["dependencies"] + extras["s3"],
        "requirements-build.lock": project["build-system"]["requires"],
    }
    for name, requirements in wanted.items():
        found = {
            compiled("\n".join(requirements), ROOT / name, platform, sys.argv[1:])
            for platform in PLATFORMS
        }
        if len(found) > 1:
            sys.exit(f"{name}: must be the same on {' and '.join(PLATFORMS)}")


if __name__ == "__main__":
    main()
