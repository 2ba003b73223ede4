"""What is seen of the data, as the command line says it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lamsearch import storage as store
from lamsearch.storage import Database


@pytest.fixture
def leaky(desk: Any) -> Path:
    """A study whose test examples are training examples, in the desk's directory."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(300, 5)), rng.integers(0, 3, 300) + 1
    np.savez(desk.directory / "leaky.npz", X=x, y=y, X_test=x[:20], y_test=y[:20])
    path: Path = desk.write("leaky")
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace('source = "digits"', f'source = "{desk.directory / "leaky.npz"}"').replace(
            "test = 200\n", ""
        ).replace("final]\ntrain = 350\nvalidation = 50", "final]\ntrain = 200\nvalidation = 50")
        .replace("train = 300", "train = 150"),
        encoding="utf-8",
    )  # fmt: skip
    return path


LEAK = "Warning: 20 of the 20 test examples are training or validation examples too"
LABELS = "Warning: the 3 different labels of y, 1, 2, 3, are the classes"


def test_check_says_what_bears_on_the_answer(desk: Any, leaky: Path) -> None:
    """`check` prints a line for each thing seen of the data, after the plan."""
    shown = desk("check", leaky).stdout
    assert LEAK in shown
    assert LABELS in shown


def test_planning_says_it_once_and_keeps_it(desk: Any, leaky: Path) -> None:
    """`create` says it on standard error when it plans, not again, and stores it."""
    first, again = (desk.well("create", leaky) for _ in range(2))
    assert LEAK in first.stderr
    assert LABELS in first.stderr
    assert "Warning" not in again.stderr
    database = Database(desk.url)
    record = store.read_study(database, "leaky")
    database.close()
    assert record.data is not None
    assert len(record.data.warnings) == 2
    assert record.classes == ("1", "2", "3")
    assert record.data.majority in record.classes
    assert set(record.data.baseline) == {"coarse", "fine", "finalists", "final"}


def test_check_needs_no_data_of_a_known_source(desk: Any) -> None:
    """Where CIFAR-10 is not there, `check` says nothing of it; where it is damaged, it says so."""
    study = Path(__file__).parents[2] / "studies" / "cifar10.toml"
    absent = desk("check", study, "--data-dir", desk.directory / "nowhere").stdout
    assert "Warning" not in absent
    (desk.directory / "cifar-10-batches-py").mkdir()
    (desk.directory / "cifar-10-batches-py" / "data_batch_1").write_bytes(b"")
    damaged = desk("check", study, "--data-dir", desk.directory).stdout
    assert "Warning: the data cannot be used: " in damaged
