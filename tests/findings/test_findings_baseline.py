"""What the most frequent class gets, and what a study is warned of because of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import study_records as made

from lamsearch.findings import baseline, warnings
from lamsearch.report import document, markdown, page, summary
from lamsearch.results import DataFacts, FinalScore, StageRecord, StudyRecord, TrialState
from lamsearch.web.annotations import Annotations

FACTS = DataFacts(majority="cat", baseline={"finalists": 2 / 3, "final": 0.5}, warnings=())
FINAL = FinalScore(
    mean=2 / 3, sd=0.0, n=1, interval95=(0.48, 0.81), ensemble=2 / 3, scores=(2 / 3,),
    test_images=30, confusion=((0, 10), (0, 20)),
)  # fmt: skip


def study(accuracies: tuple[float, ...], **changes: Any) -> StudyRecord:
    """Return a study of 30 validation examples whose finalists have these accuracies."""
    stage = made.stage("finalists", [-1.0 - c for c in range(len(accuracies))], with_curve=False)
    trials = tuple(
        replace(one, score=accuracy) for one, accuracy in zip(stage.trials, accuracies, strict=True)
    )
    settings = {**made.SETTINGS, "data": {"train": 60, "validation": 30}}
    return made.finished(**{
        "stages": {"finalists": replace(stage, trials=trials)}, "settings": settings,
        "data": FACTS, "final": FINAL, "classes": ("dog", "cat"), **changes,
    })  # fmt: skip


def plain(text: str) -> str:
    """Return a form's text without its markup and line ends."""
    return " ".join(text.replace("\\", "").split())


def test_the_baseline_is_said_in_every_form() -> None:
    """The most frequent class's accuracy on validation, and on test by its row of the confusion
    matrix, stand in terminal, Markdown, HTML, the dashboard's note and the document."""
    record = study((0.9, 0.8))
    note = Annotations().note(record, "finalists", {"finalists": 1})
    said = (
        "Baseline: always answering with the most frequent class (cat) gets 66.67 % on validation "
        "and 66.67 % on test."
    )
    for text in map(plain, (summary(record), markdown(record), page(record, []), note)):
        assert said in text
    assert document(record)["baseline"] == {"class": "cat", "validation": 2 / 3, "test": 2 / 3}


def test_a_model_that_always_says_the_same_is_warned_of() -> None:
    """Where neither a candidate nor the final is better than the most frequent class beyond noise,
    that is said in every form."""
    record = study((2 / 3, 0.7))
    for text in map(plain, (summary(record), markdown(record), page(record, []))):
        assert (
            "Warning: no candidate of finalists is better on validation than always answering with "
            "the most frequent class (cat), 66.67 %, beyond the noise of 30 examples: the best has "
            "70.00 %"
        ) in text
        assert "Warning: the final is not better on test than always answering" in text
    note = plain(Annotations().note(record, "finalists", {"finalists": 1}))
    assert "no candidate of finalists is better" in note
    assert len(document(record)["warnings"]) == 2


def test_what_is_better_beyond_noise_is_not_warned_of() -> None:
    """28 of 30 right are better than two thirds; a final whose interval lies above is too."""
    better = replace(FINAL, interval95=(0.7, 0.9))
    assert warnings(study((28 / 30, 0.5), final=better)) == []


def test_nothing_is_warned_of_while_the_deciding_stage_is_trained() -> None:
    """As long as trials of the deciding stage are to come, their best may still be better."""
    record = study((2 / 3, 0.7), final=None)
    stage = record.stages["finalists"]
    waiting = replace(stage.trials[0], state=TrialState.WAITING, score=None)
    going_on = replace(stage, trials=(waiting, *stage.trials[1:]))
    assert warnings(replace(record, stages={"finalists": going_on})) == []


def test_of_an_older_study_nothing_is_said() -> None:
    """Where nobody looked at the data there is no baseline, and no warning of one."""
    record = study((2 / 3, 0.7), data=None)
    assert baseline(record) is None
    assert document(record)["baseline"] is None
    assert warnings(record) == []
    assert "Baseline" not in markdown(record)


def test_the_datas_warnings_are_shown() -> None:
    """What was seen of the data stands among the warnings, first, in every form."""
    facts = replace(FACTS, warnings=("12 examples stand in two splits",))
    record = study((0.99, 0.5), data=facts, final=None)
    for text in map(plain, (summary(record), markdown(record), page(record, []))):
        assert "Warning: 12 examples stand in two splits" in text
    assert document(record)["warnings"] == ["12 examples stand in two splits"]
    assert "12 examples stand in two splits" in plain(
        Annotations().note(record, "finalists", {"finalists": 1})
    )


@pytest.mark.parametrize(("failed", "said"), [(2, False), (3, True), (4, True)])
def test_most_candidates_that_failed_are_counted(failed: int, said: bool) -> None:
    """More than half of a stage's candidates failing is a warning with both numbers."""
    lost = dict.fromkeys(range(failed), (TrialState.FAIL, "cost is no longer finite"))
    coarse = made.stage("coarse", [-1.0, -2.0, -3.0, -4.0], lost=lost, with_curve=False)
    found = warnings(made.finished(stages={"coarse": coarse}))
    assert (f"{failed} of 4 candidates of coarse failed" in " ".join(found)) is said


def test_failed_replicates_of_the_final_are_counted() -> None:
    """The final has one candidate: there replicates count."""
    stage = made.stage("final", [-1.0], replicates=5, with_curve=False)
    trials = tuple(
        replace(one, state=TrialState.FAIL if one.replicate < 3 else one.state)
        for one in stage.trials
    )
    broken = StageRecord(name="final", bounds=None, trials=trials)
    (found,) = warnings(made.finished(stages={"final": broken}))
    assert found.startswith("3 of 5 replicates of final failed")
