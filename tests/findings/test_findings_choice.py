"""The chosen λ's accuracy in words: measured or predicted, the same in every form."""

from __future__ import annotations

import html
from dataclasses import replace

import study_records as made

from lamsearch.findings import chosen_score, nearest_trained
from lamsearch.report import document, markdown, page, summary
from lamsearch.results import Score, ScoreKind, Selected, StageRecord, StudyRecord, TrialState
from lamsearch.web.annotations import Annotations

PREDICTED = Selected(
    point=(-2.45,),
    rule="top of a Gaussian process through mean validation accuracies over 3 replicates",
    score=Score(mean=0.7117, se=0.039, n=0, kind=ScoreKind.PREDICTED),
)


def study(selected: Selected = PREDICTED) -> StudyRecord:
    """Return a study whose finalists at log10 λ = −2.5 and −3 have three replicates each."""
    stage = made.stage("finalists", [-3.0, -2.5], replicates=3, with_curve=False)
    scores = (0.70, 0.71, 0.72, 0.5, 0.6, 0.7)
    trials = tuple(
        replace(one, score=score) for one, score in zip(stage.trials, scores, strict=True)
    )
    stages = {"finalists": replace(stage, trials=trials)}
    return made.finished(stages=stages, selected=selected, final=None, openings=())


def plain(text: str) -> str:
    """Return a form's text without its markup and line ends."""
    return " ".join(html.unescape(text).replace("\\", "").replace("log10", "log₁₀").split())


def test_a_prediction_is_called_one_in_every_form() -> None:
    """Terminal, Markdown, HTML and the dashboard's note say that the accuracy is predicted, by
    what, that nothing was trained there, and what was measured nearest to it."""
    record = study()
    note = Annotations().note(record, "finalists", {"finalists": 1})
    for text in map(plain, (summary(record), markdown(record), page(record, []), note)):
        assert "Predicted validation accuracy" in text
        assert "71.17 ± 3.90 %" in text
        assert (
            "± 1 standard deviation of a Gaussian process fitted to 2 candidates' means over 3 "
            "replicates; no model was trained at this λ in the search; the nearest trained, "
            "log₁₀ λ = -2.5000, has 60.00 ± 5.77 %"
        ) in text


def test_a_prediction_is_one_in_the_document() -> None:
    """The document has its kind, 0 replicates at that λ, and what was measured nearest."""
    found = document(study())["selected"]
    assert found["validation_accuracy"] == {
        "mean": 0.7117, "se": 0.039, "n": 0, "kind": "predicted",
    }  # fmt: skip
    near = found["nearest_trained"]
    assert (near["log10_lambda"], near["n"]) == (-2.5, 3)
    assert abs(near["mean"] - 0.6) < 1e-12


def test_a_measurement_says_over_what() -> None:
    """A measured accuracy has its standard error over replicates, or the binomial one of one."""
    for n, kind in ((3, "standard error over 3 replicates"), (1, "binomial standard error of one")):
        score = Score(mean=0.6, se=0.05, n=n)
        found = chosen_score(study(replace(PREDICTED, score=score)))
        assert found is not None
        assert (found.label, found.value) == ("Validation accuracy", "60.00 ± 5.00 %")
        assert kind in found.detail
    assert chosen_score(made.final_only()) is None


def test_the_nearest_trained_is_one_that_ended_well() -> None:
    """A nearer candidate that lost a replicate does not stand for the chosen λ."""
    record = study(replace(PREDICTED, point=(-2.9,)))
    stage = record.stages["finalists"]
    broken = (replace(stage.trials[0], state=TrialState.FAIL), *stage.trials[1:])
    lost = StageRecord(name="finalists", bounds=None, trials=broken)
    found = nearest_trained(replace(record, stages={"finalists": lost}))
    assert found is not None
    assert found.point[0] == -2.5
