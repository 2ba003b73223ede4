"""Beyond two layers of 50 units: the rows of public reports, and the widest study's three seeds.

Enters: `studies/beyond/*.toml` and `studies/cifar10-wide.toml`. Leaves: the tables of
docs/beyond.md. Refuses to choose anything by a test accuracy.

    python -m benchmarks.beyond [--quick] [--only NAME,…] [--collect] [--work DIR] [--data-dir DIR]

The rows are run one per core; the seeds of the widest study one after another with all cores, each
with an empty cache, and timed. Runs that are done are kept in the work directory and not repeated.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import runs, source_runs
from benchmarks.common import ROOT, Options, machine, table, verdict
from benchmarks.source_numbers import estimate
from benchmarks.source_report import filled
from benchmarks.source_rows import spread
from benchmarks.source_runs import Done, Run
from lamsearch.cli.options import cache_directory, data_directory
from lamsearch.study import parse_study, read_study

DOCUMENT = ROOT / "docs" / "beyond.md"
FOLDER = ROOT / "studies" / "beyond"
WORK = ROOT / "build" / "beyond"
WIDE, SEEDS = "cifar10-wide", (400, 401, 402)
SINGLE, ENSEMBLE, MINUTES = 60.5, 63.0, 45.0  # per cent, per cent, of two cores
QUICK_STEP, QUICK_REPLICATES = 20, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of public reports: the study file that it became, and what was reported."""

    name: str
    what: str
    reported: str
    snapshots: bool = False


ROWS = (
    Row(name="hidden-100", what="100 hidden", reported="53.3–54.0"),
    Row(name="hidden-200", what="200 hidden", reported="54.2–54.8"),
    Row(name="hidden-500", what="500 hidden", reported="55.0–56.4"),
    Row(name="adam", what="400, Adam, flips", reported="53.4"),
    Row(name="flips", what="400, flips, λ 0.001", reported="57.0"),
    Row(name="dropout", what="400, flips, dropout 0.2", reported="56.2"),
    Row(name="range", what="500, η range after a range test", reported="57.7"),
    Row(
        name="range", what="its snapshots", snapshots=True,
        reported="59.4 (best along the curve: looks at test)",
    ),
    Row(name="batch-norm", what="3 layers, batch norm", reported="53.6"),
    Row(name="deeper", what="5 layers, batch norm, flips, shifts", reported="58.7"),
)  # fmt: skip


