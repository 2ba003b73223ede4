"""What is said and drawn of a stage, from records alone."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from lamsearch.figures import stage_figure, stages_figure
from lamsearch.results import (
    Score,
    Selected,
    StageRecord,
    StudyRecord,
    TrialRecord,
    TrialState,
)
from lamsearch.web.annotations import Annotations


def trial(candidate: int, state: TrialState = TrialState.COMPLETE, **values: Any) -> TrialRecord:
    """Return a trial at log10 λ = −candidate."""
    shown: dict[str, Any] = {"point": (-float(candidate),), "replicate": 0, "cohort": 0}
    if state is TrialState.COMPLETE:
        shown |= {"score": 0.5 + candidate / 1e4, "train_score": 0.75}
    return TrialRecord(candidate=candidate, state=state, **{**shown, **values})


def record(*trials: TrialRecord, **values: Any) -> StudyRecord:
    """Return a study with a coarse stage."""
    stage = StageRecord(name="coarse", bounds=((-5.0, -1.0),), trials=trials)
    settings = {
        "data": {"source": "digits", "validation": 100},
        "training": {"step_size": 5},
        "coarse": {"trials": len(trials)},
        "fine": {"keep": 2},
    }
    return StudyRecord(
        name="my<b>study", seed=3, study_fingerprint="a" * 64, data_fingerprint="b" * 64,
        settings=settings, **{"stages": {"coarse": stage}, **values},
    )  # fmt: skip


def traces(figure: str) -> dict[str, dict[str, Any]]:
    """Return a figure's traces by name."""
    return {one["name"]: one for one in json.loads(figure)["data"]}


def test_error_bars() -> None:
    """A single run's bar is the binomial standard error in percent; training has none."""
    found = traces(stage_figure(record(trial(1), trial(2)), "coarse"))
    assert found["validation"]["y"] == [50.02, 50.01]
    expected = 100 * math.sqrt(0.5002 * 0.4998 / 100)
    assert found["validation"]["error_y"]["array"][0] == pytest.approx(expected, abs=1e-3)
    assert found["training"]["y"] == [75.0, 75.0]


def test_lost_trials_are_marked() -> None:
    """Failed and pruned trials have a λ and a mark, and no accuracy."""
    shown = record(trial(1), trial(2, TrialState.FAIL), trial(3, TrialState.PRUNED))
    found = traces(stage_figure(shown, "coarse"))
    assert (found["fail"]["x"], found["pruned"]["x"]) == ([-2.0], [-3.0])
    assert found["fail"]["yaxis"] == found["pruned"]["yaxis"] == "y2"


def test_many_candidates_have_no_bars() -> None:
    """A figure of thousands of candidates stays small."""
    figure = stage_figure(record(*(trial(number) for number in range(1000))), "coarse")
    assert "error_y" not in traces(figure)["validation"]
    assert len(figure) < 50_000


def test_chosen_is_marked() -> None:
    """The chosen λ is an upright line with its value; no text of a study is read as HTML."""
    selected = Selected(point=(-2.0,), rule="best", score=Score(mean=0.5, se=0.1, n=2))
    layout = json.loads(stages_figure(record(trial(1), selected=selected)))["layout"]
    assert layout["shapes"][0]["x0"] == layout["shapes"][0]["x1"] == -2.0
    assert layout["annotations"][0]["text"] == "chosen: λ = 0.01"
    assert "my&lt;b&gt;study" in layout["title"]["text"]


def test_empty_stage() -> None:
    """A stage of which nothing is known yet has a note and an empty figure."""
    shown = record(trial(1, TrialState.WAITING, point=None))
    note = Annotations().note(shown, "coarse", {"coarse": 1})
    assert "0 of 1 finished (1 waiting)" in note
    assert "fine (not planned yet)" in note
    assert traces(stage_figure(shown, "coarse"))["validation"]["y"] == []


def test_failure_is_said() -> None:
    """A study that failed says why, its reason as plain text."""
    shown = record(trial(1, TrialState.FAIL), failure="coarse: <script> *all* failed")
    note = Annotations().note(shown, "coarse", {"coarse": 1})
    assert r"The study failed: coarse: \<script\> \*all\* failed" in note
