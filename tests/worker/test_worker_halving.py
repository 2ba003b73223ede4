"""Halving on a worker: who leaves, how it is told, and that no death changes it."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from study_processes import CALM, LIVES, PACE, Place, optuna_trials
from worker_bench import Bench

from benchmarks.victims import until
from lamsearch import report
from lamsearch.artifacts import Files
from lamsearch.errors import InterruptedWorkError
from lamsearch.report.view import notes
from lamsearch.results import StageRecord, TrialRecord, TrialState
from lamsearch.search import halving
from lamsearch.storage import Leases

MakeBench = Callable[..., Bench]
# Cohorts of 4 and 4: after cycle 1 two stay of each, after cycle 2 one.
HALVED: dict[str, Any] = {
    "cohort": 4,
    "coarse": {"trials": 8, "cycles": 4, "halving": True, "step_size": 15},
    "fine": None,
}
# Two cohorts of four, each 3,200 updates: long enough to be hit in every cycle.
KILLED = (
    LIVES[: LIVES.index("[fine]")]
    .replace("cohort = 2", "cohort = 4")
    .replace("trials = 4", "trials = 8\nhalving = true\nstep_size = 400\ncycles = 4")
)
LEFT = 30  # updates of one cycle


def by_cohort(stage: StageRecord) -> dict[int, list[TrialRecord]]:
    """Return a stage's trials by cohort, in the order of their candidates."""
    found: dict[int, list[TrialRecord]] = {}
    for trial in stage.trials:
        found.setdefault(trial.cohort, []).append(trial)
    return found


def scores_at(trial: TrialRecord, update: int) -> tuple[float, float]:
    """Return a trial's validation accuracy and loss at an update, NaN once it has left."""
    assert trial.curve is not None
    at = np.flatnonzero(trial.curve.updates == update)
    if len(at) == 0:
        return math.nan, math.nan
    return float(trial.curve.values["validation_accuracy"][at[0]]), float(
        trial.curve.values["validation_loss"][at[0]]
    )


def answer(bench: Bench) -> dict[str, Any]:
    """Return the results table."""
    document = report.document(bench.record())
    return {key: document[key] for key in ("stages", "selected", "final")}


def test_the_worse_half_of_each_cohort_is_pruned(storage_url: str, bench: MakeBench) -> None:
    """Each cohort's own cycle ends decide; Optuna has every planned trial, each ended once."""
    one = bench(storage_url, **HALVED)
    one.worker().run()
    record = one.record()
    coarse = record.stages["coarse"]
    assert (coarse.planned, coarse.count(TrialState.COMPLETE)) == (8, 2)
    for trials in by_cohort(coarse).values():
        for cycle in (1, 2):
            accuracies, losses = zip(*(scores_at(t, cycle * LEFT) for t in trials), strict=True)
            expected = halving.reasons(accuracies, losses, cycle=cycle, cycles=4)
            left = {k: t.reason for k, t in enumerate(trials) if t.updates == cycle * LEFT}
            assert left == expected
        assert {t.state for t in trials if t.updates is None} == {TrialState.COMPLETE}
        assert {t.state for t in trials if t.updates is not None} == {TrialState.PRUNED}
    found = optuna_trials(one.database.url.render_as_string(hide_password=False), "small")
    assert sorted(t.number for t in found["coarse"]) == list(range(8))
    for trial in found["coarse"]:
        ended = 4 if trial.state.name == "COMPLETE" else trial.user_attrs["updates"] // LEFT
        assert list(trial.intermediate_values) == list(range(1, ended + 1))
        assert trial.value == trial.intermediate_values[ended]


def test_only_those_that_stayed_are_chosen_from(bench: MakeBench) -> None:
    """Finalists come from complete trials; table and document say how the others ended."""
    one = bench(**HALVED)
    one.worker().run()
    record = one.record()
    coarse = record.stages["coarse"]
    complete = {t.point[0] for t in coarse.trials if t.state is TrialState.COMPLETE}
    assert {t.point[0] for t in record.stages["finalists"].trials} <= complete
    stage = report.document(record)["stages"][0]
    assert (stage["complete"], stage["failed"], stage["pruned"]) == (2, 0, 6)
    # two cohorts of 4 + 2 + 1 + 1 cycles of 30 updates, of 8 · 4 · 30
    assert stage["updates"] == {"planned": 960, "trained": 480}
    pruned = [trial for trial in stage["trials"] if trial["state"] == "PRUNED"]
    assert all(trial["reason"].startswith("halving: place ") for trial in pruned)
    assert report.trials_csv(record).count(",PRUNED,") == 6
    assert any("480 of 960 planned updates" in note for note in notes(record))


