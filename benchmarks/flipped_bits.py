"""One flipped bit in any file that lamsearch wrote: noticed, or without effect on any number.

Enters: nothing. Leaves: per kind of file, how many flips were said, repaired, without effect, or
believed. A small study is stopped in a cohort, before the test, or done; a bit flips in one of its
files; then it is worked on to its end and reported, as a new process would.

    python -m benchmarks.flipped_bits [--quick] [--flips N] [--database N]
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import shutil
import sqlite3
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import ROOT, Options, publish, table
from lamsearch import data as datasets
from lamsearch import report
from lamsearch import storage as store
from lamsearch.artifacts import Files
from lamsearch.data import training
from lamsearch.errors import InterruptedWorkError, LamsearchError
from lamsearch.results import TrialState
from lamsearch.storage import DATABASE_ERRORS, Database, Leases, Mode
from lamsearch.study import Study, parse_study
from lamsearch.worker import Settings, StudyWorker

FLIPS, DATABASE_FLIPS = 200, 500
_WORKED_ON = 5  # of so many flips in the database one is in a study that is worked on after it
STATES = ("in a cohort", "before the test", "done")
_NOTICED = (LamsearchError, *DATABASE_ERRORS)


class Desk:
    """A directory with a study's database, files and cache, that can be put back as it was."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.work, self.kept = directory, directory / "work", directory / "kept"
        self.said: list[str] = []
        self.work.mkdir(parents=True)
        rng = np.random.default_rng(0)
        path = directory / "own.npz"
        np.savez(path, X=rng.standard_normal((200, 12)).astype(np.float32), y=np.arange(200) % 3)
        self.study: Study = parse_study({
            "name": "flips", "seed": 1, "cohort": 2, "network": {"hidden": 4},
            "data": {"source": str(path), "train": 100, "validation": 50, "test": 40},
            "training": {"step_size": 5, "cycles": 3, "batch_size": 10},
            "coarse": {"trials": 2, "log10_lambda": [-3.0, -2.0]},
            "final": {"replicates": 2, "train": 120, "validation": 30},
        })  # fmt: skip
        with self.open(Mode.CREATE) as database:
            found = datasets.load(self.study, directory, cache=self.work / "cache", look=True)
            store.create(
                database, self.study, data_fingerprint=found.fingerprint,
                validation_images={s: self.study.validation_images(s) for s in self.study.stages},
                classes=found.classes, origin=str(directory), files=str(self.work / "files"),
                facts=found.seen,
            )  # fmt: skip

    @contextmanager
    def open(self, mode: Mode) -> Iterator[Database]:
        """The database, closed at the end of the block."""
        database = Database(f"sqlite:///{self.work / 'x.db'}", mode)
        try:
            yield database
        finally:
            database.close()

    def go_on(self) -> dict[str, Any]:
        """Work to the end, as a new process would."""
        with self.open(Mode.WORK) as database:
            settings = Settings(
                data_directory=self.directory,
                cache_directory=self.work / "cache",
                checkpoint_seconds=0.02,
            )
            stored = store.load(database, "flips")
            worker = StudyWorker(
                database, stored, settings, stop=threading.Event(), say=self.said.append
            )
            worker.run()
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """All numbers of the report, and which of its models are whole."""
        with self.open(Mode.READ) as database:
            record = store.read_study(database, "flips")
            stored = store.load(database, "flips")
        found = Files(stored.files, stored.id)
        final = record.stages["final"].trials
        models = [
            found.read_model(one.replicate, one.model_sha256)
            for one in final if one.state is TrialState.COMPLETE
        ]  # fmt: skip
        if None in models:
            self.said.append("a model is damaged")
        document = report.document(record)
        del document["test_openings"]  # when, and by whom
        return {**document, "models": models}

    def keep(self) -> None:
        """Remember the state that the study is in."""
        shutil.rmtree(self.kept, ignore_errors=True)
        shutil.copytree(self.work, self.kept)

    def put_back(self) -> None:
        """Put the study back into the state that was kept."""
        shutil.rmtree(self.work)
        shutil.copytree(self.kept, self.work)
        self.said.clear()

    def written(self) -> list[Path]:
        """All that lamsearch wrote, but for the database."""
        return sorted(
            path for path in self.work.rglob("*")
            if path.is_file() and path.stat().st_size and not path.name.startswith("x.db")
        )  # fmt: skip


