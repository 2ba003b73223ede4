"""A hostile writer to each column of our tables and of Optuna's, against every verb.

Enters: nothing. Leaves: of 10,000 values drawn at random, how many the database let in, and each
that made a verb run code, touch a file elsewhere, die with a traceback, print what a terminal
obeys, leave with an unknown exit code or not end. Verbs run in this module's own children, one
after another in one process, with Python's audit events as the witness.

    python -m benchmarks.hostile [--quick] [--values N] [--first N] [--children N] [--keep FILE]

Ten thousand take an hour and a half of one core: with ``--keep`` what came of each is kept in a
file as soon as its batch is done, and the same command goes on from there.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

from benchmarks.common import CORES, ROOT, Options, publish, table
from benchmarks.hostile_desk import BROWSING, CHANGING, READING, SLOW, Desk, Kind, make_desk
from benchmarks.hostile_values import write
from benchmarks.postgres import Server

VALUES, QUICK_VALUES, BATCH = 10_000, 60, 250
LIMIT_SECONDS = 120  # of all verbs at one value
_MEMORY = 6 << 30  # of a child: whoever asks for more is refused, as on a small machine
_SHARE = 4  # one value in so many goes to PostgreSQL


def main() -> None:
    """Write, call, print."""
    options = read_options()
    if options.batch:
        work(*options.batch)
        return
    count = QUICK_VALUES if options.quick else options.values
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name, Server() as server:
        found = examine(Path(name), server.url, options, count)
    publish(
        "hostile writer", report(found, time.monotonic() - began),
        Options(quick=not options.record, data=ROOT),
    )  # fmt: skip
    for one in found:
        for line in one["wrong"]:
            print(f"{one['index']} {one['kind']}: {one['case']}: {line}")
    if any(one["wrong"] for one in found):
        sys.exit(1)


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few values; writes nothing")
    parser.add_argument("--record", action="store_true", help="write the result to RESULTS.md")
    parser.add_argument("--values", type=int, default=VALUES)
    parser.add_argument("--first", type=int, default=0, help="number of the first value")
    parser.add_argument("--children", type=int, default=CORES)
    parser.add_argument("--storage", choices=("sqlite", "postgresql"), help="else both kinds")
    parser.add_argument("--limit", type=int, default=LIMIT_SECONDS, help="seconds of one value")
    parser.add_argument("--keep", type=Path, help="results so far; continued if there are any")
    parser.add_argument("--batch", nargs=6, help=argparse.SUPPRESS)
    return parser.parse_args()


def examine(
    directory: Path, server: str, options: argparse.Namespace, count: int
) -> list[dict[str, Any]]:
    """Have children try all values; return what came of each."""
    indices = range(options.first, options.first + count)
    batches = [indices[start : start + BATCH] for start in range(0, len(indices), BATCH)]
    done = _kept(options.keep, indices)
    begun = {found["index"] for found in done}
    batches = [batch for batch in batches if batch.start not in begun]
    lock = threading.Lock()

    def one(batch: range) -> None:
        found = _tried(directory, server, options, batch)
        with lock:
            done.extend(found)
            if options.keep:  # a whole batch at once
                with options.keep.open("a") as file:
                    file.writelines(json.dumps(each) + "\n" for each in found)
        print(f"{len(done)} of {len(indices)}", file=sys.stderr)

    with ThreadPoolExecutor(options.children) as pool:
        list(pool.map(one, batches))
    return sorted(done, key=lambda found: int(found["index"]))


def _kept(file: Path | None, indices: range) -> list[dict[str, Any]]:
    """Return what an earlier run of the same values found."""
    if file is None or not file.exists():
        return []
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    return [found for found in lines if found["index"] in indices]


def _tried(
    directory: Path, server: str, options: argparse.Namespace, batch: range
) -> list[dict[str, Any]]:
    """One batch, in as many children as it takes: who does not end is killed, and told of."""
    found: list[dict[str, Any]] = []
    start = batch.start
    while start < batch.stop:
        own = directory / f"batch-{start}"
        own.mkdir()
        command = [sys.executable, "-m", "benchmarks.hostile", "--batch", str(own), server,
                   str(start), str(batch.stop), options.storage or "",
                   str(options.limit)]  # fmt: skip
        environment = {k: v for k, v in os.environ.items() if not k.startswith("LAMSEARCH_")}
        with (own / "said").open("wb") as said:
            child = subprocess.run(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=said, stderr=said, check=False,
                env={**environment, "OPENBLAS_NUM_THREADS": "1", "TMPDIR": str(own),
                     "MPLCONFIGDIR": str(directory / "mpl")},
            )  # fmt: skip
        results = own / "results"
        lines = results.read_text().splitlines() if results.exists() else []
        found += [json.loads(line) for line in lines]
        start = batch.start + len(found)
        if start < batch.stop:
            begun = own / "begun"
            if not begun.exists():
                raise SystemExit((own / "said").read_text())
            why = "did not end" if child.returncode == -signal.SIGALRM else (
                f"died with {child.returncode}: {(own / 'said').read_text()[-500:]}"
            )  # fmt: skip
            found.append({**json.loads(begun.read_text()), "let_in": True, "wrong": [why]})
            start += 1
        shutil.rmtree(own)
    return found


def work(directory: str, server: str, start: str, stop: str, storage: str, limit: str) -> None:
    """Be the child: try a few values, one after another."""
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, resource.RLIM_INFINITY))
    desks: dict[tuple[Kind, str], Desk] = {}
    work_directory = Path(directory)
    with (work_directory / "results").open("w") as out:
        for index in range(int(start), int(stop)):
            draw = random.Random(index)  # noqa: S311 - to be the same again
            kind, state = drawn_study(draw, storage)
            if (kind, state) not in desks:
                desks[kind, state] = make_desk(work_directory, kind, state, server)
            signal.alarm(int(limit))
            found = _one(desks[kind, state], index, draw, work_directory)
            signal.alarm(0)
            out.write(json.dumps(found) + "\n")
            out.flush()
    for desk in desks.values():
        desk.close()
    # a thread of a verb that did not end keeps nobody
    os._exit(0 if threading.active_count() else 1)


def drawn_study(draw: random.Random, storage: str) -> tuple[Kind, str]:
    """Return what kind of storage a value goes to, and how far the study is."""
    kind: Kind = "postgresql" if draw.randrange(_SHARE) == 0 else "sqlite"
    return cast("Kind", storage or kind), draw.choice(["done", "half"])


def _one(desk: Desk, index: int, draw: random.Random, directory: Path) -> dict[str, Any]:
    """What verbs make of one value."""
    column = desk.columns[index % len(desk.columns)]
    desk.reset()
    new, let_in = write(desk.url, column, draw, desk.outside)
    found: dict[str, Any] = {
        "index": index, "kind": f"{desk.kind}, {desk.state}", "let_in": let_in, "wrong": [],
        "case": f"{column} = {new!r}"[:600],
    }  # fmt: skip
    if let_in:
        found["verbs"] = drawn(draw)
        (directory / "begun").write_text(json.dumps(found))
        found["wrong"] = desk.examine(found["verbs"])
        found["answers"] = desk.answers
    return found


def drawn(draw: random.Random) -> list[tuple[str, ...]]:
    """Return three verbs: two that read, the dashboard among them, and one that changes."""
    last = draw.choice(SLOW) if draw.random() < 0.06 else draw.choice(CHANGING)
    return [*draw.sample([*READING, BROWSING, BROWSING], 2), last]


def report(found: list[dict[str, Any]], seconds: float) -> str:
    """Return what came of all values, as Markdown."""
    rows = []
    for kind in sorted({one["kind"] for one in found}):
        ours = [one for one in found if one["kind"] == kind]
        let_in = [one for one in ours if one["let_in"]]
        answers: Counter[str] = Counter()
        for one in let_in:
            answers.update(one.get("answers", {}))
        rows.append([
            kind, f"{len(ours):,}", f"{len(let_in):,}",
            f"{sum(v for k, v in answers.items() if k.startswith('exit')):,}",
            *(f"{answers[f'exit {code}']:,}" for code in (0, 1, 2, 130)),
            f"{sum(v for k, v in answers.items() if k.startswith('page')):,}",
            f"{answers['page 500']:,}", str(sum(bool(one["wrong"]) for one in ours)),
        ])  # fmt: skip
    header = ["storage, study", "values", "let in by the database", "verbs called", "exit 0", "1",
              "2", "130", "pages asked for", "500 in a sentence", "broke a rule"]  # fmt: skip
    return (
        "One value at a time, drawn at random (markup, escape sequences, paths, URLs, code, "
        "formulas, numbers, changed JSON, damaged bytes), in one row or all of a column, in turn "
        "through all columns of our tables and Optuna's; then three verbs, drawn too: two that "
        "read (the dashboard's pages over HTTP among them) and one that changes; reports with "
        "figures, and `run`, are drawn seldom, for they take seconds. Half of the studies are "
        "done, half are in their work, with checkpoints. "
        "Rules: no code run, nothing opened, written or deleted outside the directories given, no "
        "connection elsewhere (audit events, and a listing of the directory that the values name), "
        "no traceback, nothing printed that a terminal obeys, exit code 0, 1, 2 or 130, an end "
        f"within {LIMIT_SECONDS} s for all of them.\n\n{table(header, rows)}\n\n"
        f"{seconds / 60:.0f} minutes."
    )


if __name__ == "__main__":
    main()
