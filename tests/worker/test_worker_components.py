"""Stages on principal components beside stages on all features: who trains them does not matter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from same_bits import table, work_with_fresh_workers
from worker_bench import Bench

from lamsearch.errors import InterruptedWorkError
from lamsearch.results import StudyRecord
from lamsearch.storage import Leases
from lamsearch.study import Study

MakeBench = Callable[..., Bench]
# Three components of the digits tell hardly half of them apart; all 64 features nearly all.
SCREENED: dict[str, Any] = {
    "data": {"train": 400, "validation": 300, "test": 300},
    "network": {"hidden": 30},
    "training": {"step_size": 60},
    "coarse": {"components": 3, "cycles": 2},
    "fine": {"components": 3, "cycles": 2},
    "finalists": {"keep": 2, "replicates": 1},
    "final": {"train": 500, "validation": 200, "replicates": 1},
}


@pytest.fixture(scope="module")
def through(
    tmp_path_factory: pytest.TempPathFactory, ready_sqlite: Callable[[Path], str],
    small_study: Callable[..., Study],
) -> StudyRecord:  # fmt: skip
    """The study as one worker does it, through all stages."""
    directory = tmp_path_factory.mktemp("through")
    one = Bench(directory, ready_sqlite(directory / "studies.db"), small_study(**SCREENED))
    one.worker().run()
    record = one.record()
    one.close()
    return record


def test_one_worker_and_a_fresh_one_per_cohort_agree(
    through: StudyRecord, bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table is the same from one worker through all stages and from workers of one cohort."""
    fresh = bench(**SCREENED)
    assert work_with_fresh_workers(fresh, monkeypatch) > 5
    assert table(through) == table(fresh.record())
    assert through.final == fresh.record().final


def test_finalists_see_all_features_after_a_search_on_few(
    through: StudyRecord, bench: MakeBench
) -> None:
    """Finalists end near what a search on all features gives, far from what components allow."""
    plain = bench(**SCREENED | {"coarse": {"cycles": 2}, "fine": {"cycles": 2}})
    plain.worker().run()
    found = [
        {name: np.nanmax([t.score for t in stages[name].trials])  # type: ignore[type-var, index]
         for name in ("coarse", "finalists")}
        for stages in (through.stages, plain.record().stages)
    ]  # fmt: skip
    assert found[0]["coarse"] < 0.75
    assert found[0]["finalists"] == pytest.approx(found[1]["finalists"], abs=0.04)


def test_a_finalists_cohort_is_resumed_by_a_worker_that_came_from_a_search(
    through: StudyRecord, bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint of all features restores in a worker that has trained components, and back."""
    one = bench(**SCREENED)
    real: Any = Leases.report

    def stop_in(stage: str) -> None:
        def stopping(self: Leases, claim: Any, *rest: Any) -> Any:
            if claim.stage == stage:
                one.stop.set()
            return real(self, claim, *rest)

        monkeypatch.setattr(Leases, "report", stopping)
        with pytest.raises(InterruptedWorkError):
            one.worker().run()
        one.stop.clear()

    stop_in("fine")
    stop_in("finalists")
    monkeypatch.setattr(Leases, "report", real)
    one.worker().run()
    assert sum("goes on at update" in line for line in one.said) == 2
    assert table(one.record()) == table(through)
