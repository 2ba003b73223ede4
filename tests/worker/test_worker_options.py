"""Kills and resumes under the options of augmentation, network and optimiser: the same bits.

Each case is a short study on the digits with some tables changed. It is run by two real workers
that are killed in mid-cohort, and by one that nobody disturbs.
"""

from __future__ import annotations

import json
import os
import signal
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from study_processes import ANSWER, Place, curves_of
from worker_bench import Bench

from benchmarks.victims import Size, until
from lamsearch import report
from lamsearch.study import Study, read_study

# Two cohorts that search, one that ends: long enough to be hit, with curves between epochs' ends.
SHORT: dict[str, Any] = {
    "training": {"step_size": 400, "cycles": 2, "eta_max": 0.02},
    "coarse": {"trials": 4},
    "final": {"replicates": 2},
}
LEAST_ACCURACY = 0.5  # of digits, mirrored or moved in training; chance is 0.1
CASES: dict[str, dict[str, Any]] = {
    "flip and shift": {"augment": {"flip": True, "shift": 1}},
    "flip on components": {
        "augment": {"flip": True},
        "data": {"components": 30},
        "training": {"step_size": 250},
    },
    "all of it": {
        "network": {"hidden": [16, 12], "batch_norm": True, "dropout": 0.1, "input_dropout": 0.1},
        # of updates that take several times as long
        "training": {"step_size": 280, "optimiser": "adam", "eta_min": 1e-4, "eta_max": 2e-3},
        "augment": {"flip": True, "shift": 1},
    },
}


def study_file(changes: dict[str, Any]) -> str:
    """Return the short study with keys of its tables changed, as TOML."""
    base = tomllib.loads(Size().text("lives"))
    document = {key: value for key, value in base.items() if key not in ("fine", "finalists")}
    for table, keys in (*SHORT.items(), *changes.items()):
        document[table] = document.get(table, {}) | keys
    tables = {key: value for key, value in document.items() if isinstance(value, dict)}
    lines = [f"{key} = {json.dumps(document[key])}" for key in document if key not in tables]
    for table, keys in tables.items():
        lines += [f"[{table}]", *(f"{key} = {json.dumps(value)}" for key, value in keys.items())]
    return "\n".join(lines) + "\n"


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[Place]:
    """Return an empty place, whose workers are to be killed."""
    directory = tmp_path / "killed"
    directory.mkdir()
    place = Place(directory, f"sqlite:///{directory / 'studies.db'}")
    yield place
    place.close()


def undisturbed(directory: Path, study: Study) -> tuple[dict[str, Any], object]:
    """Return the answer and the curves of one worker in this process."""
    directory.mkdir()
    bench = Bench(directory, f"sqlite:///{directory / 'studies.db'}", study)
    try:
        bench.worker().run()
        record = bench.record()
    finally:
        bench.close()
    document = report.document(record)
    return {key: document[key] for key in ANSWER}, curves_of(record)


def kill_all_workers_in_mid_cohort(place: Place) -> None:
    """SIGKILL two workers once there is a checkpoint, and wait for who takes their place."""
    run = place.run(workers=2)
    until(place.checkpoints)  # the first: its cohort has only begun
    victims = until(place.holders)
    for victim in victims:
        os.kill(victim, signal.SIGKILL)
    assert run.wait() == 0, run.said
    assert run.said.count("another takes its place") == len(victims)
    assert "goes on at update" in run.said


@pytest.mark.parametrize("case", CASES)
def test_killed_and_resumed_it_ends_with_the_same_bits(
    case: str, killed: Place, tmp_path: Path
) -> None:
    """Two workers, killed in mid-cohort, end with all scores and curves of one undisturbed."""
    killed.study_file.write_text(study_file(CASES[case]), encoding="utf-8")
    kill_all_workers_in_mid_cohort(killed)
    study = read_study(killed.study_file)
    answer, curves = undisturbed(tmp_path / "undisturbed", study)
    assert killed.answer() == answer
    assert killed.curves() == curves
    trials = [one for stage in answer["stages"] for one in stage["trials"]]
    assert {one["state"] for one in trials} == {"COMPLETE"}
    assert answer["final"]["test_accuracy"]["mean"] > LEAST_ACCURACY
