import math
from dataclasses import replace

import numpy as np
import pytest
from study_records import SETTINGS, finished, planned_only, stage, trial

from lamsearch.figures import candidate_scores, validation_images
from lamsearch.results import StageName, StageRecord, StudyRecord, TrialRecord, TrialState
from lamsearch.statistics import cycle_length


def of(name: StageName, accuracies: list[list[float | None]], **changes: object) -> StudyRecord:
    """Return a study with one stage: a list of replicates' accuracies per candidate."""
    trials = tuple(
        TrialRecord(
            candidate=c, replicate=r, cohort=0, point=(-float(c),),
            state=TrialState.FAIL if value is None else TrialState.COMPLETE,
            score=value, validation_loss=1.0,
        )
        for c, values in enumerate(accuracies) for r, value in enumerate(values)
    )  # fmt: skip
    return finished(stages={name: StageRecord(name=name, bounds=None, trials=trials)}, **changes)


def test_standard_error_over_replicates() -> None:
    """Over replicates 0.4, 0.5, 0.6 the mean is 0.5 and its standard error 0.1/√3."""
    (score,) = candidate_scores(of("finalists", [[0.4, 0.5, 0.6]]), "finalists")
    assert score.mean == pytest.approx(0.5)
    assert score.se == pytest.approx(0.1 / math.sqrt(3), rel=1e-12)
    assert score.n == 3


def test_binomial_error_of_one_run() -> None:
    """One run of 0.5 on 5,000 validation images has the binomial error √(0.25/5000)."""
    (score,) = candidate_scores(of("coarse", [[0.5]]), "coarse")
    assert score.se == pytest.approx(math.sqrt(0.25 / 5000), rel=1e-12)


@pytest.mark.parametrize(
    ("data", "stage_name", "images"),
    [
        ({"validation": 5000}, "coarse", 5000),
        ({"validation": 5000}, "final", 1000),
        (
            {"source": "cifar10", "train_batches": [1], "validation_batches": [2, 3]},
            "coarse",
            20000,
        ),
        ({}, "coarse", None),
    ],
)
def test_number_of_validation_images(
    data: dict[str, object], stage_name: StageName, images: int | None
) -> None:
    """The stage's validation images come from data, whole batches, or [final]'s own split."""
    record = finished(settings={**SETTINGS, "data": data})
    assert validation_images(record, stage_name) == images


def test_no_bar_where_images_are_unknown() -> None:
    """A single run has no error where the settings do not say how many images judged it."""
    (score,) = candidate_scores(of("coarse", [[0.5]], settings={}), "coarse")
    assert score.se is None


def test_best_first_and_losers_last() -> None:
    """Candidates come best first; one that lost a replicate comes behind all that are whole."""
    scores = candidate_scores(
        of("coarse", [[0.4, 0.4], [0.9, None], [0.5, 0.5], [None, None]]), "coarse"
    )
    assert [score.candidate for score in scores] == [2, 0, 1, 3]
    assert scores[-1].mean is None


def test_equal_means_are_ordered_by_loss() -> None:
    """Of candidates with the same mean accuracy the one with the lower validation loss is first."""
    record = of("coarse", [[0.5], [0.5], [0.5]])
    losses = (0.9, 0.7, 0.8)
    trials = tuple(
        replace(one, validation_loss=losses[one.candidate])
        for one in record.stages["coarse"].trials
    )
    record = replace(
        record, stages={"coarse": StageRecord(name="coarse", bounds=None, trials=trials)}
    )
    assert [score.candidate for score in candidate_scores(record, "coarse")] == [1, 2, 0]


def test_a_trial_that_was_stopped_early_does_not_count() -> None:
    """A pruned trial's accuracy, of a schedule cut short, is no part of its candidate's mean."""
    record = of("finalists", [[0.5, 0.9]])
    whole, cut = record.stages["finalists"].trials
    trials = (whole, replace(cut, state=TrialState.PRUNED))
    stages = {"finalists": StageRecord(name="finalists", bounds=None, trials=trials)}
    (score,) = candidate_scores(replace(record, stages=stages), "finalists")
    assert (score.mean, score.n) == (0.5, 1)
    assert score.lost


def test_each_stage_is_scored_on_its_own_examples() -> None:
    """A single final run has the binomial error on [final]'s own validation images."""
    (score,) = candidate_scores(of("final", [[0.5]]), "final")
    assert validation_images(finished(), "final") == 1000
    assert score.se == pytest.approx(math.sqrt(0.25 / 1000), rel=1e-12)


@pytest.mark.parametrize(("size", "images"), [(0, None), (-1, None), (1, 1), ("all", None)])
def test_only_a_number_of_images_is_one(size: object, images: int | None) -> None:
    """A study without validation images, or whose settings are damaged, has no number of them."""
    record = finished(settings={**SETTINGS, "data": {"validation": size}})
    assert validation_images(record, "coarse") == images


@pytest.mark.parametrize(("size", "updates"), [(15, 30), (1, 2), (0, None), ("long", None)])
def test_a_cycle_is_two_step_sizes(size: object, updates: int | None) -> None:
    """A cycle is up and down again, 2·n_s updates of the stage's own schedule; none is unknown."""
    settings = {**SETTINGS, "training": {"step_size": 7}, "coarse": {"step_size": size}}
    record = finished(settings=settings)
    assert cycle_length(record, "coarse") == updates
    assert cycle_length(record, "final") == 14


def test_numbers_that_are_none_do_not_count() -> None:
    """A NaN accuracy is not part of a mean, and a running trial has no score yet."""
    rng = np.random.default_rng(0)
    trials = [
        TrialRecord(
            candidate=0, replicate=0, cohort=0, point=(-1.0,), state=TrialState.COMPLETE,
            score=float("nan"),
        ),
        trial(1, 0, -2.0, rng, state=TrialState.RUNNING),
    ]  # fmt: skip
    record = finished(
        stages={"coarse": StageRecord(name="coarse", bounds=None, trials=tuple(trials))}
    )
    assert [score.mean for score in candidate_scores(record, "coarse")] == [None, None]


def test_absent_stage_has_no_scores() -> None:
    """A stage that is not planned has no candidates; a planned one has them without scores."""
    record = planned_only()
    assert candidate_scores(record, "fine") == []
    assert {score.mean for score in candidate_scores(record, "coarse")} == {None}


def test_stage_factory_is_deterministic() -> None:
    """The made-up records are the same at every call, so figures of them can be compared."""
    one, two = (stage("coarse", [-3.0], with_curve=False) for _ in range(2))
    assert one == two
