"""The README is true: its commands are executed as a reader would type them."""

from __future__ import annotations

import csv
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def command(name: str, page: str = README) -> str:
    """Return the fenced shell lines below the marker of that name."""
    found = re.search(rf"<!-- {name} -->\n```sh\n(.*?)```", page, re.DOTALL)
    assert found is not None, f"the page has no {name}"
    return found.group(1)


def shell(lines: str, directory: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run shell lines in a directory, stopping at the first that fails."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("LAMSEARCH_")}
    # of what pip installs only a part is imported: compiling the rest is most of its time; for pip,
    # 0 is "do not compile"
    inherited |= {"PIP_NO_COMPILE": "0", "PYTHONDONTWRITEBYTECODE": ""}
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
def test_cifar10_commands(checkout: Path) -> None:
    """The study that the README runs on CIFAR-10 is right, and its plan needs no data."""
    fetch, run = command("cifar10").splitlines()
    assert fetch == "lamsearch data fetch cifar10"
    lines = [run.replace(" run ", " check ")]
    if not (checkout / "lamsearch.db").exists():
        test_command_one_on_a_fresh_machine(checkout)
    done = shell("export PATH=$PWD/.venv/bin:$PATH\n" + "\n".join(lines), checkout)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.timeout(900)
def test_own_data(checkout: Path) -> None:
    """The README's three commands lead from a table to a prediction for each new row."""
    if not (checkout / "lamsearch.db").exists():
        test_command_one_on_a_fresh_machine(checkout)
    rng = np.random.default_rng(1)
    rows = [(x, z, "high" if x + z > 1 else "low") for x, z in rng.random((400, 2)).tolist()]
    with (checkout / "data.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("x", "z", "y"), *rows])
    with (checkout / "new.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("x", "z"), (0.9, 0.9), (0.1, 0.1)])
    done = shell("export PATH=$PWD/.venv/bin:$PATH\n" + command("own data"), checkout)
    assert done.returncode == 0, done.stderr[-3000:]
    predicted = done.stdout.rpartition("high")
    assert "low" in predicted[2]


def test_it_is_short() -> None:
    """The README is one screen and a half: what is more is in docs/."""
    assert len(README.splitlines()) <= 90
    assert len(README) <= 5_500


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
