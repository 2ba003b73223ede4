"""Real runs of the command line on studies cut down to what is measured.

Enters: a study file and changes. Leaves: study files, commands, and what they printed. Every run
has a fresh SQLite file; the normalised splits are in the cache before, unless told otherwise.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter, time
from typing import Any

from benchmarks.common import ROOT, Options
from lamsearch import data as datasets
from lamsearch.report.settings import settings_toml
from lamsearch.search import plan_search
from lamsearch.study import Study, Training, read_study

Changes = Mapping[str, Mapping[str, object]]


def study_path(name: str) -> Path:
    """Return the path of a worked study."""
    return ROOT / "studies" / f"{name}.toml"


def coarse_only(source: Path, directory: Path, changes: Changes | None = None) -> Path:
    """Write a copy of a study without its later stages, some of its keys changed."""
    document = read_study(source).canonical()
    for later in ("fine", "finalists", "final"):
        document.pop(later, None)
    for section, values in (changes or {}).items():
        (document[section] if section else document).update(values)
    path = directory / source.name
    path.write_text(settings_toml(document) + "\n", encoding="utf-8")
    return path


def coarse_coordinates(study: Study) -> list[float]:
    """Return the log10 λ of every coarse trial, in the order of the candidates."""
    cohorts = plan_search(study, "coarse").cohorts
    points = [trial.point for cohort in cohorts for trial in cohort.trials]
    known = [point[0] for point in points if point is not None]
    if len(known) < len(points):
        raise ValueError(f"{study.name}: must know its λs beforehand, got an adaptive sampler")
    return known


def warm(path: Path, options: Options, cache: Path) -> Study:
    """Put into the cache what a run leaves there: normalised splits, and what it found of the data.

    Returns the study.
    """
    study = read_study(path)
    data = datasets.load(study, options.data, origin=path.parent, cache=cache, look=True)
    for stage in study.stages:
        data.split(stage)
    return study


def environment(cache: Path) -> dict[str, str]:
    """Return what a run's processes see: our cache, nothing else of ours."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LAMSEARCH_")}
    return {**clean, "LAMSEARCH_CACHE": str(cache), "PYTHONPATH": str(ROOT)}


def run_command(path: Path, directory: Path, options: Options, *more: str) -> list[str]:
    """Return the command that runs a study in a directory, and prints its document."""
    return [
        sys.executable, "-m", "lamsearch", "run", str(path), "--storage", storage(directory),
        "--data-dir", str(options.data), "--output", str(directory / "report"), "--json", *more,
    ]  # fmt: skip


def storage(directory: Path) -> str:
    """Return the URL of the database in a run's directory."""
    return f"sqlite:///{directory / 'study.db'}"


def timed(command: list[str], cache: Path) -> tuple[float, float, dict[str, Any]]:
    """Run a command; return when it began (since 1970), its seconds, and its document."""
    began, start = time(), perf_counter()
    done = subprocess.run(command, env=environment(cache), capture_output=True, text=True)
    seconds = perf_counter() - start
    if done.returncode != 0:
        raise RuntimeError(f"{command[2:5]} failed: {done.stderr[-2000:]}")
    return began, seconds, json.loads(done.stdout)


def sampling_points(training: Training, images: int, updates: int) -> frozenset[int]:
    """Return the updates, of so many, at which the validation split is evaluated.

    ``images`` is the size of the training split; cycle ends are always among the points.
    """
    cycle, every = 2 * training.step_size, training.sample_every
    if every == "epoch":
        every = images // training.batch_size
    step = cycle if every == "cycle" else every
    return frozenset(range(step, updates + 1, step)) | frozenset(range(cycle, updates + 1, cycle))
