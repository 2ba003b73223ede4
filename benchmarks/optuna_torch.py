"""The peer of `benchmarks.search`: Optuna over PyTorch, as its competent user writes it.

The coarse λs of a study file are enqueued; the objective trains one net with the study's
schedule, takes the validation accuracy at the study's sampling points and returns the last one.
Either one process with all threads, or several of one thread each on a shared SQLite study.
Prints the accuracies as JSON, in the order of the λs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import optuna
import torch

from benchmarks.runs import coarse_coordinates, sampling_points
from benchmarks.torch_net import TorchNet
from lamsearch import data as datasets
from lamsearch.schedules import schedule_of
from lamsearch.study import Study, read_study


class Objective:
    """Trains one net at the λ of the trial."""

    def __init__(self, study: Study, splits: datasets.Splits, seed: int) -> None:
        self._training, self._seed = study.training_of("coarse"), seed
        (self._hidden,) = study.network.units  # TorchNet's only hidden layer
        # the images are mapped read-only; PyTorch wants its own
        self._x, self._y = torch.tensor(splits.train_x), torch.tensor(splits.train_y)
        self._held_x = torch.tensor(splits.validation_x)
        self._held_y = torch.tensor(splits.validation_y)
        self._classes = int(splits.train_y.max()) + 1

    def __call__(self, trial: optuna.Trial) -> float:
        """Return the validation accuracy at the end."""
        lam = 10.0 ** trial.suggest_float("log10_lambda", -30.0, 10.0)
        torch.manual_seed(1000 * self._seed + trial.number)
        training, rate = self._training, schedule_of(self._training)
        net = TorchNet(self._x.shape[1], self._hidden, self._classes, lam=lam)
        per_epoch = len(self._y) // training.batch_size
        points = sampling_points(training, len(self._y), training.updates)
        curve: list[float] = []
        for update in range(training.updates):
            place = update % per_epoch
            if place == 0:
                batches = torch.randperm(len(self._y)).split(training.batch_size)
            x, y = (one.index_select(0, batches[place]) for one in (self._x, self._y))
            net.step(x, y, rate(update))
            if update + 1 in points:
                curve.append(net.accuracy(self._held_x, self._held_y))
        trial.set_user_attr("curve", curve)
        return curve[-1]


def main() -> None:
    """Plan, and work alone or start others and wait."""
    arguments = _arguments()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = read_study(arguments.study)
    if arguments.share is not None:
        return _work(study, arguments, arguments.share)
    coordinates = coarse_coordinates(study)
    shares = [
        optuna.create_study(
            study_name=_title(study, share), storage=arguments.storage, direction="maximize"
        )
        for share in range(arguments.processes)
    ]
    for index, coordinate in enumerate(coordinates):
        shares[index % len(shares)].enqueue_trial({"log10_lambda": coordinate})
    if len(shares) == 1:
        _work(study, arguments, 0)
    else:
        _start(len(shares))
    trials = [trial for share in shares for trial in share.trials]
    values = {trial.params["log10_lambda"]: trial.value for trial in trials}
    print(json.dumps([values[coordinate] for coordinate in coordinates]))
    return None


def _title(study: Study, share: int) -> str:
    """One Optuna study per process: on SQLite two of them claim the same waiting trial."""
    return f"{study.name}-{share}"


def _start(count: int) -> None:
    command = [sys.executable, "-m", "benchmarks.optuna_torch", *sys.argv[1:], "--share"]
    members = [subprocess.Popen([*command, str(share)]) for share in range(count)]
    codes = [member.wait() for member in members]
    if any(codes):
        raise SystemExit("a process failed")


def _work(study: Study, arguments: argparse.Namespace, share: int) -> None:
    torch.set_num_threads(arguments.threads)
    data = datasets.load(
        study, arguments.data_dir, origin=arguments.study.parent, cache=arguments.cache
    )
    own = optuna.load_study(study_name=_title(study, share), storage=arguments.storage)
    objective = Objective(study, data.split("coarse"), arguments.seed)
    own.optimize(objective, n_trials=len(own.trials), n_jobs=1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("study", type=Path)
    parser.add_argument("--storage", required=True)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--processes", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--share", type=int, help="for a process that another one has started")
    return parser.parse_args()


if __name__ == "__main__":
    main()
