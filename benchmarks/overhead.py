"""What of a whole run's time is not training, and how far the run is from sgemm and PyTorch.

A run of the real command, nothing added to it. Its database says when every cohort began and
ended, by whom, and how many updates it did; what an update and an evaluation of a cohort of that
width cost with all cores busy, on as many examples, is measured before and after, in turn with the
machine's sgemm, and with PyTorch's updates of the same networks where it is installed.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks import contenders as of
from benchmarks import runs, wide_contenders
from benchmarks.common import (
    CORES,
    Options,
    Spread,
    installed,
    publish,
    read_options,
    spread,
    table,
    verdict,
)
from benchmarks.fleet import Fleet, Setup
from lamsearch.results import StageName
from lamsearch.study import Study, Training

MOST_OVERHEAD, MOST_TIMES_SGEMM, LEAST_TIMES_TORCH = 0.08, 1.45, 2.5
_REST = "the rest of a cohort (initial weights, checkpoints, reports, slower updates)"
_PRODUCTS = (Setup(batch=0), Setup(batch=1))  # a process per core; one with all threads


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """One cohort as the database knows it; times are seconds since the command began."""

    stage: StageName
    width: int
    begin: float
    end: float
    updates: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of the command: its wall time, when the study was finished, its cohorts."""

    study: Study
    wall: float
    finished: float
    cohorts: tuple[Cohort, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Seconds with all cores busy, a value per round: of one update of a cohort, of `EVALUATED`
    images through it, and of one product of the machine's sgemm on all cores; of an update of one
    network by each way of PyTorch, with all cores busy, its time over all of them."""

    update: dict[Setup, list[float]]
    evaluation: dict[Setup, list[float]]
    product: list[float]
    torch: dict[str, list[float]]


def main() -> None:
    """Measure, print, write."""
    options = read_options(__doc__ or "")
    name = "digits" if options.quick else "cifar10"
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        path = runs.study_path(name)
        study = runs.warm(path, options, directory / "cache")
        features = study.data.sizes.features if study.data.sizes else 0
        # as many rows as a stage trains on: of fewer, more are in the caches when they are gathered
        rows = max(study.split_of(stage)[0] or 0 for stage in study.stages)
        of.write_images(directory, rows, features)
        with ExitStack() as stack:
            gauge = _Gauge(stack, directory, study, options)
            gauge.measure()
            run = _run(study, path, directory, options)
            gauge.measure()
    publish("overhead", _text(name, run, gauge.costs(), features), options)


class _Gauge:
    """Measures costs on all cores in rounds, before and after the run."""

    def __init__(self, stack: ExitStack, directory: Path, study: Study, options: Options) -> None:
        self._rounds, self._block = (2, 0.05) if options.quick else (6, 0.2)
        fleets = {
            name: stack.enter_context(Fleet(contender, directory, processes=CORES))
            for name, contender in (
                ("update", of.ours), ("evaluation", of.evaluation), ("product", of.sgemm),
            )
        }  # fmt: skip
        whole = stack.enter_context(Fleet(of.sgemm, directory, threads=CORES))
        batches = {study.training_of(stage).batch_size for stage in study.stages}
        # a stage that is extended may have any width up to the cohort's
        widths = range(1, study.cohort_size + 1)
        setups = [Setup(batch=batch, cohort=width) for batch in batches for width in widths]
        self._turns = [(fleets[one], one, s) for s in setups for one in ("update", "evaluation")]
        self._turns += [(fleets["product"], "product", _PRODUCTS[0])]
        self._turns += [(whole, "product", _PRODUCTS[1])]
        self._torch = dict[str, tuple[Fleet, Setup]]()
        if installed("torch"):
            (batch,) = batches  # one way of the peers per study
            self._torch = _torch_ways(stack, directory, batch, study.cohort_size)
            self._turns += [(fleet, name, setup) for name, (fleet, setup) in self._torch.items()]
        self._found: dict[tuple[str, Setup], list[float]] = defaultdict(list)
        for fleet, _, setup in self._turns:
            fleet.prepare(setup)

    def measure(self) -> None:
        """Do half of the rounds."""
        for _ in range(self._rounds):
            for fleet, name, setup in self._turns:
                # per process: all of them work at once, each for itself
                each = CORES if name in ("update", "evaluation") else 1
                self._found[name, setup].append(each * fleet.time(setup, self._block))

    def costs(self) -> Costs:
        """Return all rounds; of sgemm's two ways the faster."""
        products = [self._found["product", setup] for setup in _PRODUCTS]
        pick = {
            name: {setup: times for (one, setup), times in self._found.items() if one == name}
            for name in ("update", "evaluation")
        }
        best = min(products, key=lambda times: float(np.median(times)))
        torch = {
            name: [one / setup.cohort for one in self._found[name, setup]]
            for name, (_, setup) in self._torch.items()
        }
        return Costs(
            update=pick["update"], evaluation=pick["evaluation"], product=best, torch=torch
        )


def _torch_ways(
    stack: ExitStack, directory: Path, batch: int, cohort: int
) -> dict[str, tuple[Fleet, Setup]]:
    """PyTorch's ways of doing the updates: networks one by one or stacked, on one core or all."""
    kinds = (("one by one", of.torch_eager, 1), ("stacked", wide_contenders.torch_stacked, cohort))
    cores = (("a process per core", CORES, 1), ("one process, all threads", 1, CORES))
    return {
        f"{kind}, {spread_over}": (
            stack.enter_context(Fleet(way, directory, processes=processes, threads=threads)),
            Setup(batch=batch, cohort=count),
        )
        for kind, way, count in kinds
        for spread_over, processes, threads in cores
    }


def _run(study: Study, path: Path, directory: Path, options: Options) -> Run:
    place = directory / "run"
    place.mkdir()
    command = runs.run_command(path, place, options)
    began, wall, _ = runs.timed(command, directory / "cache")
    with closing(sqlite3.connect(place / "study.db")) as base:
        finished = base.execute("SELECT finished FROM lamsearch_study").fetchone()[0] - began
        rows = base.execute(
            "SELECT c.stage, json_array_length(c.trials), c.updates,"
            " MIN(t.datetime_start), MAX(t.datetime_complete)"
            " FROM lamsearch_cohort c, json_each(c.trials) s"
            " JOIN trials t ON t.trial_id = json_extract(s.value, '$[0]')"
            " GROUP BY c.stage, c.number"
        ).fetchall()
    cohorts = [
        Cohort(
            stage=stage, width=width, updates=updates,
            begin=datetime.fromisoformat(begin).timestamp() - began,
            end=datetime.fromisoformat(end).timestamp() - began,
        )
        for stage, width, updates, begin, end in rows
    ]  # fmt: skip
    ordered = tuple(sorted(cohorts, key=lambda one: one.begin))
    return Run(study=study, wall=wall, finished=finished, cohorts=ordered)


def _text(name: str, run: Run, costs: Costs, features: int) -> str:
    rounds = len(costs.product)
    shares = [_shares(run, costs, turn) for turn in range(rounds)]
    total = run.wall * CORES
    rows = [
        [part, spread(one[part] for one in shares).text(1),
         spread(100 * one[part] / total for one in shares).text(1)]
        for part in shares[0]
    ]  # fmt: skip
    overhead = spread(_not_training(one) / total for one in shares)
    times = spread(run.wall / _ideal(run, one, features) for one in costs.product)
    verdicts = table(
        ["", "measured", "target"],
        [
            *_torch_rows(run, costs),
            ["not training, share of wall × cores", overhead.text(3),
             verdict(overhead.median, "≤", MOST_OVERHEAD)],
            ["wall ÷ the time sgemm needs on all cores", times.text(),
             verdict(times.median, "≤", MOST_TIMES_SGEMM)],
        ],
    )  # fmt: skip
    nets = sum(one.width * one.updates for one in run.cohorts)
    return (
        f"One `lamsearch run studies/{name}.toml` on {CORES} cores, the cache as an earlier run "
        f"leaves it: wall {run.wall:.1f} s, {len(run.cohorts)} cohorts, {nets:,} updates of a net. "
        "Training and evaluation are counts from the database times what one costs with all cores "
        f"busy on as many examples, measured in {rounds} rounds, half of them before and half "
        f"after the run, in turn with sgemm of {of.SGEMM}³ on all cores "
        f"({_rate(costs).text(0)} GFLOP/s); median (quartiles). "
        "sgemm needs 4 × batch × features × hidden FLOP per net and update."
        f"\n\n{verdicts}\n\n{table(['core-seconds', 's', '% of wall × cores'], rows)}"
        f"\n\n{_stages(run, costs)}"
    )


def _torch_rows(run: Run, costs: Costs) -> Iterator[list[str]]:
    """What each way of PyTorch would take for the updates alone, against the whole run."""
    nets = sum(one.width * one.updates for one in run.cohorts)
    times = {
        way: spread(nets * one / run.wall for one in found) for way, found in costs.torch.items()
    }
    best = min(times, key=lambda way: times[way].median, default="")
    for way, found in times.items():
        aim = verdict(found.median, "≥", LEAST_TIMES_TORCH) if way == best else ""
        yield [f"PyTorch's time for the updates alone ({way}) ÷ wall", found.text(), aim]


def _rate(costs: Costs) -> Spread:
    return spread(of.SGEMM_FLOP / one / 1e9 for one in costs.product)


def _ideal(run: Run, product: float, features: int) -> float:
    """Seconds that all multiplications of the run take at the machine's rate on all cores."""
    (hidden,) = run.study.network.units  # a second hidden layer would be more than is counted
    flop = sum(
        4 * _training(run, one).batch_size * features * hidden
        * one.width * one.updates
        for one in run.cohorts
    )  # fmt: skip
    return flop / of.SGEMM_FLOP * product


def _shares(run: Run, costs: Costs, turn: int) -> dict[str, float]:
    """Every core-second of the run under one name; they sum to wall × cores.

    Workers may be more than cores: cohorts then share those, which none of them leaves idle.
    """
    first, last = min(one.begin for one in run.cohorts), max(one.end for one in run.cohorts)
    training = sum(_trains(run, one, costs, turn) for one in run.cohorts)
    evaluation = sum(_evaluates(run, one, costs, turn) for one in run.cohorts)
    busy, beside, between = _cores(run.cohorts)
    return {
        "training": training,
        "evaluation": evaluation,
        _REST: busy - training - evaluation,
        "start-up, until the first claim": first * CORES,
        "idle beside cohorts, at the ends of stages": beside,
        "stage transitions, with no cohort": between,
        "the test": (run.finished - last) * CORES,
        "report and leaving": (run.wall - run.finished) * CORES,
    }


def _cores(cohorts: Sequence[Cohort]) -> tuple[float, float, float]:
    """Core-seconds that cohorts had; that were idle beside one; and while there was none."""
    changes = sorted(
        change for one in cohorts for change in ((one.begin, 1), (one.end, -1))
    )  # fmt: skip
    busy = beside = between = 0.0
    working = 0
    for (moment, change), (then, _) in pairwise(changes):
        working += change
        used, seconds = min(working, CORES), then - moment
        busy += used * seconds
        if working:
            beside += (CORES - used) * seconds
        else:
            between += CORES * seconds
    return busy, beside, between


def _not_training(shares: dict[str, float]) -> float:
    """The core-seconds of all parts but training. Where the updates of the run were quicker than
    those that were measured beside it, what is left for the rest of a cohort is below 0: none."""
    return sum(max(0.0, seconds) for part, seconds in shares.items() if part != "training")


def _training(run: Run, cohort: Cohort) -> Training:
    return run.study.training_of(cohort.stage)


def _setup(run: Run, cohort: Cohort) -> Setup:
    return Setup(batch=_training(run, cohort).batch_size, cohort=cohort.width)


def _trains(run: Run, cohort: Cohort, costs: Costs, turn: int) -> float:
    return cohort.updates * costs.update[_setup(run, cohort)][turn]


def _evaluates(run: Run, cohort: Cohort, costs: Costs, turn: int) -> float:
    """Validation at every sampling point, and the training split once at the end."""
    training, validation = _training(run, cohort), run.study.validation_images(cohort.stage)
    train = run.study.split_of(cohort.stage)[0] or 0
    points = runs.sampling_points(training, train, cohort.updates)
    units = (len(points) * validation + train) / of.EVALUATED
    return units * costs.evaluation[_setup(run, cohort)][turn]


def _stages(run: Run, costs: Costs) -> str:
    rows = []
    for stage in dict.fromkeys(one.stage for one in run.cohorts):
        members = [one for one in run.cohorts if one.stage == stage]
        busy, _, _ = _cores(members)
        training = np.median([
            sum(_trains(run, one, costs, turn) for one in members)
            for turn in range(len(costs.product))
        ])  # fmt: skip
        wall = max(one.end for one in members) - min(one.begin for one in members)
        widths = " + ".join(str(one.width) for one in members)
        rows.append([
            stage, widths, f"{wall:.1f}", f"{busy:.1f}", f"{training:.1f}",
            f"{100 * (1 - busy / wall / CORES):.0f}",
        ])  # fmt: skip
    header = ["stage", "cohorts' widths", "wall, s", "in cohorts, core-s", "training, core-s",
              "idle, %"]  # fmt: skip
    return table(header, rows)


if __name__ == "__main__":
    main()
