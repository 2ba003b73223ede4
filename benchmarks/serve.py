"""How fast `lamsearch serve` answers with a thousand studies in its storage.

Enters: nothing. Leaves: seconds of the queue's page, the API's list and the metrics, first and
later ones, of a really running process on SQLite, asked over loopback, and the processor's time
that an answer takes, which other work on the machine hardly changes. The studies' results are made
up: only their number and their rows matter here.

    python -m benchmarks.serve [--quick]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from benchmarks.common import CORES, Options, publish, read_options, spread, table, verdict
from benchmarks.dashboard import made_up
from lamsearch import storage as store
from lamsearch.storage import Claim, Database, Heartbeat, Leases
from lamsearch.study import Study, parse_study

STUDIES, QUICK_STUDIES = 1_000, 60
# Most seconds of an answer, by what is asked for.
BOUNDS = {"/": 0.3, "/?page=20": 0.3, "/api/v1/studies": 0.2, "/metrics": 0.1}
_ROUNDS = 30
_EVERY = 10  # one of so many studies has been worked on


def study(number: int) -> Study:
    """Return a study as people hand them in, small ones."""
    return parse_study(
        {
            "name": f"study-{number:04d}", "seed": number, "cohort": 8,
            "data": {"source": "digits", "train": 300, "validation": 100},
            "training": {"batch_size": 20, "step_size": 500, "cycles": 2},
            "coarse": {"trials": 24, "log10_lambda": [-6.0, -1.0]},
        }
    )  # fmt: skip


def fill(url: str, count: int) -> None:
    """Plan studies; finish some, begin others."""
    database, rng = Database(url), np.random.default_rng(0)
    for number in range(count):
        one = study(number)
        store.create(
            database, one, data_fingerprint="d" * 64, validation_images={"coarse": 100},
            classes=("zero", "one"), origin=".", files="files", priority=number % 3,
        )  # fmt: skip
        if number % _EVERY == 0:
            _work(database, one.name, rng, cohorts=1 + number // _EVERY % 3)
    database.close()


def _work(database: Database, name: str, rng: np.random.Generator, cohorts: int) -> None:
    leases = Leases(database, name, owner="benchmark", seconds=36_000.0)
    for _ in range(cohorts):
        claim = leases.claim()
        if not isinstance(claim, Claim):
            return
        found = [made_up(trial.point[0], rng) for trial in claim.trials]
        leases.complete(claim, found, Heartbeat(updates=2000, per_second=1000.0), 1.0)
    leases.claim()  # and holds one


def ask(url: str) -> tuple[float, int]:
    """Return the seconds until an answer is there whole, and its length."""
    start = perf_counter()
    with urllib.request.urlopen(url) as answer:  # noqa: S310  # loopback
        content = answer.read()
    return perf_counter() - start, len(content)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Seconds of the first answer and of later ones, the processor's of one, and its length."""

    first: float
    later: list[float]
    processor: float
    length: int


def measure(url: str, directory: Path) -> dict[str, Answers]:
    """Return what the answers of each address take."""
    command = [sys.executable, "-m", "lamsearch", "serve", "--storage", url, "--port", "0"]
    process = subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    base = process.stdout.readline().strip().rstrip("/")
    try:
        return {path: _answers(base + path, process.pid) for path in BOUNDS}
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def _answers(url: str, process: int) -> Answers:
    first, length = ask(url)
    before = _processor_seconds(process)
    later = [ask(url)[0] for _ in range(_ROUNDS)]
    used = (_processor_seconds(process) - before) / _ROUNDS
    return Answers(first=first, later=later, processor=used, length=length)


def _processor_seconds(process: int) -> float:
    """The seconds that a process has computed so far."""
    words = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def _text(count: int, found: dict[str, Answers]) -> str:
    rows = []
    for path, one in found.items():
        middle = spread(1000 * seconds for seconds in one.later)
        rows.append([
            f"`{path}`", f"{one.length / 1000:,.0f}", f"{1000 * one.first:,.0f}", middle.text(0),
            f"{1000 * max(one.later):,.0f}", f"{1000 * one.processor:,.0f}",
            verdict(float(np.median(one.later)) * 1000, "≤", 1000 * BOUNDS[path]),
        ])  # fmt: skip
    header = ["address", "kB", "first, ms", "later, ms", "slowest, ms", "processor, ms", "median"]
    return (
        f"{count:,} studies of 24 trials on SQLite, one in {_EVERY} of them worked on; {CORES} "
        "cores; a really running `lamsearch serve`, asked over loopback; the first answer after "
        f"its start, and median (quartiles) of n = {_ROUNDS} later ones.\n\n{table(header, rows)}"
    )


def main() -> None:
    """Measure, print, write."""
    options: Options = read_options(__doc__ or "")
    count = QUICK_STUDIES if options.quick else STUDIES
    with tempfile.TemporaryDirectory() as name:
        url = f"sqlite:///{Path(name) / 'queue.db'}"
        fill(url, count)
        found = measure(url, Path(name))
    publish("serve", _text(count, found), options)


if __name__ == "__main__":
    main()
