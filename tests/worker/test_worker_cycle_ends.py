"""Which ends of cycles are written down by themselves, and that none is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import optuna
import pytest
from worker_bench import Bench

from lamsearch import report
from lamsearch.artifacts import Files
from lamsearch.storage import Leases

CHANGES = {"coarse": {"cycles": 3}, "fine": None, "final": None}
MakeBench = Callable[..., Bench]


def written(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, stage: str, checkpoint_seconds: float
) -> list[tuple[str, int]]:
    """Work on a study; return what was reported and saved of a stage's first cohort, with the cycle
    or the update."""
    found: list[tuple[str, int]] = []
    real, save = Leases.report, Files.save_checkpoint

    def reporting(self: Leases, claim: Any, cycle: int, *rest: Any) -> tuple[str, ...]:
        if (claim.stage, claim.number) == (stage, 0):
            found.append(("report", cycle))
        return real(self, claim, cycle, *rest)

    def saving(self: Files, of: Any, cohort: int, updates: int, state: Any) -> None:
        if (of, cohort) == (stage, 0):
            found.append(("save", updates))
        save(self, of, cohort, updates, state)

    with monkeypatch.context() as patched:
        patched.setattr(Leases, "report", reporting)
        patched.setattr(Files, "save_checkpoint", saving)
        bench.worker(checkpoint_seconds=checkpoint_seconds).run()
    return found


def test_a_cycle_that_ends_soon_is_not_written_down_and_its_scores_are_there(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where cycles are short beside the time between checkpoints none is reported or saved, else
    all but the last, which comes with the results; in the end the storage has the same of both."""
    often, seldom = bench(**CHANGES), bench(**CHANGES)
    found = written(often, monkeypatch, "coarse", 1e-6)
    assert [cycle for what, cycle in found if what == "report"] == [1, 2]
    assert {("save", 30), ("save", 60)} <= set(found)
    assert written(seldom, monkeypatch, "coarse", 3600.0) == []
    ours, theirs = (report.document(one.record()) for one in (often, seldom))
    assert ours["stages"] == theirs["stages"]
    for one in (often, seldom):
        url = one.database.url.render_as_string(hide_password=False)
        trials = optuna.load_study(study_name="small/coarse", storage=url).trials
        assert [sorted(trial.intermediate_values) for trial in trials] == [[1, 2, 3]] * len(trials)


def test_a_cycle_whose_models_are_kept_is_saved_however_soon_it_ends(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A snapshot is saved with a checkpoint at its cycle's end, be the cycle ever so short."""
    final = {"replicates": 1, "cycles": 3, "snapshots": True}  # of cycles 2 and 3
    one = bench(fine=None, final=final)
    found = written(one, monkeypatch, "final", 3600.0)
    assert ("save", 60) in found
    assert ("save", 30) not in found