class _Said(logging.Handler):
    """What is logged counts as said."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())


def reach(study: Desk, state: str) -> None:
    """Work until the study is in a state; what stops it there is no part of it."""
    name = {"in a cohort": "report", "before the test": "open_test"}.get(state)
    if name is None:
        study.go_on()
        return
    real = getattr(Leases, name)

    def stopping(*_: Any) -> Any:
        raise InterruptedWorkError("stopped for a flip")

    def leaving(self: Leases, *arguments: Any) -> Any:
        setattr(Leases, name, stopping)
        return real(self, *arguments)

    setattr(Leases, name, leaving if state == "in a cohort" else stopping)
    try:
        study.go_on()
    except InterruptedWorkError:
        pass
    finally:
        setattr(Leases, name, real)
    with (
        closing(sqlite3.connect(study.work / "x.db")) as connection,
        connection,
    ):  # its worker is gone
        connection.execute("UPDATE lamsearch_cohort SET expires = 0 WHERE state = 1")
    connection.close()


def flip(path: Path, draw: random.Random) -> tuple[int, int]:
    """Flip one bit of a file; return where."""
    content = bytearray(path.read_bytes())
    place, bit = draw.randrange(len(content)), draw.randrange(8)
    content[place] ^= 1 << bit
    path.write_bytes(content)
    return place, bit


def judge(study: Desk, right: dict[str, Any], *, work: bool) -> str:
    """Return what became of a flip: said, repaired, without effect, or believed."""
    try:
        found = study.go_on() if work else study.answer()
    except _NOTICED:
        return "refused in a sentence"
    except Exception as error:  # a traceback: it is counted, and shown
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return "died"
    lost = found.pop("models") != right["models"]
    same = all(found[key] == right[key] for key in ("stages", "selected", "final", "baseline"))
    if not same:
        return "believed"
    if lost and not study.said:
        return "believed"
    changed = {key: value for key, value in right.items() if key != "models"} != found
    return "said, same numbers" if study.said or changed else "without effect"


def kind_of(path: Path) -> str:
    """Return what a file holds."""
    name = path.parent.name.split("-")[0]
    return {
        "coarse": "checkpoint", "final": "checkpoint", "models": "model", "sources": "data facts",
    }.get(name, "marker" if path.name.startswith(".") else "cached split")  # fmt: skip


def files(directory: Path, count: int) -> dict[str, Counter[str]]:
    """Flip bits in all files but the database."""
    found: dict[str, Counter[str]] = {}
    for number, state in enumerate(STATES):
        study = Desk(directory / f"files-{number}")
        logging.getLogger("lamsearch").addHandler(handler := _Said(study.said))
        reach(study, state)
        study.keep()
        right = study.go_on()
        draw = random.Random(number)  # noqa: S311 - to be the same again
        for _ in range(count // len(STATES) + (number < count % len(STATES))):
            study.put_back()
            groups: dict[str, list[Path]] = {}
            for path in study.written():
                groups.setdefault(kind_of(path), []).append(path)
            kind = draw.choice(sorted(groups))
            where = (path := draw.choice(groups[kind]), *flip(path, draw))
            verdict = judge(study, right, work=True)
            found.setdefault(kind, Counter())[verdict] += 1
            _show(verdict, state, where)
        logging.getLogger("lamsearch").removeHandler(handler)
    return found


def database(directory: Path, count: int, state: str = "done") -> dict[str, Counter[str]]:
    """Flip bits in the SQLite file of a study, and report it, or first work it to its end.

    Returns:
        What became of them, by what the page is.
    """
    study = Desk(directory / f"database-{state}")
    reach(study, state)
    study.keep()
    right, found = study.go_on(), dict[str, Counter[str]]()
    study.put_back()
    path = study.work / "x.db"
    pages = _pages(path)
    content, draw = path.read_bytes(), random.Random(3)  # noqa: S311 - to be the same again
    for _ in range(count):
        study.put_back()
        path.write_bytes(content)
        place, _ = where = flip(path, draw)
        verdict = judge(study, right, work=state != "done")
        kind = pages.get(place // 4096, "SQLite's own")
        found.setdefault(kind, Counter())[verdict] += 1
        _show(verdict, kind, where)
    return found


def _pages(path: Path) -> dict[int, str]:
    """What each page of an SQLite file belongs to."""
    connection = sqlite3.connect(path)
    try:
        rows = connection.execute("SELECT pageno, name FROM dbstat").fetchall()
    except sqlite3.OperationalError:  # SQLite was built without
        return {}
    finally:
        connection.close()

    def named(name: str) -> str:
        if name == "sqlite_schema" or name.startswith("sqlite_seq"):
            return "SQLite's own"
        if name.startswith(("sqlite_autoindex", "ix_")) or name.endswith("_state"):
            return "indexes"
        return "rows of lamsearch" if name.startswith("lamsearch_") else "rows of Optuna"

    return {page - 1: named(name) for page, name in rows}


def _show(verdict: str, *where: object) -> None:
    if verdict in ("believed", "died"):
        print(f"{verdict}: {where}", file=sys.stderr)


def rows(found: dict[str, Counter[str]]) -> list[list[str]]:
    """Return the verdicts as rows of a table."""
    verdicts = ("refused in a sentence", "said, same numbers", "without effect", "died", "believed")
    return [
        [kind, str(counts.total()), *(str(counts[one]) for one in verdicts)]
        for kind, counts in sorted(found.items())
    ]


def main() -> None:
    """Flip, work, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a minute; writes nothing")
    parser.add_argument("--flips", type=int, default=FLIPS, help="in files")
    parser.add_argument("--database", type=int, default=DATABASE_FLIPS, help="in the SQLite file")
    options = parser.parse_args()
    training._WORTH_SHARING = 0  # the splits of so small a study would not be cached
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    many = (15, 100) if options.quick else (options.flips, options.database)
    with tempfile.TemporaryDirectory() as name:
        in_files, in_database = files(Path(name), many[0]), database(Path(name), many[1])
        in_work = database(Path(name), many[1] // _WORKED_ON, "in a cohort")
    header = ["one bit flipped in", "flips", "refused in a sentence", "said, same numbers",
              "without effect", "died", "believed"]  # fmt: skip
    text = (
        f"{many[0]} flips in the files of a study that is in a cohort, before its test, or done, "
        "which is then worked on to its end and reported with its models; "
        f"{many[1]:,} in the SQLite file of one that is done, which is then reported, and "
        f"{many[1] // _WORKED_ON} in one that is in a cohort, which is then worked on. Compared "
        "are all numbers of the stages, the choice, the final score and the baseline, and the "
        "models; what else the document says (a warning of a damaged curve) counts as said, and "
        "so does a worker's line that a cohort goes on.\n\n"
        f"{table(header, rows(in_files))}\n\nThe SQLite file of a study that is done:\n\n"
        f"{table(header, rows(in_database))}\n\nOf one that is in a cohort:\n\n"
        f"{table(header, rows(in_work))}"
    )
    publish("flipped bits", text, Options(quick=options.quick, data=ROOT))
    counts = [*in_files.values(), *in_database.values(), *in_work.values()]
    wrong = sum(one["believed"] + one["died"] for one in counts)
    if wrong:
        sys.exit(f"flipped bits: {wrong} were believed, or died of")


if __name__ == "__main__":
    main()
