"""Laws 2, 3 and 4 on real processes: the same bits and the exact budget, whoever dies when."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState
from safetensors import safe_open
from study_processes import (
    ANSWER,
    CALM,
    CYCLE,
    LIVES,
    PACE,
    Place,
    lives,
    optuna_trials,
    promised,
)

from benchmarks.victims import until

PLANNED = {"coarse": 4, "fine": 2, "finalists": 4, "final": 2}


def assert_exact(place: Place, answer: dict[str, Any]) -> None:
    """Assert that the study ended with these bits and with the planned trials, each once."""
    document = json.loads((place.output / "results.json").read_text(encoding="utf-8"))
    assert {key: document[key] for key in ANSWER} == answer
    found = optuna_trials(place.url, "lives")
    planned = {stage["name"]: stage["planned"] for stage in answer["stages"]}
    assert {stage: len(trials) for stage, trials in found.items()} == planned
    for trials in found.values():
        assert {trial.state for trial in trials} == {TrialState.COMPLETE}
        assert sorted(trial.number for trial in trials) == list(range(len(trials)))


def models(place: Place) -> dict[str, tuple[dict[str, bytes], dict[str, str]]]:
    """Return tensors and metadata of the output directory's models by name.

    The files themselves may differ: safetensors writes metadata in no fixed order.
    """
    found = {}
    for path in (place.output / "models").iterdir():
        with safe_open(path, framework="numpy") as file:
            tensors = {name: file.get_tensor(name).tobytes() for name in file.keys()}  # noqa: SIM118 - no mapping
            found[path.name] = (tensors, file.metadata())
    return found


def test_one_worker_does_the_whole_plan(undisturbed: Place, right_answer: dict[str, Any]) -> None:
    """An undisturbed run ends with every planned trial complete, a winner and a test accuracy."""
    planned = {stage["name"]: stage["planned"] for stage in right_answer["stages"]}
    assert {**PLANNED, "finalists": planned["finalists"]} == planned
    assert planned["finalists"] in (2, 4)  # one finalist or two, over two replicates
    assert_exact(undisturbed, right_answer)
    assert right_answer["final"]["test_accuracy"]["mean"] > 0.85


def test_three_workers_on_postgresql_give_the_same_bits(
    tmp_path: Path, postgres_url: str, undisturbed: Place, right_answer: dict[str, Any]
) -> None:
    """Three workers on PostgreSQL end with the bits of one on SQLite, models included."""
    place = Place(tmp_path, postgres_url)
    try:
        run = place.run(workers=3, timing=CALM)
        assert run.wait() == 0, run.said
        assert_exact(place, right_answer)
        assert models(place) == models(undisturbed)
    finally:
        place.close()


def test_killed_workers_and_a_killed_run_change_nothing(
    place: Place, right_answer: dict[str, Any]
) -> None:
    """SIGKILL of random workers and of the run itself costs neither a trial nor a bit."""
    chance = random.Random(20)  # noqa: S311 - chance, not secrets
    run = place.run(workers=2)
    for kills in (1, 2):
        victim = chance.choice(until(place.holders))
        time.sleep(chance.uniform(0.0, 0.4))  # at any moment, so no event is awaited
        os.kill(victim, signal.SIGKILL)
        until(lambda victim=victim: not lives(victim))
        until(lambda kills=kills: run.said.count("another takes its place") >= kills)
    until(place.holders)
    time.sleep(chance.uniform(0.0, 0.4))
    pool = run.children
    assert len(pool) == 3  # the third is to make the report
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    until(lambda: not any(map(lives, pool)), promised(10))
    status = place.status()
    assert status is not None
    # the orphans gave back what they held; what a killed one held may still wait to be taken over
    assert not {int(one.owner.split(":")[1]) for one in status.workers} & set(pool)
    again = place.run(workers=2, timing=CALM)
    assert again.wait() == 0, again.said
    assert_exact(place, right_answer)


def test_ctrl_c_and_sigterm_leave_in_time_and_lose_nothing(
    sqlite_place: Place, right_answer: dict[str, Any]
) -> None:
    """Ctrl-C and SIGTERM end a run with 130 within 5 s; run again, it ends with the same bits."""
    place = sqlite_place
    for number in (signal.SIGINT, signal.SIGTERM):
        run = place.run(workers=2)
        until(place.holders)
        until(place.checkpoints)
        pool = run.children
        begun = time.monotonic()
        run.signal(number)
        assert run.wait() == 130, run.said
        assert time.monotonic() - begun < promised(5)
        assert run.said.count("Error: ") == 1
        assert "Error: interrupted; run again to go on" in run.said
        assert "Traceback" not in run.said
        assert not any(map(lives, pool))
        assert place.holders() == []
    run = place.run(workers=2, timing=CALM)
    assert run.wait() == 0, run.said
    assert "goes on at update" in run.said
    assert_exact(place, right_answer)


def test_a_second_ctrl_c_leaves_at_once(sqlite_place: Place) -> None:
    """Where leaving gracefully hangs on a locked database, a second Ctrl-C ends run and workers."""
    place = sqlite_place
    run = place.run(workers=2)
    until(place.holders)
    until(place.checkpoints)
    pool = run.children
    locked = sqlite3.connect(place.directory / "studies.db", isolation_level=None)
    try:
        locked.execute("BEGIN IMMEDIATE")
        run.signal(signal.SIGINT)
        until(lambda: "once more to leave at once" in run.said, promised(5))
        assert run.popen.poll() is None
        begun = time.monotonic()
        run.signal(signal.SIGINT)
        assert run.wait(promised(5)) == 130
        until(lambda: not any(map(lives, pool)), promised(2))
        assert time.monotonic() - begun < promised(2)
    finally:
        locked.close()


@pytest.fixture(scope="module")
def lonely(
    tmp_path_factory: pytest.TempPathFactory,
) -> Any:
    """Return a study that was created in one directory and done by lone workers in others.

    The first is interrupted, the newest checkpoint then damaged; the second gets SIGTERM; the
    third is killed by a second Ctrl-C while the database is locked; the last ends the study.
    """
    directory = tmp_path_factory.mktemp("lonely")
    place = Place(directory, f"sqlite:///{directory / 'studies.db'}")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    seen: dict[str, Any] = {"place": place}

    def worker(timing: tuple[str, ...] = PACE) -> Any:
        return place.start("worker", "lives", *timing, directory=elsewhere)

    create = place.start("create", place.study_file, "--files", place.files)
    assert create.wait() == 0, create.said

    first = worker()
    until(lambda: len(place.checkpoints()) >= 2)
    begun = time.monotonic()
    first.signal(signal.SIGINT)
    seen["first"] = (first.wait(), time.monotonic() - begun, first.said, place.holders())
    seen["left"] = place.checkpoints()
    newest = place.checkpoints()[-1]
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)

    second = worker()
    until(lambda: "goes on at update" in second.said)
    until(lambda: place.checkpoints()[-1] != newest)
    begun = time.monotonic()
    second.signal(signal.SIGTERM)
    seen["second"] = (second.wait(), time.monotonic() - begun, second.said, place.holders())
    seen["second left"] = place.checkpoints()

    third = worker()
    until(lambda: "goes on at update" in third.said)
    until(place.holders)
    locked = sqlite3.connect(directory / "studies.db", isolation_level=None)
    locked.execute("BEGIN IMMEDIATE")
    third.signal(signal.SIGINT)
    until(lambda: "once more to leave at once" in third.said)
    time.sleep(0.5)  # it now waits inside the database's own code: nothing that could be awaited
    seen["third waits"] = third.popen.poll() is None
    begun = time.monotonic()
    third.signal(signal.SIGINT)
    seen["third"] = (third.wait(), time.monotonic() - begun, third.said, [])
    locked.close()

    last = worker(CALM)
    seen["last"] = (last.wait(), 0.0, last.said, place.holders())
    yield seen
    place.close()


def _number(path: Path) -> int:
    return int(path.stem)


def test_an_interrupted_worker_says_how_to_go_on(lonely: dict[str, Any]) -> None:
    """A lone worker leaves with 130 within 5 s after Ctrl-C or SIGTERM, and gives back its work."""
    for name in ("first", "second"):
        code, seconds, said, holders = lonely[name]
        assert code == 130, said
        assert seconds < promised(5)
        assert said.count("Error: interrupted at update ") == said.count("Error: ") == 1
        assert "run again to go on" in said
        assert "Traceback" not in said
        assert holders == []


def test_a_second_ctrl_c_ends_a_worker_at_once(lonely: dict[str, Any]) -> None:
    """A worker that waits for a locked database leaves at the second Ctrl-C without waiting."""
    code, seconds, said, _ = lonely["third"]
    assert lonely["third waits"]
    assert code == 130, said
    assert seconds < promised(2)


def test_a_resumed_cohort_goes_on_at_its_checkpoint(lonely: dict[str, Any]) -> None:
    """The worker after an interruption goes on at the update of the newest whole checkpoint."""
    reached = _number(lonely["second left"][-1])
    assert 0 < reached < 2 * CYCLE
    assert f"goes on at update {reached}\n" in lonely["third"][2]


def test_a_damaged_checkpoint_falls_back_to_the_one_before(lonely: dict[str, Any]) -> None:
    """A checkpoint with one flipped bit is reported, and the previous one is used."""
    before, damaged = lonely["left"][-2:]
    assert before.parent == damaged.parent
    said = lonely["second"][2]
    assert f"checkpoint {damaged.name} of " in said
    assert "is damaged" in said
    assert f"goes on at update {_number(before)}\n" in said


def test_create_and_lone_workers_equal_run(
    lonely: dict[str, Any], undisturbed: Place, right_answer: dict[str, Any]
) -> None:
    """Created in one directory, done in another, a study ends with run's bits, curves included."""
    code, _, said, holders = lonely["last"]
    assert code == 0, said
    assert holders == []
    place = lonely["place"]
    assert place.answer() == right_answer
    assert place.curves() == undisturbed.curves()
    assert place.checkpoints() == []  # nothing of a finished cohort is left
    found = optuna_trials(place.url, "lives")
    assert {s: len(t) for s, t in found.items()} == {
        stage["name"]: stage["planned"] for stage in right_answer["stages"]
    }


def test_the_study_file_is_what_was_run() -> None:
    """The study of these tests has every stage, so that every transition is disturbed."""
    assert all(f"[{stage}]" in LIVES for stage in PLANNED)
