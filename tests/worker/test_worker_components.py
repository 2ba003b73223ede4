"""Stages on principal components beside stages on all features: who trains them does not matter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from same_bits import table, work_with_fresh_workers
from worker_bench import Bench

from lamsearch.errors import InterruptedWorkError
from lamsearch.storage import Leases

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


def test_one_worker_and_a_fresh_one_per_cohort_agree(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table is the same from one worker through all stages and from workers of one cohort."""
    through, fresh = bench(**SCREENED), bench(**SCREENED)
    through.worker().run()
    assert work_with_fresh_workers(fresh, monkeypatch) > 5
    assert table(through.record()) == table(fresh.record())
    assert through.record().final == fresh.record().final


def test_finalists_see_all_features_after_a_search_on_few(bench: MakeBench) -> None:
    """Finalists end near what a search on all features gives, far from what components allow."""
    one, plain = bench(**SCREENED), bench(**SCREENED | {
        "coarse": {"cycles": 2}, "fine": {"cycles": 2}
    })  # fmt: skip
    found = []
    for each in (one, plain):
        each.worker().run()
        stages = each.record().stages
        found.append(
            {name: np.nanmax([t.score for t in stages[name].trials])  # type: ignore[type-var]
             for name in ("coarse", "finalists")}
        )  # fmt: skip
    assert found[0]["coarse"] < 0.75
    assert found[0]["finalists"] == pytest.approx(found[1]["finalists"], abs=0.04)


def test_a_finalists_cohort_is_resumed_by_a_worker_that_came_from_a_search(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint of all features restores in a worker that has trained components, and back."""
    right, one = bench(**SCREENED), bench(**SCREENED)
    right.worker().run()
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
    assert table(one.record()) == table(right.record())
