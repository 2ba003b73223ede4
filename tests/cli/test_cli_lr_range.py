"""`lr-range` as it is typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from lamsearch import data as datasets
from lamsearch.cli import lr_range

Refused = Callable[..., list[str]]
SHORT = ("--epochs", "8", "--to", "0.5", "--replicates", "2")


def test_it_prints_a_table_and_writes_figures(desk: Any) -> None:
    """Without options there are a table and the suggestion on stdout, and three files."""
    result = desk("lr-range", desk.write(), *SHORT)
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].startswith("small: 2 models, log10 λ -3, mini-batches of 20, rate 1e-05 to 0.5")
    assert any(line.split()[:2] == ["rate", "updates"] for line in lines)
    assert any(line.startswith("suggested eta_min = ") for line in lines)
    assert any(line.startswith("suggested eta_max = ") for line in lines)
    made = [name for name in desk.listing() if name.endswith((".png", ".svg", ".json"))]
    assert made == [
        "lamsearch-report/small/figures/lr_range.png",
        "lamsearch-report/small/figures/lr_range.svg",
        "lamsearch-report/small/lr_range.json",
    ]


def test_json_is_one_document_and_writes_nothing(desk: Any) -> None:
    """`--json` prints the whole ramp and the suggestion; with --output the same is a file."""
    path = desk.write()
    result = desk("lr-range", path, *SHORT, "--json")
    assert desk.listing() == ["small.toml"]
    document = json.loads(result.stdout)
    assert (document["study"], document["log10_lambda"], document["batch_size"]) == (
        "small",
        -3,
        20,
    )
    assert len(document["points"]) == 120
    assert len(document["points"][0]["training_loss"]) == 2
    low, high = document["suggested"]["eta_min"], document["suggested"]["eta_max"]
    assert 1e-5 <= low < high <= 0.5
    again = desk("lr-range", path, *SHORT, "--json", "--output", "out")
    assert again.stdout == result.stdout
    assert (desk.directory / "out/lr_range.json").read_text(encoding="utf-8") == result.stdout


def test_divergence_is_an_answer(desk: Any) -> None:
    """A ramp on which all nets diverge exits 0; lost values are null, and no NaN is printed."""
    result = desk("lr-range", desk.write(), "--to", "1e6", "--epochs", "40", "--json")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["suggested"]["diverged_at"] is not None
    assert document["points"][-1]["training_loss"] == [None] * 4
    assert "NaN" not in result.stdout
    assert desk("lr-range", desk.directory / "small.toml", "--to", "1e6").exit_code == 0


def test_the_test_set_stays_shut(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """`lr-range` never asks for the test set and makes no storage."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(datasets, "open_test", refuse)
    assert desk("lr-range", desk.write(), *SHORT, "--output", "out").exit_code == 0
    assert not desk.database_file.exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--from", "0.3", "--to", "0.1"), "--from must be below --to, got 0.3 and 0.1"),
        (("--from", "0"), "0.0 is not in the range x>0"),
        (("--to", "nan"), "must be finite, got nan"),
        (("--to", "inf"), "must be finite, got inf"),
        (("--epochs", "0"), "0 is not in the range"),
        (("--log10-lambda", "nan"), "--log10-lambda must be a number, got nan"),
        (("--log10-lambda", "11"), "11.0 is not in the range"),
        (("--replicates", "0"), "0 is not in the range"),
    ],
)
def test_bad_options_are_refused(
    desk: Any, refused: Refused, options: tuple[str, ...], sentence: str
) -> None:
    """A bound that cannot be is one sentence with the value, exit code 2, and nothing is made."""
    lines = refused(desk("lr-range", desk.write(), *options))
    assert sentence in " ".join(lines)
    assert desk.listing() == ["small.toml"]


def test_missing_data_are_bad_input(desk: Any, refused: Refused) -> None:
    """A study whose data are not there is refused with exit code 2."""
    text = desk.write().read_text(encoding="utf-8")
    text = text.replace('"digits"', '"cifar10"').replace("test = 200\n", "")
    path = desk.write("other", text.replace('"small"', '"{name}"'))
    refused(desk("lr-range", path, "--data-dir", desk.directory / "nowhere"))


def test_a_full_disk_is_said(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the figures cannot be written, one sentence says so, and the exit code is 1."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(lr_range, "write_whole", full)
    result = desk("lr-range", desk.write(), *SHORT, "--output", "out")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        "Error: out/figures/lr_range.png: cannot be written: No space left on device"
    )
