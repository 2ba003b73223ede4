"""A study whose metric is log loss, as it is typed and read."""

from __future__ import annotations

import csv
from typing import Any

import numpy as np
import pytest
from cli_studies import SMALL


@pytest.fixture
def ran(desk: Any) -> dict[str, Any]:
    """The result document of a small study, ranked by log loss."""
    path = desk.write("small", SMALL.replace("seed = ", 'metric = "log_loss"\nseed = '))
    found: dict[str, Any] = desk.do(path)
    desk.well("report", "small", "--output", "out")
    return found


def test_log_loss_ranks_chooses_and_reports(ran: dict[str, Any], desk: Any) -> None:
    """A score is the log loss with its sign changed; the best of the finalists is chosen by it;
    what is named after validation accuracy is null; pages and terminal give the loss in nats, and
    the test accuracy beside it."""
    assert ran["metric"] == "log_loss"
    trials = [trial for stage in ran["stages"] for trial in stage["trials"]]
    for trial in trials:
        assert trial["score"] == pytest.approx(-trial["validation_loss"], rel=1e-4)
        assert trial["validation_accuracy"] is trial["train_accuracy"] is None
    finalists = next(one for one in ran["stages"] if one["name"] == "finalists")["trials"]
    means: dict[float, list[float]] = {}
    for trial in finalists:
        means.setdefault(trial["params"]["log10_lambda"], []).append(trial["score"])
    best = max(means, key=lambda value: float(np.mean(means[value])))
    assert ran["selected"]["params"]["log10_lambda"] == best
    assert ran["selected"]["score"]["mean"] == pytest.approx(np.mean(means[best]))
    assert ran["selected"]["score"]["se"] > 0
    accuracies = ran["final"]["accuracies"]
    assert [200 * one for one in accuracies] == pytest.approx([round(200 * x) for x in accuracies])
    assert ran["final"]["test_accuracy"]["mean"] == pytest.approx(np.mean(accuracies))
    assert 0 < ran["final"]["ensemble_test_accuracy"] <= 1
    low, high = ran["final"]["test_score"]["interval95"]
    assert low < ran["final"]["test_score"]["mean"] < high < 0
    page = (desk.directory / "out/report.md").read_text(encoding="utf-8")
    assert f"**Test log loss: {-ran['final']['test_score']['mean']:.4f} nats**" in page
    assert f"**Test accuracy: {100 * np.mean(accuracies):.2f} %**" in page
    assert "alidation accuracy" not in page.split("## Settings")[0]
    with (desk.directory / "out/trials.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["score"]) for row in rows] == [trial["score"] for trial in trials]
    assert {row["validation_accuracy"] for row in rows} == {""}


@pytest.mark.parametrize(
    ("name", "answer", "chance"),
    [("log_loss", "shares", -np.log(10)), ("macro_f1", "guess", 0.1), ("balanced_accuracy",
     "majority", 0.1)],
)  # fmt: skip
def test_what_no_learning_gets_stands_beside_it(
    desk: Any, name: str, answer: str, chance: float
) -> None:
    """The digits are even classes, so chance is that of ten; the final is better by the paired
    interval on test, of which nothing is warned, and terminal and page say what chance gets."""
    path = desk.write("small", SMALL.replace("seed = ", f'metric = "{name}"\nseed = '))
    found = desk.do(path)
    known = found["baseline"]
    assert known["answer"] == answer
    assert known["validation"] == pytest.approx(chance, abs=0.03)
    assert known["test"] == pytest.approx(chance, abs=0.03)
    gain = known["test_gain"]
    assert gain["mean"] == pytest.approx(found["final"]["test_score"]["mean"] - known["test"])
    assert 0 < gain["interval95"][0] < gain["mean"] < gain["interval95"][1]
    assert known["test_accuracy"] == pytest.approx(0.1, abs=0.05)
    assert not any("better" in one for one in found["warnings"])
    assert "Baseline: " in desk.well("report", "small").stdout
