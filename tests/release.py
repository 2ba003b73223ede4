"""What a release is made of, fresh machines, and environments with nothing but packages given.

A release is built, and README.md's first command typed, once for all processes of a session.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import re
import subprocess
import sys
import venv
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
ROOT = Path(__file__).parents[1]
REPOSITORY = "https://example.org/lamsearch"  # no address of ours: one of RFC 2606
Done = subprocess.CompletedProcess[str]


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


def built(shared: Path) -> Path:
    """Return the directory of the source archive, and of the wheel that is built from that, as a
    release has them; no network."""

    def build() -> Path:
        source = copied(tracked(), shared / "release/source")
        done = subprocess.run(
            [sys.executable, "-m", "build", "--no-isolation", "--outdir", shared / "release/dist",
             source],
            capture_output=True, text=True, check=False,
            env={**os.environ, "LAMSEARCH_REPOSITORY": REPOSITORY, "LAMSEARCH_REVISION": "v7"},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return shared / "release/dist"

    return _once(shared / "release", build)


def wheel(shared: Path) -> Path:
    """Return the wheel of the release."""
    (found,) = built(shared).glob("*.whl")
    return found


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


def command(name: str, page: Path = ROOT / "README.md") -> str:
    """Return the fenced shell lines below a page's marker of that name."""
    text = page.read_text(encoding="utf-8")
    found = re.search(rf"<!-- {name} -->\n```sh\n(.*?)```", text, re.DOTALL)
    assert found is not None, f"the page has no {name}"
    return found.group(1)


def typed(lines: str, directory: Path, **environment: str) -> Done:
    """Type shell lines in a directory, stopping at the first that fails."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("LAMSEARCH_")}
    # of what pip installs only a part is imported: compiling the rest is most of its time; for pip,
    # 0 is "do not compile"
    inherited |= {"PIP_NO_COMPILE": "0", "PYTHONDONTWRITEBYTECODE": ""}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", lines],
        cwd=directory, env=inherited | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def clone(shared: Path) -> tuple[Path, Done]:
    """Return a fresh clone, which is a copy of what git tracks or would track, and what README.md's
    first command did there: it installs lamsearch and all it needs, and runs a study."""
    directory = shared / "clone"

    def type_it() -> Done:
        return typed(command("command one"), copied(tracked(), directory))

    return directory, _once(directory, type_it)


def needed(shared: Path) -> Path:
    """Return a directory of all that pip installed in the clone but lamsearch itself: with this as
    PYTHONPATH an environment has what lamsearch says that it needs, and nothing else."""
    directory, installed = clone(shared)
    assert installed.returncode == 0, installed.stderr[-3000:]
    (packages,) = directory.glob(".venv/lib/python*/site-packages")
    found, left = shared / "needed", ("lamsearch", "pip", "setuptools", "_distutils", "distutils")

    def link() -> Path:
        found.mkdir()
        for path in packages.iterdir():
            if not path.name.startswith(left):
                (found / path.name).symlink_to(path)
        return found

    return _once(found, link)


def _once(directory: Path, make: Callable[[], T]) -> T:
    """Make what is in a directory once in a session; other processes of pytest wait for it."""
    with directory.with_name(f"{directory.name}.made").open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        if content := file.read():
            made: T = pickle.loads(content)  # noqa: S301 - our own
            return made
        made = make()
        pickle.dump(made, file)
        return made