def test_a_cohort_without_halving_keeps_all(bench: MakeBench) -> None:
    """Where the key is absent, or in a stage that may not have it, nobody leaves."""
    one = bench(**{**HALVED, "coarse": {"trials": 4, "cycles": 4}})
    one.worker().run()
    for stage in one.record().stages.values():
        assert stage.count(TrialState.COMPLETE) == stage.planned


def test_nothing_about_a_trial_depends_on_another_cohort(bench: MakeBench) -> None:
    """The first cohort's trials are the same where the second's λs are others."""
    values = [-4.5, -3.5, -2.5, -1.5]
    given = {**HALVED["coarse"], "trials": None, "log10_lambda": None}
    found = []
    for others in ([-4.0, -3.0, -2.0, -1.0], [-0.5, -0.6, -0.7, -0.8]):
        one = bench(**{**HALVED, "coarse": {**given, "values": values + others}})
        one.worker().run()
        stage = report.document(one.record())["stages"][0]
        found.append([trial for trial in stage["trials"] if trial["cohort"] == 0])
    assert found[0] == found[1]


@pytest.mark.parametrize("moment", ["report", "save"])
def test_a_worker_stopped_at_a_cycle_end_decides_once(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Told to stop before, at or after a cycle end's checkpoint, it ends with the same answer."""
    right, one = bench(**HALVED), bench(**HALVED)
    right.worker().run()
    door: Any = Leases if moment == "report" else Files
    name = "report" if moment == "report" else "save_checkpoint"
    real, stops = getattr(door, name), [0]

    def stop_then(self: Any, *rest: Any) -> Any:
        outcome = real(self, *rest)
        stops[0] += 1
        if stops[0] <= 3:
            one.stop.set()
        return outcome

    monkeypatch.setattr(door, name, stop_then)
    for _ in range(5):
        try:
            one.worker().run()
        except InterruptedWorkError:
            one.stop.clear()
    assert stops[0] > 3
    assert answer(one) == answer(right)


def test_a_stop_in_the_very_update_of_a_cycle_end_decides_first(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checkpoint of a cycle end holds who has left: after it nobody is asked again."""
    right, one = bench(**HALVED), bench(**HALVED)
    right.worker().run()
    real = halving.reasons

    def stop_and_decide(*scores: Any, **when: int) -> dict[int, str]:
        if when["cycle"] == 1 and not one.said:
            one.stop.set()
        return real(*scores, **when)

    monkeypatch.setattr(halving, "reasons", stop_and_decide)
    with pytest.raises(InterruptedWorkError, match=r"at update 30 of coarse cohort 0"):
        one.worker().run()
    one.stop.clear()
    one.worker().run()
    assert "coarse cohort 0 goes on at update 30" in one.said
    assert answer(one) == answer(right)


@pytest.fixture(scope="module")
def halved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Return the place of the study that one worker on SQLite has ended in peace."""
    directory = tmp_path_factory.mktemp("halved")
    place = Place(directory, f"sqlite:///{directory / 'studies.db'}")
    place.study_file.write_text(KILLED, encoding="utf-8")
    run = place.run(workers=1, timing=CALM)
    assert run.wait() == 0, run.said
    yield place
    place.close()


def test_killed_workers_change_nothing_of_a_halved_study(place: Place, halved: Place) -> None:
    """SIGKILL in mid-cohort, before and after nets left, costs neither a trial nor a bit."""
    place.study_file.write_text(KILLED, encoding="utf-8")
    create = place.start("create", place.study_file, "--files", place.files)
    assert create.wait() == 0, create.said
    for update in (300, 900, 1700):  # in the first, second and third cycle of 800 updates
        worker = place.start("worker", "lives", *PACE)
        until(lambda update=update: reached(place, update))
        time.sleep(0.02)  # a moment that no event marks
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
    last = place.start("worker", "lives", *CALM)
    assert last.wait() == 0, last.said
    assert "goes on at update" in last.said
    assert place.answer() == halved.answer()
    assert place.curves() == halved.curves()
    found = optuna_trials(place.url, "lives")
    planned = {
        stage["name"]: stage["planned"] for stage in halved.answer()["stages"] if stage["planned"]
    }
    assert {name: len(trials) for name, trials in found.items()} == planned
    states = [trial.state.name for trial in found["coarse"]]
    assert (states.count("PRUNED"), states.count("COMPLETE")) == (6, 2)


def reached(place: Place, update: int) -> bool:
    """Whether a checkpoint at or after an update is written."""
    return any(int(path.stem) >= update for path in place.checkpoints())
