"""The memory of one worker of the pool: after 5 studies of 5 data sets, and after 100 studies.

Each data set is an .npz file of its own, its normalised split too small to be shared by the cache.
Resident set sizes (Linux), each read once the worker waits again.
"""

from __future__ import annotations

import signal
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.common import publish, read_options, table, verdict
from benchmarks.victims import Site, Size, Victim
from lamsearch import storage as store
from lamsearch.cli.planning import planned
from lamsearch.storage import Database, Mode
from lamsearch.study import read_study

SETS, TARGET = 5, 1.2
_EXAMPLES, _FEATURES = 6000, 400
_STUDY = """
name = "{name}"
seed = {seed}
cohort = 2
[data]
source = "npz"
path = "{data}.npz"
train = 4000
validation = 1000
[network]
hidden = 8
[training]
batch_size = 100
step_size = 10
cycles = 1
[coarse]
trials = 2
log10_lambda = [-5.0, -1.0]
[final]
replicates = 1
"""


def main() -> None:
    """Measure, write."""
    options = read_options(__doc__ or "")
    counts = (SETS, 10, 20) if options.quick else (SETS, 10, 25, 50, 75, 100)
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        _make_data(directory)
        site = Site(directory, f"sqlite:///{directory / 'studies.db'}", Size())
        try:
            found = _measured(site, counts)
        finally:
            site.close()
    publish("pool_memory", _text(found), options)


def _make_data(directory: Path) -> None:
    for number in range(SETS):
        rng = np.random.default_rng(number)
        y = rng.integers(0, 4, _EXAMPLES)
        x = rng.standard_normal((_EXAMPLES, _FEATURES)).astype(np.float32) + y[:, None] / 4
        np.savez(directory / f"set-{number}.npz", X=x.astype(np.float32), y=y)


def _measured(site: Site, counts: tuple[int, ...]) -> list[tuple[int, float, float]]:
    """Studies done, and the worker's megabytes then: resident, and the most ever."""
    found = list[tuple[int, float, float]]()
    worker: Victim | None = None
    handed = 0
    for count in counts:
        for number in range(handed, count):
            _submit(site, number)
        handed = count
        worker = worker or site.command("worker", "--files", str(site.files))
        _wait(site, worker, count)
        found.append((count, _megabytes(worker, "VmRSS"), _megabytes(worker, "VmHWM")))
    assert worker is not None
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 130, worker.said[-2000:]
    return found


def _submit(site: Site, number: int) -> None:
    path = site.directory / f"s{number}.toml"
    text = _STUDY.format(name=path.stem, seed=number, data=f"set-{number % SETS}")
    path.write_text(text, encoding="utf-8")
    database, _ = planned(read_study(path), path, site.url, None, str(site.files))
    database.close()


def _wait(site: Site, worker: Victim, count: int) -> None:
    """Wait until so many studies are done, and a moment more for the worker to wait too."""
    database = Database(site.url, Mode.READ)
    deadline = time.monotonic() + 900
    while sum(one.state == "done" for one in store.read_queue(database)) < count:
        assert worker.poll() is None, worker.said[-2000:]
        assert time.monotonic() < deadline, worker.said[-2000:]
        time.sleep(0.2)
    database.close()
    time.sleep(1.0)


def _megabytes(worker: Victim, name: str) -> float:
    text = Path(f"/proc/{worker.pid}/status").read_text(encoding="utf-8")
    line = next(one for one in text.splitlines() if one.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024 / 1e6


def _text(found: list[tuple[int, float, float]]) -> str:
    first, last = found[0][1], found[-1][1]
    rows = [[f"{count}", f"{now:.0f}", f"{most:.0f}", f"{now / first:.2f}"]
            for count, now, most in found]  # fmt: skip
    header = ["studies done", "resident, MB", "most ever, MB", "resident / after 5"]
    return (
        f"{(__doc__ or '').strip()} MB = 10⁶ bytes; a data set is {_EXAMPLES:,} × {_FEATURES} "
        f"float32, {4 * _EXAMPLES * _FEATURES / 1e6:.0f} MB. After {found[-1][0]} studies "
        f"**{last / first:.2f}×** that after {found[0][0]} ({verdict(last / first, '≤', TARGET)})."
        f"\n\n{table(header, rows)}"
    )


if __name__ == "__main__":
    main()
