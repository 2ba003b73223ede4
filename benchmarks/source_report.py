"""Every experiment of the source report: runs, pictures, and the tables of docs/source-report.md.

    python -m benchmarks.source_report [--quick] [--only r2,r3] [--jobs N] [--collect] [--work DIR]

Runs that are done are kept in the work directory and not repeated; `--fresh` starts over. `--quick`
trains a twentieth of the updates, and writes its pictures to the work directory alone.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from time import perf_counter

from benchmarks import source_pictures, source_rows, source_runs
from benchmarks.common import CORES, ROOT, Options, machine
from benchmarks.source_as_run import SECTIONS as AS_RUN
from benchmarks.source_runs import Done
from benchmarks.source_tables import SECTIONS as WRITTEN_DOWN
from lamsearch.cli.options import cache_directory, data_directory

DOCUMENT = ROOT / "docs" / "source-report.md"
PICTURES = ROOT / "docs" / "figures"
WORK = ROOT / "build" / "source-report"


def main() -> None:
    """Run, draw, write."""
    asked = _arguments()
    options = Options(quick=asked.quick, data=data_directory(asked.data_dir).resolve())
    work = asked.work.resolve() / ("quick" if asked.quick else "full")
    if asked.fresh:
        shutil.rmtree(work, ignore_errors=True)
    only = [one for one in asked.only.split(",") if one]
    planned = source_runs.planned(work, only, quick=asked.quick)
    begun = perf_counter()
    if asked.collect:
        done = source_runs.collect(planned)
    else:
        done = source_runs.run_all(planned, options, cache_directory(), asked.jobs)
    found = _by_file(done)
    texts = {"r1": _gradients(), **source_rows.written(found, (*WRITTEN_DOWN, *AS_RUN))}
    texts |= _origins(done, texts, perf_counter() - begun)
    pictures = source_pictures.write(found, work if asked.quick else PICTURES)
    print("\n\n".join(f"## {name}\n\n{text}" for name, text in texts.items()))
    print("\n".join(str(one.name) for one in pictures))
    if not asked.quick:
        DOCUMENT.write_text(filled(DOCUMENT.read_text(encoding="utf-8"), texts), encoding="utf-8")


def filled(document: str, texts: Mapping[str, str]) -> str:
    """Return the document with the text between each section's two markers replaced."""
    for name, text in texts.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
        if len(pattern.findall(document)) != 1:
            raise SystemExit(f"{DOCUMENT.name}: must hold the markers of {name} once")
        head, tail = pattern.split(document)
        document = f"{head}{begin}\n{text}\n\n{end}{tail}"
    return document


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a rehearsal; leaves docs alone")
    parser.add_argument("--only", default="", help="beginnings of study files, with commas")
    parser.add_argument("--work", type=Path, default=WORK, help="directory of the runs")
    parser.add_argument("--jobs", type=int, default=CORES, help="studies at a time")
    parser.add_argument("--collect", action="store_true", help="run nothing; report what is done")
    parser.add_argument("--fresh", action="store_true", help="repeat runs that are done")
    parser.add_argument("--data-dir", type=Path, help="directory of the data, as for lamsearch run")
    return parser.parse_args()


def _by_file(done: Sequence[Done]) -> dict[str, list[Done]]:
    ordered = sorted(done, key=lambda one: (one.run.name, one.run.seed))
    return {name: list(group) for name, group in groupby(ordered, key=lambda one: one.run.name)}


def _gradients() -> str:
    """Run the gradient check; return its verdict."""
    command = [sys.executable, "-m", "lamsearch", "gradcheck"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    rows = re.findall(r"^\w\d +\S+ +\d+ +(\S+) +(\S+) +\d+ +\d+ +(\w+)", printed.stdout, re.M)
    if printed.returncode != 0 or not rows:
        raise SystemExit(f"gradcheck failed: {printed.stderr[-1000:] or printed.stdout[-1000:]}")
    central, step = (max(float(row[column]) for row in rows) for column in (0, 1))
    return (
        f"`lamsearch gradcheck`: over {len(rows)} comparisons (four parameter arrays, λ from 0 to "
        f"1, batches of 1 to 32) the largest max|a − n| / max|a| is {central:.1e} against central "
        f"differences and {step:.1e} against the complex step."
    )


def _origins(done: Sequence[Done], texts: Mapping[str, str], seconds: float) -> dict[str, str]:
    """Say which code and machine the numbers come from, where a part's overview is new."""
    runs: dict[str, list[Done]] = {"run": [], "run-as-run": []}
    for one in done:
        runs["run-as-run" if "-as-run" in one.run.name else "run"].append(one)
    overviews = {"run": "overview", "run-as-run": "overview-as-run"}
    return {
        part: _origin(found, seconds) for part, found in runs.items() if overviews[part] in texts
    }


def _origin(done: Sequence[Done], seconds: float) -> str:
    commits = ", ".join(sorted({one.commit for one in done}))
    times = sorted(one.at for one in done)
    return (
        f"{len(done)} runs of {len({one.run.name for one in done})} study files, finished between "
        f"{times[0]} and {times[-1]}, with commit {commits}; "
        f"{sum(one.seconds for one in done) / 60:.0f} minutes of runs in all; the command that "
        f"wrote this took {seconds / 60:.1f} minutes. Tables and figures: {machine()}"
    )


if __name__ == "__main__":
    main()
