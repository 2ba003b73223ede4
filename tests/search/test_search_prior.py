"""Warm starts: what another study's scores do to a model's choice, and what they do not."""

from __future__ import annotations

import numpy as np
import pytest

from lamsearch.errors import InputError, StudyFileError
from lamsearch.results import StageName, StageRecord, Trained, TrialRecord, TrialState
from lamsearch.search import CohortPlan, carry_out, observed, seen_before, winner
from lamsearch.space import SPACE
from lamsearch.statistics import model
from lamsearch.study import Study, parse_study

COARSE = {"trials": 4, "log10_lambda": [-5.0, -1.0]}
DOCUMENT = {
    "name": "second", "seed": 1,
    "data": {"source": "digits", "train": 800, "validation": 100},
    "training": {"batch_size": 10, "step_size": 10},
    "coarse": COARSE, "finalists": {"keep": 3, "replicates": 2, "rule": "model"},
}  # fmt: skip


def study(**changes: object) -> Study:
    """Return a study whose coarse table has changes."""
    return parse_study({**DOCUMENT, "coarse": {**COARSE, **changes}})


def stage(scores: dict[float, float]) -> StageRecord:
    """Return two replicates' scores by log10 λ, which differ by a hundredth."""
    trials = [
        TrialRecord(candidate=number, replicate=replicate, cohort=0, point=(at,),
                    state=TrialState.COMPLETE, score=score + sign * 0.01, validation_loss=1.0)
        for number, (at, score) in enumerate(scores.items())
        for replicate, sign in ((0, 1 if number % 2 else -1), (1, -1 if number % 2 else 1))
    ]  # fmt: skip
    return StageRecord(name="finalists", bounds=None, trials=tuple(trials))


def seen(top: float, level: float) -> model.Scores:
    """Return what another study saw: a hill over log10 λ with its top and its level."""
    at = np.linspace(-5, -1, 17)
    return model.Scores(
        points=at[:, None], means=level - 0.05 * (at - top) ** 2, variances=np.full(17, 1e-5)
    )


FLAT = stage({-4.0: 0.80, -3.0: 0.801, -2.0: 0.80})


def test_scores_that_say_little_are_decided_by_what_another_study_saw() -> None:
    """Where all finalists score alike, the top is that of the scores it starts from."""
    chosen = [
        winner(FLAT, [], examples=100, rule="model", prior=[seen(top, 0.8)]).point[0]
        for top in (-3.6, -2.4)
    ]
    assert chosen[0] == pytest.approx(-3.6, abs=0.2)
    assert chosen[1] == pytest.approx(-2.4, abs=0.2)


@pytest.mark.parametrize("unit", [1e-3, 1e-7])
def test_the_unit_of_the_scores_changes_nothing(unit: float) -> None:
    """Errors of a quantity in a large unit are small numbers: the same model, in that unit."""

    def best(size: float) -> float:
        at = np.linspace(-5, -1, 9)[:, None]
        rough = 0.002 * size * np.sin(3 * at[:, 0])
        prior, own = (
            model.Scores(points=at[::step], means=(-0.002 * size * at[:, 0] ** 2 + part)[::step],
                         variances=np.full(len(at[::step]), (1e-3 * size) ** 2),
                         size=known)
            for step, part, known in ((1, rough, 1.0), (2, 0.0 * rough, min(size, 1.0)))
        )  # fmt: skip
        found = model.fit(own, ((-5.0, -1.0),), SPACE, [prior])
        return found.best[1] / size

    assert best(unit) == pytest.approx(best(1.0), rel=1e-4)


def test_another_study_s_level_says_nothing() -> None:
    """Scores half as high or higher, of easier or harder examples, lead to the same choice."""
    found = [
        winner(FLAT, [], examples=100, rule="model", prior=[seen(-2.4, level)])
        for level in (0.4, 0.9)
    ]
    assert found[0].point == found[1].point
    means = [one.score.mean for one in found if one.score is not None]
    assert means == pytest.approx([0.83, 0.83], abs=0.03)  # its own level, and that hill above it


