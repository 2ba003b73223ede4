"""Whether a study ends with the same bits, whoever works on it and wherever they stop."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from threadpoolctl import threadpool_limits
from worker_bench import Bench, leave_at

from lamsearch.errors import InterruptedWorkError
from lamsearch.results import StudyRecord
from lamsearch.storage import Claim, Leases, Wait


def table(record: StudyRecord) -> list[tuple[Any, ...]]:
    """Return every trial with all its scores, one value per validation example among them."""
    return [
        (stage, one.candidate, one.replicate, one.point[0], one.state, one.validation_loss,
         one.score, one.train_score,
         None if one.scores is None else one.scores.tobytes())
        for stage, found in record.stages.items() for one in found.trials
    ]  # fmt: skip


def work_with_fresh_workers(one: Bench, monkeypatch: pytest.MonkeyPatch) -> int:
    """Work cohort by cohort, each by a worker started for it; return how many there were."""
    real, workers = Leases.claim, 0
    working: set[int] = set()

    def claim_once(self: Leases) -> Any:
        if id(self) in working:
            raise InterruptedWorkError("one cohort is enough")
        found = real(self)
        if isinstance(found, Claim):
            working.add(id(self))
        return found

    with monkeypatch.context() as patch:
        patch.setattr(Leases, "claim", claim_once)
        while not one.record().done:
            working.clear()
            workers += 1
            with suppress(InterruptedWorkError):
                one.worker().run()
    return workers


def assert_same_bits(make: Callable[[], Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold three studies to every score and the test of one undisturbed worker.

    One has finalists that are left at update 20 of 60 and gone on with by workers of a cohort each,
    the other two workers that take turns.
    """
    whole, left, shared = make(), make(), make()
    whole.worker().run()
    leave_at(left, monkeypatch, "finalists", total=60, update=20)
    work_with_fresh_workers(left, monkeypatch)
    assert "finalists cohort 0 goes on at update 20" in left.said
    workers = [shared.worker(), shared.worker()]
    with threadpool_limits(limits=1):
        while not shared.record().done:
            assert not any(isinstance(one.step(), Wait) for one in workers)
    for other in (left, shared):
        assert table(other.record()) == table(whole.record())
        assert other.record().final == whole.record().final
