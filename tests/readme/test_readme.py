"""The README is true: its commands are executed as a reader would type them."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def command(name: str) -> str:
    """Return the fenced shell lines below the marker of that name."""
    found = re.search(rf"<!-- {name} -->\n```sh\n(.*?)```", README, re.DOTALL)
    assert found is not None, f"the README has no {name}"
    return found.group(1)


def shell(lines: str, directory: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run shell lines in a directory, stopping at the first that fails."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("LAMSEARCH_")}
    # of what pip installs only a part is imported: compiling the rest is most of its time
    inherited |= {"PIP_NO_COMPILE": "1", "PYTHONDONTWRITEBYTECODE": ""}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", lines],
        cwd=directory, env=inherited | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what git tracks or would track, as a fresh clone has it."""
    directory = tmp_path_factory.mktemp("clone")
    listed = shell("git ls-files -z --cached --others --exclude-standard", ROOT).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            target = directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / name).read_bytes())
    return directory


@pytest.mark.timeout(900)
def test_command_one_on_a_fresh_machine(checkout: Path) -> None:
    """Command one installs into a new environment and runs digits to its report."""
    done = shell(command("command one"), checkout)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Test accuracy: 9" in done.stdout
    assert (checkout / "lamsearch-report/digits/index.html").stat().st_size > 10_000


@pytest.mark.timeout(900)
def test_looking_commands(checkout: Path) -> None:
    """The README's commands that look at the finished study work after command one."""
    if not (checkout / "lamsearch.db").exists():
        test_command_one_on_a_fresh_machine(checkout)
    done = shell("export PATH=$PWD/.venv/bin:$PATH\n" + command("looking"), checkout)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.timeout(900)
def test_cifar10_commands(checkout: Path) -> None:
    """The README's CIFAR-10 study is right, and its plan needs no data."""
    lines = [line for line in command("cifar10").splitlines() if " check " in line]
    assert lines
    if not (checkout / "lamsearch.db").exists():
        test_command_one_on_a_fresh_machine(checkout)
    done = shell("export PATH=$PWD/.venv/bin:$PATH\n" + "\n".join(lines), checkout)
    assert done.returncode == 0, done.stderr[-3000:]


def test_many_machines(checkout: Path, postgres_url: str) -> None:
    """Create and two workers, as the README has them, finish a study on a real PostgreSQL."""
    if not (checkout / "lamsearch.db").exists():
        test_command_one_on_a_fresh_machine(checkout)
    lines = command("many machines").replace("studies/cifar10.toml", "studies/digits.toml")
    lines = lines.replace("cifar10", "digits")
    kept = [line for line in lines.splitlines() if not line.startswith("export")]
    done = shell(
        "export PATH=$PWD/.venv/bin:$PATH\n" + "\n".join(kept),
        checkout,
        LAMSEARCH_STORAGE=postgres_url,
        LAMSEARCH_FILES=str(checkout / "shared-files"),
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Test accuracy: 9" in done.stdout


def test_every_path_named_exists() -> None:
    """Every file and figure that the README links to is in the repository."""
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
