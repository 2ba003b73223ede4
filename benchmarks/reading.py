"""How long people wait for a study: its status, its report, and a short study from start to report.

Enters: nothing. Leaves: seconds of really started commands: `status --json` of 50,000 trials and
`report` of 5,000, on SQLite and on PostgreSQL, and `run studies/digits.toml` from start to report
with its processor time. The many trials' results are made up: only their number and rows matter.

    python -m benchmarks.reading [--quick]
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
import sqlalchemy as sa

from benchmarks.common import CORES, ROOT, publish, read_options, spread, table, verdict
from benchmarks.dashboard import fill
from benchmarks.postgres import Server
from lamsearch.storage import Database
from lamsearch.storage.optuna_bridge import PARAMS, TRIALS, VALUES
from lamsearch.storage.tables import cohorts

REPORTED, COPIES = 5_000, 9  # trials of a report, and copies of them that a status reads beside
QUICK_REPORTED, QUICK_COPIES = 200, 1
STATUS_SECONDS, REPORT_SECONDS, DIGITS_SECONDS = 1.0, 5.0, 4.0
_ROUNDS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """Wall and processor seconds of the rounds of a command, its children's among them."""

    what: str
    wall: Sequence[float]
    processor: Sequence[float]
    target: float

    @property
    def row(self) -> list[str]:
        """Its row of the table."""
        reached = verdict(float(np.median(self.wall)), "≤", self.target)
        return [self.what, spread(self.wall).text(), spread(self.processor).text(), reached]


def multiply(url: str, copies: int) -> None:
    """Add copies of a study's trials to it, as its plan and Optuna's tables have them.

    No curves and no attributes: a status reads none.
    """
    database = Database(url)
    with database.read() as transaction:
        connection = transaction.connection
        trials, values, params, planned = (
            [dict(row) for row in connection.execute(sa.select(one)).mappings()]
            for one in (TRIALS, VALUES, PARAMS, cohorts)
        )
    count, numbers = len(trials), 1 + max(row["number"] for row in planned)
    for k in range(1, copies + 1):
        shift, off = k * count, 1e-4 * k  # other candidates, not replicates of these
        with database.write() as transaction:
            write = transaction.connection.execute
            moved: dict[str, float] = {"trial_id": shift, "number": shift}
            write(sa.insert(TRIALS), [_moved(row, moved) for row in trials])
            moved = {"trial_id": shift, "trial_value_id": shift, "value": off}
            write(sa.insert(VALUES), [_moved(row, moved) for row in values])
            moved = {"trial_id": shift, "param_id": shift, "param_value": off}
            write(sa.insert(PARAMS), [_moved(row, moved) for row in params])
            write(sa.insert(cohorts), [
                {
                    **_moved(row, {"number": k * numbers}),
                    "trials": [[trial + shift, candidate + shift, [x + off for x in point]]
                               for trial, candidate, point in row["trials"]],
                }
                for row in planned
            ])  # fmt: skip
    database.close()


def _moved(row: dict[str, object], by: Mapping[str, float]) -> dict[str, object]:
    return {key: value + by[key] if key in by else value for key, value in row.items()}  # type: ignore[operator]


def timed(what: str, rounds: int, target: float, *words: str, directory: Path) -> Timed:
    """Run a command so often, each time in an empty directory."""
    wall, processor = [], []
    command = [sys.executable, "-P", "-m", "lamsearch", *words]
    for number in range(rounds + 1):  # the first one warms the disk's cache
        place = directory / f"{what.replace(' ', '-').replace('/', '-')}-{number}"
        place.mkdir()
        before, begun = _used(), perf_counter()
        subprocess.run(command, cwd=place, check=True, capture_output=True)
        wall.append(perf_counter() - begun)
        processor.append(_used() - before)
    return Timed(what=what, wall=wall[1:], processor=processor[1:], target=target)


def _used() -> float:
    found = resource.getrusage(resource.RUSAGE_CHILDREN)
    return found.ru_utime + found.ru_stime


def _read(where: str, url: str, trials: int, copies: int, rounds: int, place: Path) -> list[Timed]:
    fill(url, trials)
    found = [
        timed(f"report of {trials:,} trials, {where}", rounds, REPORT_SECONDS,
              "report", "many", "--storage", url, directory=place),
    ]  # fmt: skip
    multiply(url, copies)
    whole = trials * (1 + copies)
    for what, names in (("a study", ["many"]), ("a storage", [])):
        found.append(
            timed(f"status of {what} of {whole:,} trials, {where}", rounds, STATUS_SECONDS,
                  "status", *names, "--json", "--storage", url, directory=place)
        )  # fmt: skip
    return found


def main() -> None:
    """Measure, print, write."""
    options = read_options(__doc__ or "")
    trials, copies, rounds = (
        (QUICK_REPORTED, QUICK_COPIES, 1) if options.quick else (REPORTED, COPIES, _ROUNDS)
    )
    os.environ.pop("LAMSEARCH_STORAGE", None)  # each run has a storage of its own
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        # first: what is written for the others is brought to the disk for minutes
        short = timed("studies/digits.toml, start to report", rounds, DIGITS_SECONDS,
                      "run", str(ROOT / "studies" / "digits.toml"), directory=place)  # fmt: skip
        sqlite = f"sqlite:///{place / 'many.db'}"
        with Server() as server:
            found = _read("SQLite", sqlite, trials, copies, rounds, place)
            found += _read("PostgreSQL", server.database(), trials, copies, rounds, place)
    found.append(short)
    header = ["seconds", "wall", "processor", "wall, median"]
    text = (
        f"{CORES} cores; really started commands, median (quartiles) of {rounds} after one that "
        f"warms. Each of the many trials has a curve of 200 points.\n\n"
        f"{table(header, [one.row for one in found])}"
    )
    publish("reading", text, options)


if __name__ == "__main__":
    main()
