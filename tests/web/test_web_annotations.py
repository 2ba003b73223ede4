"""What is said and drawn of a stage, from records alone."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from lamsearch.figures import stage_figure, stages_figure
from lamsearch.results import (
    FinalScore,
    Score,
    ScoreBeside,
    Selected,
    SnapshotScore,
    StageRecord,
    StudyRecord,
    TrialRecord,
    TrialState,
)
from lamsearch.space import LAMBDA, Dimension, Scale, Space
from lamsearch.storage import PlannedStage
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


def test_the_note_of_the_final_tells_snapshots_apart() -> None:
    """The dashboard's note has the ensemble over replicates and the means over cycle ends."""
    snapshots = SnapshotScore(
        updates=(10, 20), replicates=(0, 1), mean=0.54, sd=0.01, n=2, interval95=(0.5, 0.58),
        gain=0.01, gain_interval95=None, ensemble=0.56, scores=(0.53, 0.55), members=(0.5, 0.53),
    )  # fmt: skip
    final = FinalScore(
        mean=0.53, sd=0.01, n=2, interval95=(0.5, 0.56), ensemble=0.55, scores=(0.52, 0.54),
        test_images=100, snapshots=snapshots,
    )  # fmt: skip
    stages = {"final": StageRecord(name="final", bounds=None, trials=(trial(1),))}
    note = Annotations().note(record(stages=stages, final=final), "final", {"final": 1})
    assert "The ensemble of all replicates: 55.00 %." in note
    assert "Means over 2 cycle ends: 54.00 % of one training's, 56.00 % of all replicates'." in note


def test_the_note_of_the_final_has_the_accuracy_beside_the_metric() -> None:
    """Where a study chose by log loss the note has the test accuracy too, as no choice's metric."""
    beside = ScoreBeside(
        mean=0.53, sd=0.01, n=2, interval95=(0.5, 0.56), ensemble=0.55, scores=(0.52, 0.54)
    )
    final = FinalScore(
        mean=-1.3, sd=0.01, n=2, interval95=(-1.4, -1.2), ensemble=-1.2, scores=(-1.3, -1.3),
        test_images=100, beside=beside,
    )  # fmt: skip
    stages = {"final": StageRecord(name="final", bounds=None, trials=(trial(1),))}
    shown = record(stages=stages, final=final)
    shown = replace(shown, settings={**shown.settings, "metric": "log_loss"})
    note = Annotations().note(shown, "final", {"final": 1})
    assert "**Test log loss 1.3000 nats**" in note
    assert "Test accuracy 53.00 %, the ensemble's 55.00 %; evaluated beside the log loss" in note


BATCH = Dimension(name="batch_size", symbol="batch size", about="", scale=Scale.INTEGER)
UNITS = Dimension(
    name="hidden", symbol="hidden", about="", scale=Scale.CHOICE, choices=([50], [100, 50])
)
SPACE_OF_THREE = Space(dimensions=(LAMBDA, BATCH, UNITS))


class Several(StudyRecord):
    """A study that searches three dimensions."""

    space = SPACE_OF_THREE  # type: ignore[assignment]  # a property there


def several() -> StudyRecord:
    """Return a study of two trials in three dimensions, with its choice."""
    points = [(-1.0, 20.0, 0.0), (-2.0, 60.0, 1.0)]
    trials = tuple(trial(number + 1, point=point) for number, point in enumerate(points))
    stage = StageRecord(name="coarse", bounds=((-5.0, -1.0), (10.0, 80.0), (0.0, 1.0)),
                        trials=trials)  # fmt: skip
    whole = record(*trials, stages={"coarse": stage})
    fields = {name: getattr(whole, name) for name in whole.__dataclass_fields__}
    selected = Selected(point=points[1], rule="best", score=Score(mean=0.5, se=0.1, n=2))
    return Several(**{**fields, "selected": selected})


def test_a_note_speaks_of_points() -> None:
    """The note of a search in three dimensions has each one's bounds, whole numbers as such and
    choices by name, and the chosen values."""
    note = Annotations().note(several(), "coarse", {"coarse": 1})
    assert "| λ | 1e-05 to 0.1 |" in note
    assert "| batch size | 10 to 80 |" in note
    assert r"| hidden | \[50\] or \[100, 50\] |" in note
    assert r"**λ = 0.01, batch size = 60, hidden = \[100, 50\]** was chosen: best." in note
    stage = PlannedStage(
        study="s", study_id="1", stage="coarse", number=1,
        bounds=((-5.0, -1.0), (10.0, 80.0), (0.0, 1.0)), planned=2, finished=2, best=0.5,
        over=False, failure=None, metric="accuracy", space=SPACE_OF_THREE,
    )  # fmt: skip
    found = Annotations().attributes(stage)
    assert (found["λ"], found["batch size"]) == ("1e-05 to 0.1", "10 to 80")
    assert found["hidden"] == "[50] or [100, 50]"


def test_a_figure_has_a_panel_for_each_dimension() -> None:
    """Each dimension has axes of its own: values on a logarithmic one, choices by name, the chosen
    one as a line in each."""
    found = json.loads(Annotations().figures(several(), "coarse")["accuracy-over-parameters"])
    layout, axes = found["layout"], {one["xaxis"]: one for one in found["data"]}
    assert axes["x"]["x"] == [0.01, 0.1]
    assert axes["x2"]["x"] == [60.0, 20.0]
    assert axes["x3"]["x"] == ["[100, 50]", "[50]"]
    assert [one["y"] for one in axes.values()] == [[50.02, 50.01]] * 3
    assert layout["xaxis"]["type"] == "log"
    assert layout["xaxis3"]["categoryarray"] == ["[50]", "[100, 50]"]
    assert [one["x0"] for one in layout["shapes"]] == [0.01, 60.0, "[100, 50]"]
    assert [one["showlegend"] for one in found["data"]] == [True, False, False]


def test_the_choice_comes_first() -> None:
    """Note and attributes begin with the chosen λ, before the single run that Optuna calls best."""
    score = Score(mean=0.5285, se=0.003, n=5)
    chosen = Selected(point=(-2.5,), rule="best mean", score=score)
    note = Annotations().note(record(trial(1), selected=chosen), "coarse", {"coarse": 1})
    assert note.startswith("# Chosen: λ = 0.003162, validation accuracy 52.85 ± 0.30 %\n")
    assert note.index("*Best Trial*") < note.index("## Coarse")
    assert Annotations().note(record(trial(1)), "coarse", {"coarse": 1}).startswith("## Coarse")
    stage = PlannedStage(
        study="s", study_id="0", stage="coarse", number=1, bounds=None, planned=1, finished=1,
        best=0.6, over=True, failure=None, metric="accuracy", chosen=(-2.5,),
    )  # fmt: skip
    assert next(iter(Annotations().attributes(stage).items())) == ("chosen λ", "λ = 0.003162")
    assert "chosen λ" not in Annotations().attributes(replace(stage, chosen=None))
