"""A search in memory decides as the service does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from lamsearch.errors import WorkFailedError
from lamsearch.results import StageName, Trained, TrialState
from lamsearch.search import CohortPlan, carry_out
from lamsearch.study import Study, parse_study

EXAMPLES = 400
DOCUMENT = {
    "name": "driven", "seed": 3, "cohort": 4,
    "data": {"source": "digits", "train": 800, "validation": EXAMPLES},
    "training": {"batch_size": 10, "step_size": 10, "cycles": 1, "eta_min": 1e-3, "eta_max": 0.1},
    "coarse": {"trials": 8, "log10_lambda": [-5.0, 0.0], "sampler": "stratified"},
    "fine": {"trials": 4, "keep": 2, "rounds": 2},
    "finalists": {"keep": 2, "replicates": 3, "extend": True},
    "final": {"replicates": 2},
}  # fmt: skip


def study(**changes: object) -> Study:
    """Return the study, with changes."""
    return parse_study({**DOCUMENT, **changes})


class Hill:
    """Scores that are best at log10 λ = −2, with the noise of a replicate's own examples."""

    def __init__(self, fails: bool = False) -> None:
        self.cohorts: list[tuple[StageName, int]] = []
        self._fails = fails

    def __call__(self, stage: StageName, cohort: CohortPlan) -> Sequence[Trained]:
        """Return what became of a cohort."""
        self.cohorts.append((stage, cohort.number))
        return [self._trained(one.point, cohort.replicate) for one in cohort.trials]

    def _trained(self, point: tuple[float, ...] | None, replicate: int) -> Trained:
        if self._fails:
            return Trained(state=TrialState.FAIL, reason="as asked for")
        assert point is not None
        draws = np.random.default_rng(replicate).random(EXAMPLES)
        scores = draws < 0.9 - 0.05 * (point[0] + 2) ** 2
        mean = float(scores.mean())
        return Trained(state=TrialState.COMPLETE, score=mean, validation_loss=1 - mean,
                       scores=scores)  # fmt: skip


def examples(found: Study) -> dict[StageName, int]:
    """Return how many validation examples each stage has."""
    return dict.fromkeys(found.stages, EXAMPLES)


def test_a_search_in_memory_goes_through_all_stages_to_the_hill_s_top() -> None:
    """Every stage is trained, cohorts of one replicate each, and the choice is near the top."""
    hill, asked = Hill(), study()
    found = carry_out(asked, hill, examples=examples(asked))
    assert list(found.stages) == ["coarse", "fine", "finalists", "final"]
    assert len(set(hill.cohorts)) == len(hill.cohorts)
    assert found.stages["coarse"].planned == 8
    assert found.stages["fine"].planned == 8  # two rounds of four
    assert abs(found.selected.point[0] + 2) < 1
    for stage in found.stages.values():
        order = [(one.candidate, one.replicate) for one in stage.trials]
        assert order == sorted(order)
    final = found.stages["final"].trials
    assert {one.point for one in final} == {found.selected.point}
    assert [one.replicate for one in final] == [0, 1]


def test_a_search_in_memory_in_which_all_fails_says_so() -> None:
    """Nothing is chosen where nothing ended well."""
    asked = study()
    with pytest.raises(WorkFailedError, match="nothing to select from"):
        carry_out(asked, Hill(fails=True), examples=examples(asked))


def test_an_adaptive_sampler_is_refused() -> None:
    """Its points are chosen by a storage's sampler."""
    asked = study(coarse={"trials": 8, "log10_lambda": [-5.0, 0.0], "sampler": "tpe"})
    with pytest.raises(ValueError, match="must not be adaptive"):
        carry_out(asked, Hill(), examples=examples(asked))
