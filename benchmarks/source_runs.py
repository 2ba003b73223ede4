"""The studies of the source report, run by the command line, one worker each, a study per core.

Enters: `studies/report/*.toml`. Leaves: what each run printed, and its record with the learning
curves. A study that is done is not run again; one that was interrupted goes on.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks import runs
from benchmarks.common import CORES, ROOT, Options, commit
from lamsearch import storage as store
from lamsearch.report.settings import settings_toml
from lamsearch.results import StudyRecord
from lamsearch.study import Study, parse_study, read_study

FOLDER = ROOT / "studies" / "report"
# Searches have one replicate per candidate: these are repeated whole, under seeds of their own.
REPEATED = ("r4", "r9-")
REPEATS = 5
FEWER = {"r4-as-run": 3}  # each is nine times as long as r4
QUICK_SHARE, QUICK_REPEATS = 20, 2
PRINTED = "printed.json"
# The longest first; R9 seed by seed, so that what is there when time is up can be compared.
ORDER = ("r6", "mistake-a", "mistake-c", "r3", "r2", "r5", "r4", "mistake-b", "r9-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a study file: ``name`` is the file's, ``seed`` the study's."""

    name: str
    seed: int
    study: Study
    directory: Path

    @property
    def path(self) -> Path:
        """The study file that is run."""
        return self.directory / "study.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a run printed, where it can be read again, and how it came about."""

    run: Run
    document: dict[str, Any]
    seconds: float
    commit: str
    at: str

    def record(self) -> StudyRecord:
        """Return the study's record, with its learning curves."""
        database = store.Database(runs.storage(self.run.directory), store.Mode.READ)
        return store.read_study(database, self.run.study.name)


def planned(directory: Path, only: Sequence[str], *, quick: bool) -> list[Run]:
    """Return all runs in the order they are to take; ``only`` names files by their beginnings."""
    names = [path.stem for path in FOLDER.glob("*.toml")]
    unknown = [one for one in only if not any(name.startswith(one) for name in names)]
    if unknown:
        raise SystemExit(f"--only: must name files of studies/report, got {', '.join(unknown)}")
    kept = [name for name in names if not only or name.startswith(tuple(only))]
    found = [run for name in kept for run in _runs_of(name, directory, quick=quick)]
    return sorted(found, key=_place)


def run_all(found: Iterable[Run], options: Options, cache: Path, jobs: int = CORES) -> list[Done]:
    """Run all studies that are not done, ``jobs`` at a time, and return them in their order."""
    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(lambda one: run_once(one, options, cache, "--workers", "1"), found))


def collect(found: Iterable[Run]) -> list[Done]:
    """Return the runs that are done, running none; of R9, the seeds that all sizes have."""
    done = [one for run in found if (one := _read(run)) is not None]
    seeds = {one.run.name: set[int]() for one in done if one.run.name.startswith("r9-")}
    for one in done:
        seeds.get(one.run.name, set()).add(one.run.seed)
    shared = set.intersection(*seeds.values()) if seeds else set()
    return [one for one in done if one.run.name not in seeds or one.run.seed in shared]


def _place(run: Run) -> tuple[int, int, str]:
    return next(i for i, head in enumerate(ORDER) if run.name.startswith(head)), run.seed, run.name


def _runs_of(name: str, directory: Path, *, quick: bool) -> list[Run]:
    study = read_study(FOLDER / f"{name}.toml")
    repeats = QUICK_REPEATS if quick else FEWER.get(name, REPEATS)
    repeats = repeats if name.startswith(REPEATED) else 1
    return [
        Run(
            name=name,
            seed=study.seed + repeat,
            study=_changed(study, study.seed + repeat, quick=quick),
            directory=directory / (name if repeats == 1 else f"{name}-{study.seed + repeat}"),
        )
        for repeat in range(repeats)
    ]


def _changed(study: Study, seed: int, *, quick: bool) -> Study:
    document = study.canonical()
    document["seed"] = seed
    if quick:
        training = document["training"]
        training["step_size"] = max(5, training["step_size"] // QUICK_SHARE)
        if "final" in document:
            document["final"]["replicates"] = QUICK_REPEATS
    return parse_study(document)


def run_once(run: Run, options: Options, cache: Path, *more: str) -> Done:
    """Run one study, with ``more`` of the command line, unless its directory holds the answer."""
    before = _read(run)
    if before is not None:
        return before
    if not _is_same(run):
        shutil.rmtree(run.directory, ignore_errors=True)
    run.directory.mkdir(parents=True, exist_ok=True)
    if not run.path.exists():
        _write(run.path, settings_toml(run.study.canonical()) + "\n")
    began, code = perf_counter(), commit()
    command = runs.run_command(run.path, run.directory, options, *more)
    done = subprocess.run(command, env=runs.environment(cache), capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{run.name}, seed {run.seed}: {done.stderr[-2000:]}")
    found = {
        "document": json.loads(done.stdout),
        "seconds": perf_counter() - began,
        "commit": code,
        "at": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    }
    _write(run.directory / PRINTED, json.dumps(found, indent=1))
    print(f"{run.name}, seed {run.seed}: {found['seconds']:.0f} s", flush=True)
    return Done(run=run, **found)


def _read(run: Run) -> Done | None:
    printed = run.directory / PRINTED
    if not printed.exists() or not _is_same(run):
        return None
    return Done(run=run, **json.loads(printed.read_text(encoding="utf-8")))


def _is_same(run: Run) -> bool:
    """Say whether the directory is of the very study that is to be run, or new."""
    if not run.directory.exists():
        return True
    return run.path.exists() and read_study(run.path).fingerprint == run.study.fingerprint


def _write(path: Path, text: str) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
