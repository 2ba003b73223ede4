"""A search of λ, rates, a batch size and layers by real processes: one answer, whoever dies."""

from __future__ import annotations

import inspect
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState
from safetensors.numpy import load_file
from study_processes import PACE, Place, Process, lives, optuna_trials

from benchmarks.victims import until
from lamsearch import storage as store
from lamsearch.results import StudyRecord
from lamsearch.storage import Database, Mode
from lamsearch.trainers.network import NetworkTrainer

RATES = "per_model" in inspect.signature(NetworkTrainer.__init__).parameters
STUDY = f"""
name = "lives"
seed = 11
cohort = 3
[data]
source = "digits"
train = 400
validation = 200
test = 300
[network]
hidden = 16
[training]
batch_size = 20
step_size = 200
cycles = 2
[coarse]
trials = 8
log10_lambda = [-5.0, -1.0]
sampler = "stratified"
[coarse.space]
{"eta_max = {log = [0.02, 0.3]}" if RATES else ""}
batch_size = {{integer = [18, 20]}}
hidden = {{choice = [8, 24]}}
[fine]
trials = 4
keep = 3
[finalists]
keep = 3
replicates = 2
rounds = 2
[final]
train = 450
validation = 150
replicates = 2
"""


def planned_at(directory: Path, url: str) -> Place:
    """Plan the study."""
    place = Place(directory, url)
    place.study_file.write_text(STUDY, encoding="utf-8")
    create = place.start("create", place.study_file, "--files", place.files)
    assert create.wait() == 0, create.said
    return place


def worker(place: Place) -> Process:
    """Start a worker of the study."""
    return place.start("worker", "lives", *PACE)


def record_of(place: Place) -> StudyRecord:
    """What the storage knows of the study."""
    database = Database(place.url, Mode.READ)
    try:
        return store.read_study(database, "lives")
    finally:
        database.close()


def assert_exact(place: Place) -> None:
    """Assert that each planned trial ended once, well, and that there are no others."""
    record = record_of(place)
    assert record.finished
    for stage, trials in optuna_trials(place.url, "lives").items():
        assert {trial.state for trial in trials} == {TrialState.COMPLETE}
        assert len(trials) == record.stages[stage].planned  # type: ignore[index]
        for trial in trials:
            assert trial.params["hidden"] in (8, 24)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The place of the study that one worker on SQLite has done."""
    directory = tmp_path_factory.mktemp("alone")
    place = planned_at(directory, f"sqlite:///{directory / 'studies.db'}")
    only = worker(place)
    assert only.wait() == 0, only.said
    yield place
    place.close()


@pytest.fixture(scope="module")
def answer(alone: Place) -> dict[str, Any]:
    """The results table of that one worker."""
    return alone.answer()


def test_one_worker_does_the_exact_budget(alone: Place) -> None:
    """Every planned trial is complete, each cohort of one architecture; what was selected is what
    the final's models are."""
    assert_exact(alone)
    record = record_of(alone)
    space = record.space
    apart = [k for k, one in enumerate(space.dimensions) if one.name in ("hidden", "batch_size")]
    for stage in record.stages.values():
        cohorts: dict[int, set[tuple[float, ...]]] = {}
        for trial in stage.trials:
            assert trial.point is not None
            key = tuple(trial.point[k] for k in apart)
            cohorts.setdefault(trial.cohort, set()).add(key)
        assert all(len(found) == 1 for found in cohorts.values())
    assert record.selected is not None
    hidden = space.named(record.selected.point)["hidden"]
    models = sorted(alone.files.glob("*/models/final-*.safetensors"))
    assert len(models) == 2
    assert {load_file(path)["W1"].shape for path in models} == {(64, hidden)}


def test_three_workers_of_whom_one_is_killed_give_the_same_bits(
    tmp_path: Path, storage_url: str, answer: dict[str, Any]
) -> None:
    """Three workers on either database, one of them killed in the middle of a cohort and another
    started, end with the answer of one."""
    place = planned_at(tmp_path, storage_url)
    try:
        pool = [worker(place) for _ in range(3)]
        victim = until(place.holders)[0]
        os.kill(victim, signal.SIGKILL)
        until(lambda: not lives(victim))
        pool.append(worker(place))
        for process in pool:
            if process.pid != victim:
                assert process.wait() == 0, process.said
        assert place.answer() == answer
        assert_exact(place)
    finally:
        place.close()
