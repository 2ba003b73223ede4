"""Which cohort suits a machine: by its cores, its memory, and what a trainer declares."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lamsearch import machine, planning
from lamsearch.planning import Planned, cohort_line, suited, with_cohort_for
from lamsearch.storage import Database, Mode
from lamsearch.study import Study

MakeStudy = Callable[..., Study]
MANY: dict[str, Any] = {
    "coarse": {"trials": 256, "log10_lambda": [-6.0, -1.0], "sampler": "stratified"},
    "fine": None, "finalists": None, "final": None, "network": {"hidden": 16},
    "cohort": "auto",
}  # fmt: skip


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with 64 GB."""
    monkeypatch.setattr(machine, "memory", lambda: 64e9)


@pytest.mark.usefixtures("large")
def test_small_networks_fill_a_core_and_no_core_waits(small_study: MakeStudy) -> None:
    """256 networks of 16 units are cut into as many cohorts as there are cores, or hardly more."""
    study = small_study(**MANY)
    found = {workers: suited(study, 64, 10, workers).cohort for workers in (1, 2, 16, 64)}
    assert found == {1: 128, 2: 128, 16: 16, 64: 4}


@pytest.mark.usefixtures("large")
def test_wide_networks_gain_nothing_by_large_cohorts(small_study: MakeStudy) -> None:
    """With 3072 features and 400 units products take all the time: eight models are enough."""
    study = small_study(**MANY | {"network": {"hidden": 400}, "training": {"batch_size": 100}})
    assert suited(study, 3072, 10, 1).cohort <= 8


def test_memory_bounds_a_cohort(small_study: MakeStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    """All workers' cohorts take at most half of the memory; where not even one fits, it is one."""
    study = small_study(**MANY)
    need = {}
    for memory in (64e9, 4e6, 1e3):
        monkeypatch.setattr(machine, "memory", lambda memory=memory: memory)
        need[memory] = suited(study, 64, 10, 2)
    assert need[64e9].cohort > need[4e6].cohort > need[1e3].cohort == 1
    assert (need[4e6].bytes or 0) <= 2e6


@pytest.mark.usefixtures("large")
def test_halving_and_an_adaptive_sampler_bound_it_too(small_study: MakeStudy) -> None:
    """Halving needs two; an adaptive sampler learns between cohorts, which stay as by default."""
    search = MANY["coarse"]
    halving = small_study(**MANY | {"coarse": search | {"halving": True, "cycles": 2}})
    assert suited(halving, 64, 10, 256).cohort == 2
    tpe = small_study(**MANY | {"coarse": search | {"sampler": "tpe"}})
    assert suited(tpe, 64, 10, 1).cohort == 8


@pytest.mark.usefixtures("large")
def test_the_number_is_part_of_the_study(
    small_study: MakeStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A study of "auto" becomes the very study of the number; one of a number stays as it is."""
    monkeypatch.setattr(machine, "cores", lambda: 2)
    written = small_study(**MANY | {"cohort": 128})
    chosen = with_cohort_for(small_study(**MANY), 64, 10)
    assert (chosen.cohort, chosen.fingerprint) == (128, written.fingerprint)
    assert with_cohort_for(written, 3072, 10) is written


@pytest.mark.usefixtures("large")
def test_what_is_said_has_its_reasons(small_study: MakeStudy) -> None:
    """A line has the study's cohort, the one that would suit, memory, workers and time."""
    study = small_study(**MANY | {"cohort": 8})
    line = cohort_line(study, suited(study, 64, 10, 2))
    assert line.startswith("cohort: 8; this machine would suit 128: ")
    assert " of 64 GB, 2 workers, in about " in line
    fits = study.model_copy(update={"cohort": 128})
    assert cohort_line(fits, suited(fits, 64, 10, 1)) == (
        "cohort: 128, which suits this machine: 1 worker"
    )
    other = small_study(**MANY | {"trainer": {"name": "sklearn"}, "network": None})
    assert "does not declare" in cohort_line(other, suited(other, 64, 10, 1))


def planned(study: Study, directory: Path) -> Planned:
    """Plan a study in a directory's database."""
    places = planning.Settings(
        data_directory=directory, cache_directory=directory / "cache", origin=directory,
        given=None, default=str(directory / "lamsearch-files"),
    )  # fmt: skip
    return planning.plan(
        study, places, lambda: Database(f"sqlite:///{directory}/a.db", Mode.CREATE),
        attempt=planning.once, warn=lambda _: None, say=lambda _: None,
    )  # fmt: skip


@pytest.mark.usefixtures("large")
def test_the_stored_number_wins_on_another_machine(
    small_study: MakeStudy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Submitted again where another number would suit, the study keeps its own, and is the same."""
    monkeypatch.setattr(machine, "cores", lambda: 2)
    first = planned(small_study(**MANY), tmp_path)
    monkeypatch.setattr(machine, "cores", lambda: 64)
    again = planned(small_study(**MANY), tmp_path)
    assert (first.is_new, again.is_new) == (True, False)
    assert again.stored.study.cohort == first.stored.study.cohort == 128
    for one in (first, again):
        one.database.close()
