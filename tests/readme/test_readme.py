"""The README is true: its commands are executed as a reader would type them."""

from __future__ import annotations

import csv
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import release
from release import command

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


Shell = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def checkout(shared_directory: Path) -> Path:
    """A fresh clone in which command one was typed."""
    return release.clone(shared_directory)[0]


@pytest.fixture
def shell(checkout: Path) -> Shell:
    """Type lines there in the environment that command one has made."""
    opening = "export PATH=$PWD/.venv/bin:$PATH\n"
    return lambda lines, **environment: release.typed(opening + lines, checkout, **environment)


@pytest.mark.timeout(900)
def test_command_one_on_a_fresh_machine(shared_directory: Path) -> None:
    """Command one installs into a new environment and runs digits to its report."""
    checkout, done = release.clone(shared_directory)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Test accuracy: 9" in done.stdout
    assert (checkout / "lamsearch-report/digits/index.html").stat().st_size > 10_000


@pytest.mark.timeout(900)
def test_cifar10_commands(shell: Shell) -> None:
    """The study that the README runs on CIFAR-10 is right, and its plan needs no data."""
    fetch, run = command("cifar10").splitlines()
    assert fetch == "lamsearch data fetch cifar10"
    done = shell(run.replace(" run ", " check "))
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.timeout(900)
def test_own_data(checkout: Path, shell: Shell) -> None:
    """The README's three commands lead from a table to a prediction for each new row."""
    rng = np.random.default_rng(1)
    rows = [(x, z, "high" if x + z > 1 else "low") for x, z in rng.random((400, 2)).tolist()]
    with (checkout / "data.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("x", "z", "y"), *rows])
    with (checkout / "new.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("x", "z"), (0.9, 0.9), (0.1, 0.1)])
    done = shell(command("own data"))
    assert done.returncode == 0, done.stderr[-3000:]
    predicted = done.stdout.rpartition("high")
    assert "low" in predicted[2]


def test_it_is_short() -> None:
    """The README is one screen and a half: what is more is in docs/."""
    assert len(README.splitlines()) <= 90
    assert len(README) <= 5_500


def test_many_machines(checkout: Path, shell: Shell, postgres_url: str) -> None:
    """Create and two workers, as the README has them, finish a study on a real PostgreSQL."""
    lines = command("many machines").replace("studies/cifar10.toml", "studies/digits.toml")
    lines = lines.replace("cifar10", "digits")
    kept = [line for line in lines.splitlines() if not line.startswith("export")]
    done = shell(
        "\n".join(kept),
        LAMSEARCH_STORAGE=postgres_url,
        LAMSEARCH_FILES=str(checkout / "shared-files"),
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Test accuracy: 9" in done.stdout


def test_every_path_named_exists() -> None:
    """Every file and figure that the README links to is in the repository."""
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