def test_a_study_s_own_scores_overrule_what_another_one_saw() -> None:
    """Differences far beyond the noise move the top to where they are."""
    own = stage({-4.0: 0.60, -3.0: 0.75, -2.0: 0.90, -1.0: 0.70})
    chosen = winner(own, [], examples=100, rule="model", prior=[seen(-4.5, 0.8)])
    assert chosen.point[0] == pytest.approx(-2.0, abs=0.4)
    assert "started from another study's" in chosen.rule


def test_only_the_rule_of_the_model_starts_from_scores() -> None:
    """The best mean is the best mean, whatever another study saw."""
    assert winner(FLAT, [], examples=100, prior=[seen(-2.0, 0.8)]).point == (-3.0,)


def test_what_was_observed_comes_back_from_its_rows_as_it_was() -> None:
    """Rows of a plan are the model's scores, to the last bit; stages of two candidates are none."""
    rows = observed({"finalists": FLAT, "coarse": stage({-4.0: 0.7, -2.0: 0.8})},
                    {"finalists": 100, "coarse": 100})  # fmt: skip
    (back,) = seen_before(study(start_from="first", prior=rows))
    expected = model.scores(FLAT, 100)
    for name in ("points", "means", "variances"):
        assert np.array_equal(getattr(back, name), getattr(expected, name))


def test_a_search_without_a_storage_cannot_start_from_a_study() -> None:
    """It says so before anything is trained."""

    def train(stage: StageName, cohort: CohortPlan) -> list[Trained]:
        raise AssertionError("nothing must be trained")

    assert seen_before(study()) == ()
    with pytest.raises(InputError, match=r"^coarse\.start_from: needs a storage that holds"):
        carry_out(study(start_from="first"), train, examples={"coarse": 100, "finalists": 100})


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"prior": [[[-3.0, 0.8, 1e-4]]]}, "coarse.prior: must not be given without start_from"),
        ({"start_from": "a", "prior": []}, "coarse.prior: must hold rows of 3 numbers"),
        ({"start_from": "a", "prior": [[[-3.0, 0.8]]]}, "coarse.prior: must hold rows of 3"),
        ({"start_from": "a", "prior": [[[-3.0, 0.8, 0.0]]]}, "coarse.prior: must hold rows of 3"),
        ({"start_from": "../a"}, "coarse.start_from"),
    ],
)
def test_a_start_that_cannot_be_one_is_refused(changes: dict[str, object], line: str) -> None:
    """Each in one line, with the key."""
    with pytest.raises(StudyFileError) as caught:
        study(**changes)
    assert line in str(caught.value)


@pytest.mark.parametrize("finalists", [None, {"rule": "best"}, {"rule": "one_standard_error"}])
def test_a_start_is_refused_where_no_model_decides(finalists: dict[str, object] | None) -> None:
    """Best and one standard error go by scores alone, so start_from would do nothing."""
    document = {**DOCUMENT, "coarse": {**COARSE, "start_from": "first"}, "finalists": finalists}
    with pytest.raises(StudyFileError, match=r"coarse\.start_from: needs \[finalists\] with rule"):
        parse_study({key: value for key, value in document.items() if value is not None})


def test_a_start_is_part_of_the_fingerprint_and_its_absence_is_not() -> None:
    """Which study and which scores: each change is another study; without, it is as it was."""
    prints = {
        study().fingerprint,
        study(start_from="first").fingerprint,
        study(start_from="other").fingerprint,
        study(start_from="first", prior=[[[-3.0, 0.8, 1e-4]]]).fingerprint,
        study(start_from="first", prior=[[[-3.0, 0.9, 1e-4]]]).fingerprint,
    }
    assert len(prints) == 5
    assert "start_from" not in study().canonical()["coarse"]
