"""What a search dropped is said, with what it was compared by."""

from __future__ import annotations

import html
from dataclasses import replace

import numpy as np
import study_records as made

from lamsearch.findings import uncertainty
from lamsearch.report import document, markdown, page, summary
from lamsearch.results import StageRecord, StudyRecord, TrialState


def scored(stage: StageRecord, chances: dict[float, float]) -> StageRecord:
    """Return a stage whose candidates are right on so large a share of 1,000 examples."""
    rng = np.random.default_rng(2)
    easy = rng.random(1000)
    trials = []
    for one in stage.trials:
        if one.state is not TrialState.COMPLETE or one.point[0] is None:
            trials.append(one)
            continue
        right = np.abs(easy + rng.normal(0, 0.05, 1000)) < chances[one.point[0]]
        trials.append(replace(one, scores=right, score=float(right.mean())))
    return replace(stage, trials=tuple(trials))


def study(settings: dict[str, object] | None = None, *, finalists: bool = True) -> StudyRecord:
    """Return a study whose coarse stage dropped log10 λ = −0.5, −2, −4 and −5 after one run."""
    chances = {-0.5: 0.595, -2.0: 0.59, -3.0: 0.6, -4.0: 0.595, -5.0: 0.2}
    pruned = {5: (TrialState.PRUNED, "halving", 10)}
    coarse = made.stage("coarse", [*chances, -1.0], lost=pruned, with_curve=False)
    stages = {"coarse": scored(coarse, chances)}
    if finalists:
        kept = made.stage("finalists", [-3.0, -3.5], replicates=3, with_curve=False)
        stages["finalists"] = scored(kept, {-3.0: 0.6, -3.5: 0.59})
    record = made.finished(settings=settings or made.SETTINGS, stages=stages)
    assert record.selected is not None
    return replace(record, selected=replace(record.selected, point=(-3.0,)))


def plain(text: str) -> str:
    """Return a form's text without its markup and line ends."""
    return " ".join(html.unescape(text).replace("\\", "").replace("log10", "log₁₀").split())


def test_what_cannot_be_excluded_is_said_in_every_form() -> None:
    """Dropped λs that are no worse than noise are counted with their range; what differs in
    schedule and what was pruned is said."""
    record = study()
    said = (
        "3 of 4 λs that coarse dropped after one run cannot be excluded: log₁₀ λ = -4.000 "
        "to -0.500 (paired differences, simultaneous 95 %; trained with the search's step_size; 1 "
        "pruned not compared)."
    )
    for text in map(plain, (summary(record), markdown(record), page(record, []))):
        assert said in text


def test_what_cannot_be_excluded_is_in_the_document() -> None:
    """Every dropped λ has its difference, what that would have to be, and the verdict."""
    found = document(study())["uncertainty"]["not_carried_forward"]
    assert [one["log10_lambda"] for one in found] == [-5.0, -4.0, -2.0, -0.5]
    assert [one["excluded"] for one in found] == [True, False, False, False]
    assert {one["stage"] for one in found} == {"coarse"}
    assert all(one["excluded"] is (one["difference"] > one["critical_difference"]) for one in found)


def test_without_finalists_seed_noise_is_left_out_and_that_is_said() -> None:
    """A search that ends after one run per λ compares by examples alone."""
    text = plain(markdown(study(finalists=False)))
    assert "simultaneous 95 %, seed noise left out" in text
    assert document(study(finalists=False))["uncertainty"]["differences"] == []


def test_nothing_is_said_before_the_choice() -> None:
    """Before λ is chosen nothing has been dropped; without per-example data nothing is known."""
    assert uncertainty.not_carried(replace(study(), selected=None)) is None
    assert uncertainty.not_carried(made.finished()) is None


def test_resolved_settings_are_compared() -> None:
    """Two stages differ by what they are trained with, not by how they write it; how often curves
    are sampled trains nothing."""
    training = {"step_size": 10, "cycles": 2, "schedule": "exp_range", "gamma": 0.9}
    settings: dict[str, object] = {
        "training": training, "data": {"train": 50, "components": 8},
        "fine": {"cycles": 2, "components": 8, "sample_every": "cycle"},
        "finalists": {"gamma": 0.8, "schedule": "triangular"}, "final": {"train": 60},
    }  # fmt: skip
    record = made.finished(settings=settings)
    assert uncertainty.differing(record, "coarse", "fine") == ()
    assert uncertainty.differing(record, "fine", "finalists") == ("schedule", "gamma")
    assert uncertainty.differing(record, "finalists", "final") == ("schedule", "gamma", "train")