def main() -> None:
    """Run what is missing, print the tables, write them."""
    asked = _arguments()
    options = Options(quick=asked.quick, data=data_directory(asked.data_dir).resolve())
    work = asked.work.resolve() / ("quick" if asked.quick else "full")
    only = tuple(one for one in asked.only.split(",") if one)
    rows = [one for one in _planned(work, quick=asked.quick) if _wanted(one, only)]
    wide = [one for one in _wide(work, quick=asked.quick) if _wanted(one, only)]
    if asked.collect:
        found, seeds = source_runs.collect(rows), source_runs.collect(wide)
    else:
        found = source_runs.run_all(rows, options, cache_directory())
        seeds = [source_runs.run_once(one, options, one.directory / "cache") for one in wide]
    texts = {"rows": rows_text(found)} if found else {}
    if seeds:
        texts["wide"] = wide_text(seeds)
    print("\n\n".join(f"## {name}\n\n{text}" for name, text in texts.items()))
    if not asked.quick:
        DOCUMENT.write_text(filled(DOCUMENT.read_text(encoding="utf-8"), texts), encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a rehearsal; leaves docs alone")
    parser.add_argument("--only", default="", help="beginnings of study files, with commas")
    parser.add_argument("--work", type=Path, default=WORK, help="directory of the runs")
    parser.add_argument("--collect", action="store_true", help="run nothing; report what is done")
    parser.add_argument("--data-dir", type=Path, help="directory of the data, as for lamsearch run")
    return parser.parse_args()


def _wanted(run: Run, only: Sequence[str]) -> bool:
    return not only or run.directory.name.startswith(tuple(only))


def _planned(work: Path, *, quick: bool) -> list[Run]:
    return [
        _run_of(FOLDER / f"{name}.toml", work / name, quick=quick)
        for name in dict.fromkeys(row.name for row in ROWS)
    ]


def _wide(work: Path, *, quick: bool) -> list[Run]:
    path = runs.study_path(WIDE)
    return [_run_of(path, work / f"{WIDE}-{seed}", quick=quick, seed=seed) for seed in SEEDS]


def _run_of(path: Path, directory: Path, *, quick: bool, seed: int | None = None) -> Run:
    document = read_study(path).canonical()
    if seed is not None:
        document["seed"] = seed
    if quick:
        document["training"]["step_size"] = QUICK_STEP
        document["final"]["replicates"] = QUICK_REPLICATES
    study = parse_study(document)
    return Run(name=path.stem, seed=study.seed, study=study, directory=directory)


def rows_text(found: Sequence[Done]) -> str:
    """Return the table of public rows."""
    done = {one.run.name: one for one in found}
    head = ("network", "study", "log10 λ", "test (%)", "ensemble of 5 (%)", "public report (%)")
    lines = [_row(row, done[row.name]) for row in ROWS if row.name in done]
    minutes = sum(one.seconds for one in found) / 60
    origin = f"{len(found)} studies, {minutes:.0f} minutes of one core in all, {_commits(found)}."
    return f"{table(head, lines)}\n\n{origin} {machine()}"


def _row(row: Row, done: Done) -> tuple[str, ...]:
    final: dict[str, Any] = done.document["final"]
    shown = final["snapshots"] if row.snapshots else final
    accuracies = shown["scores" if row.snapshots else "accuracies"]
    return (
        row.what,
        f"[{row.name}](../studies/beyond/{row.name}.toml)",
        _point(done, "log10_lambda"),
        spread(accuracies),
        f"{100 * shown['ensemble_test_accuracy']:.2f}",
        row.reported,
    )


def wide_text(found: Sequence[Done]) -> str:
    """Return the table of the widest study's seeds."""
    names = ["log10_lambda", *(one.name for one in found[0].run.study.space.dimensions[1:])]
    head = ("seed", *names, "test (%)", "ensemble (%)", "trials", "minutes")
    lines = [_seed(one, names) for one in found]
    single = estimate([100 * estimate(_tests(one)).mean for one in found]).mean
    ensembles = [100 * one.document["final"]["ensemble_test_accuracy"] for one in found]
    ensemble = sum(ensembles) / len(ensembles)
    longest = max(one.seconds for one in found) / 60
    return (
        f"{table(head, lines)}\n\nMean of single networks, {len(found)} of {len(SEEDS)} seeds run: "
        f"{single:.2f} % ({verdict(single, '≥', SINGLE)}); mean ensemble {ensemble:.2f} % "
        f"({verdict(ensemble, '≥', ENSEMBLE)}); longest run {longest:.0f} minutes "
        f"({verdict(longest, '≤', MINUTES)}); {_commits(found)}. {machine()}"
    )


def _seed(done: Done, names: Sequence[str]) -> tuple[str, ...]:
    return (
        str(done.run.seed),
        *(_point(done, name) for name in names),
        spread(_tests(done)),
        f"{100 * done.document['final']['ensemble_test_accuracy']:.2f}",
        str(sum(stage["planned"] for stage in done.document["stages"])),
        f"{done.seconds / 60:.1f}",
    )


def _tests(done: Done) -> list[float]:
    """Return the test accuracies of the final's networks, whose λ was chosen by validation."""
    return [float(one) for one in done.document["final"]["accuracies"]]


def _point(done: Done, name: str) -> str:
    """Return a coordinate of the point that the final trained."""
    selected = done.document["selected"]
    if selected is None:
        assert done.run.study.final is not None
        assert done.run.study.final.point is not None
        return f"{done.run.study.final.point[0]:.2f} (given)"
    return f"{selected[name] if name in selected else selected['params'][name]:.4g}"


def _commits(found: Sequence[Done]) -> str:
    return "commit " + ", ".join(sorted({one.commit for one in found}))


if __name__ == "__main__":
    main()
