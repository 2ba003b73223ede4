"""How fast the dashboard answers at 5,000 trials, against Optuna's own on the same storage.

Enters: nothing. Leaves: seconds of the requests that a browser makes, cold and warm, of a really
running `lamsearch dashboard` on SQLite, and of Optuna's application as its command line has it.
The trials' results are made up: only their number and their rows matter here.

    python -m benchmarks.dashboard [--quick]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, sleep

import numpy as np

from benchmarks.common import CORES, Options, publish, read_options, spread, table, verdict
from lamsearch.results import Curve, Trained, TrialState
from lamsearch.storage import Claim, Database, Heartbeat, Leases, create
from lamsearch.study import parse_study

TRIALS, QUICK_TRIALS, POINTS, COHORT = 5_000, 400, 200, 8
MOST_SECONDS = 0.3
_ROUNDS = 15
_BARE = (
    "import sys, waitress, optuna_dashboard;"
    "waitress.serve(optuna_dashboard.wsgi(sys.argv[1]), host='127.0.0.1', port=int(sys.argv[2]))"
)


def fill(url: str, trials: int) -> None:
    """Plan a study of one stage, and tell a made-up result of every trial."""
    study = parse_study(
        {
            "name": "many", "seed": 1, "cohort": COHORT,
            "data": {"source": "digits", "train": 300, "validation": 100},
            "training": {"batch_size": 20, "step_size": 500, "cycles": 2},
            "coarse": {"trials": trials, "log10_lambda": [-6.0, -1.0]},
        }
    )  # fmt: skip
    database = Database(url)
    create(
        database, study, data_fingerprint="d" * 64, validation_images={"coarse": 100},
        classes=("zero", "one"), origin=".", files="files",
    )  # fmt: skip
    leases = Leases(database, study.name, owner="benchmark", seconds=3600.0)
    rng = np.random.default_rng(0)
    while isinstance(claim := leases.claim(), Claim):
        outcomes = [made_up(trial.point[0], rng) for trial in claim.trials]
        leases.complete(claim, outcomes, Heartbeat(updates=2000, per_second=1000.0), 1.0)
    database.close()


def made_up(log10_lambda: float, rng: np.random.Generator) -> Trained:
    """Return a made-up result of a trial."""
    score = 0.9 - 0.02 * (log10_lambda + 3.0) ** 2 + 0.005 * float(rng.standard_normal())
    names = ("training_loss", "training_cost", "training_accuracy",
             "validation_loss", "validation_cost", "validation_accuracy")  # fmt: skip
    curves = {name: rng.random(POINTS) for name in names}
    return Trained(
        state=TrialState.COMPLETE,
        score=score,
        validation_loss=1.0 - score,
        train_score=score + 0.03,
        cycle_scores=(score - 0.1, score),
        curve=Curve(
            updates=np.linspace(0, 2000, POINTS).astype(int),
            learning_rate=rng.random(POINTS),
            values=curves,
        ),
        scores=rng.random(100) < score,
    )


def ask(url: str) -> float:
    """Return the seconds until an answer is there whole."""
    start = perf_counter()
    with urllib.request.urlopen(url) as answer:  # noqa: S310 - loopback
        answer.read()
    return perf_counter() - start


def requests(trials: int, artifact: str | None) -> dict[str, str]:
    """What a browser asks for, by what it is for."""
    asked = {
        "list of studies": "api/studies",
        "page of a study, all trials": "api/studies/1",
        "its refresh": f"api/studies/1?after={trials}",
    }
    return asked if artifact is None else {**asked, "figure of a trial": artifact}


def measure(base: str, asked: dict[str, str]) -> dict[str, tuple[float, list[float]]]:
    """The first answer to each request, and later ones."""
    return {
        what: (ask(base + path), [ask(base + path) for _ in range(_ROUNDS)])
        for what, path in asked.items()
    }


def _ours(url: str, directory: Path) -> tuple[subprocess.Popen[str], str]:
    command = [sys.executable, "-m", "lamsearch", "dashboard", "--storage", url, "--port", "0"]
    process = subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def _bare(url: str, directory: Path) -> tuple[subprocess.Popen[str], str]:
    port = 8000 + np.random.default_rng().integers(1000)
    command = [sys.executable, "-c", _BARE, url, str(port)]
    process = subprocess.Popen(command, cwd=directory, text=True)
    base = f"http://127.0.0.1:{port}/"
    for _ in range(600):
        try:
            ask(f"{base}api/meta")
            break
        except OSError:
            if process.poll() is not None:
                raise
            sleep(0.1)
    return process, base


def with_server(
    start: Callable[[str, Path], tuple[subprocess.Popen[str], str]],
    url: str,
    directory: Path,
    asked: dict[str, str],
) -> dict[str, tuple[float, list[float]]]:
    """Measure a server from its start to its end."""
    process, base = start(url, directory)
    try:
        return measure(base, asked)
    finally:
        process.terminate()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _artifact(url: str) -> str:
    """The address of the first trial's figure."""
    database = Database(url)
    with database.read() as transaction:
        name = transaction.connection.exec_driver_sql("SELECT id FROM lamsearch_study").scalar_one()
    database.close()
    return f"artifacts/1/1/{name[:12]}-1-0"


def _text(trials: int, ours: dict[str, tuple[float, list[float]]],
          bare: dict[str, tuple[float, list[float]]]) -> str:  # fmt: skip
    rows = []
    for what, (first, later) in ours.items():
        other = bare.get(what)
        rows.append([
            what, f"{1000 * first:,.0f}", spread(1000 * one for one in later).text(0),
            "–" if other is None else f"{1000 * other[0]:,.0f}",
            "–" if other is None else spread(1000 * one for one in other[1]).text(0),
        ])  # fmt: skip
    header = ["milliseconds", "first", "later", "bare Optuna, first", "bare Optuna, later"]
    first, later = ours["list of studies"]
    reached = verdict(max(first, *later), "≤", MOST_SECONDS)
    return (
        f"{trials:,} complete trials in one stage on SQLite, each with a curve of {POINTS} points; "
        f"{CORES} cores; a really running process, asked over loopback; first answer after its "
        f"start, and median (quartiles) of {_ROUNDS} later ones. Bare Optuna is its application "
        "without our notes, figures and artifacts, under the same server."
        f"\n\n{table(header, rows)}\n\nThe list of studies, slowest answer, seconds: "
        f"{max(first, *later):.3f} ({reached})."
    )


def main() -> None:
    """Measure, print, write."""
    options: Options = read_options(__doc__ or "")
    trials = QUICK_TRIALS if options.quick else TRIALS
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        url = f"sqlite:///{directory / 'many.db'}"
        fill(url, trials)
        asked = requests(trials, _artifact(url))
        ours = with_server(_ours, url, directory, asked)
        bare = with_server(_bare, url, directory, requests(trials, None))
    publish("dashboard", _text(trials, ours, bare), options)


if __name__ == "__main__":
    main()
