"""A cohort of 32 PyTorch modules by one vmap against the same 32 one by one, and its study.

    python -m benchmarks.torch_cohort [--quick]

Enters: examples/torch-trainer, PyTorch. Leaves: seconds of both for several sizes, and the report
of the example's study, in RESULTS.md and docs/own-model.md. Both train the same modules on the same
mini-batches for as many updates and score the same validation examples, in one process with the
machine's cores as threads, in turns. One by one is plain PyTorch: a module, `torch.optim.SGD` with
weight decay, autograd. Then cohorts of 8 to 256 on the device that LAMSEARCH_DEVICE names, else on
what there is, beside the processor. The study is run after the example is installed, which needs
setuptools.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import (
    CORES,
    MISSING,
    ROOT,
    Spread,
    installed,
    publish,
    ratios,
    read_options,
    spread,
    table,
    verdict,
)
from lamsearch import defaults
from lamsearch.trainers import Task, Training
from lamsearch.trainers.conformance.case import DrawnSplits

EXAMPLE = ROOT / "examples/torch-trainer"
PAGE = ROOT / "docs/own-model.md"
MODELS, ROUNDS, BOUND = 32, 7, 3.0
COHORTS = (8, 32, 128, 256)
_CLASSES, _EXAMPLES = 10, 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A module, its mini-batches, and how long a round of it is."""

    name: str
    features: int
    hidden: tuple[int, ...]
    batch_size: int
    updates: int


SIZES = (
    Size(name="digits: 64 → 50 → 10, batch 50", features=64, hidden=(50,), batch_size=50,
         updates=100),
    Size(name="64 → 50 → 10, batch 100", features=64, hidden=(50,), batch_size=100, updates=100),
    Size(name="64 → 100 → 100 → 10, batch 100", features=64, hidden=(100, 100), batch_size=100,
         updates=60),
    Size(name="784 → 50 → 10, batch 100", features=784, hidden=(50,), batch_size=100, updates=40),
    Size(name="3072 → 50 → 10, batch 100", features=3072, hidden=(50,), batch_size=100,
         updates=16),
)  # fmt: skip


def main() -> None:
    """Measure all sizes, run the study, publish."""
    options = read_options(__doc__ or "")
    if not installed("torch"):
        publish("torch_cohort", f"PyTorch: {MISSING}.", options)
        return
    sys.path.insert(0, str(EXAMPLE))
    rounds = 3 if options.quick else ROUNDS
    rows, first = [], 0.0
    for size in SIZES[:2] if options.quick else SIZES:
        together, alone = _measured(size, rounds)
        ratio = ratios(alone, together)
        first = first or ratio.median
        rows.append([size.name, *map(_text, (_each(size, alone), _each(size, together), ratio))])
    clock = f"wall time, {CORES} threads both; median (quartiles) of {rounds} rounds in turns"
    sizes = sizes_text(options.quick, rounds)
    speed, report = speed_text(rows, clock), f"```text\n{_study()}```"
    if not options.quick:
        write_page(speed, report)
    target = f"Target of the first row's ratio {verdict(first, '≥', BOUND)}."
    study = f"`lamsearch run examples/torch-trainer/study.toml`:\n\n{report}"
    publish("torch_cohort", f"{speed}\n\n{target}\n\n{sizes}\n\n{study}", options)


def speed_text(rows: Sequence[Sequence[str]], clock: str) -> str:
    """Return the table of all sizes, with how it was measured."""
    header = ["module, mini-batch", "one by one, µs", f"{MODELS} by vmap, µs", "ratio"]
    return (
        f"{MODELS} modules of one seed, each with its own λ, by one `torch.func.vmap` and one by "
        f"one in plain PyTorch; µs per model and update, everything included ({clock}):\n\n"
        f"{table(header, rows)}"
    )


def sizes_text(quick: bool, rounds: int) -> str:
    """Return the table of cohort sizes on each device, with how it was measured."""
    from torch_trainer.devices import found

    here = list(dict.fromkeys([found("cpu"), found(defaults.device())]))
    cohorts = COHORTS[:2] if quick else COHORTS
    rows = []
    for size, device in product(SIZES[:1] if quick else (SIZES[0], SIZES[2], SIZES[4]), here):
        row = [size.name, str(device)]
        for models in cohorts:
            task = replace(_task(size, models), device=device.name)
            times = [_seconds(task) for _ in range(rounds)]
            row.append(_text(spread(1e6 * one / size.updates / models for one in times)))
        rows.append(row)
    header = ["module, mini-batch", "device", *(f"cohort {models}, µs" for models in cohorts)]
    return (
        f"Cohorts of several sizes, µs per model and update; median (quartiles) of {rounds} "
        f"rounds:\n\n{table(header, rows)}"
    )


def _seconds(task: Task) -> float:
    """Seconds of all updates of a task, a device's own queue emptied by each update's losses."""
    from torch_trainer.trainer import TorchTrainer

    trainer = TorchTrainer(task)
    begun = time.perf_counter()
    for _ in trainer.run():
        pass
    return time.perf_counter() - begun


def write_page(speed: str, report: str) -> None:
    """Put the table and the study's report into the page that shows them."""
    text = PAGE.read_text(encoding="utf-8")
    for name, content in (("torch speed", speed), ("torch study", report)):
        opening, closing = f"<!-- {name} -->\n", f"\n<!-- /{name} -->"
        (head, rest) = text.split(opening)
        (_, tail) = f"\n{rest}".split(closing)
        text = f"{head}{opening}{content}{closing}{tail}"
    PAGE.write_text(text, encoding="utf-8")


def _each(size: Size, seconds: Sequence[float]) -> Spread:
    return spread(1e6 * one / size.updates / MODELS for one in seconds)


def _text(value: Spread) -> str:
    return value.text(1)


def _measured(size: Size, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of each round, by vmap and one by one; refuse rounds that learn different things."""
    from torch_trainer.trainer import TorchTrainer

    task = _task(size)
    start, together, alone = TorchTrainer(task), [], []
    for number in range(rounds + 1):
        begun = time.perf_counter()
        scores = _by_vmap(task)
        between = time.perf_counter()
        peers = _one_by_one(start)
        ended = time.perf_counter()
        np.testing.assert_allclose(scores, peers, atol=0.03)
        if number:
            together.append(between - begun)
            alone.append(ended - between)
    return together, alone


def _task(size: Size, models: int = MODELS) -> Task:
    """Gaussian classes in as many features, and the cohort that is trained on them."""
    from torch_trainer.trainer import Options as TorchOptions

    rng = np.random.default_rng(1)
    y = rng.integers(_CLASSES, size=_EXAMPLES + 500)
    centres = rng.normal(size=(_CLASSES, size.features)) * np.sqrt(8 / size.features)
    x = (centres[y] + rng.normal(size=(len(y), size.features))).astype(np.float32)
    ones = np.ones(size.features, np.float32)
    splits = DrawnSplits(
        train_x=x[:_EXAMPLES], train_y=y[:_EXAMPLES], validation_x=x[_EXAMPLES:],
        validation_y=y[_EXAMPLES:], mean=0 * ones, std=ones,
    )  # fmt: skip
    return Task(
        points=tuple((float(one),) for one in np.linspace(-5, -1, models)), splits=splits,
        training=Training(batch_size=size.batch_size, step_size=size.updates // 2),
        options=TorchOptions(hidden=size.hidden, threads=CORES), classes=_CLASSES, seed=(1, 0, 0),
    )  # fmt: skip


def _by_vmap(task: Task) -> list[float]:
    """Validation accuracies (K,) of the example's trainer."""
    from torch_trainer.trainer import TorchTrainer

    trainer = TorchTrainer(task)
    for _ in trainer.run():
        pass
    return [one.score or 0.0 for one in trainer.outcomes()]


def _one_by_one(start: Any) -> list[float]:
    """Validation accuracies (K,) of as many modules that begin so, each trained by itself."""
    import torch

    task, splits = start.task, start.task.splits
    x, y = torch.from_numpy(splits.train_x), torch.from_numpy(splits.train_y)
    held_x, held_y = torch.from_numpy(splits.validation_x), torch.from_numpy(splits.validation_y)
    found = []
    for (log10_lambda,) in task.points:
        module, optimiser = _peer(start, 10.0**log10_lambda)
        for update in range(task.training.updates):
            rows = torch.from_numpy(start.rows(update))
            _update(module, optimiser, x[rows], y[rows], start.rate(update))
        with torch.inference_mode():
            right = module(held_x).argmax(dim=1) == held_y
        found.append(float(right.float().mean()))
    return found


def _peer(start: Any, lam: float) -> tuple[Any, Any]:
    """A module that begins as those of the cohort do, and what steps it."""
    import torch
    from torch_trainer.module import build

    task = start.task
    module = build(task.splits.train_x.shape[1], task.options.hidden, task.classes)
    module.load_state_dict({name: torch.tensor(one[0]) for name, one in start.arrays.items()})
    parameters = list(module.parameters())
    weights = {"params": [one for one in parameters if one.ndim > 1], "weight_decay": 2 * lam}
    biases = {"params": [one for one in parameters if one.ndim == 1]}
    return module, torch.optim.SGD([weights, biases], lr=1.0)


def _update(module: Any, optimiser: Any, x: Any, y: Any, rate: float) -> None:
    from torch.nn import functional

    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.zero_grad(set_to_none=True)
    functional.cross_entropy(module(x), y).backward()
    optimiser.step()


def _study() -> str:
    """Install the example, run its study as anybody would, return what the terminal shows."""
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps",
             "--no-build-isolation", "--target", f"{directory}/site", _copied(Path(directory))],
            check=True,
        )  # fmt: skip
        environment = {
            **os.environ, "PYTHONPATH": os.pathsep.join([f"{directory}/site", str(ROOT)]),
            "LAMSEARCH_STORAGE": "sqlite:///torch.db", "NO_COLOR": "1", "COLUMNS": "100",
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", "lamsearch", "run", EXAMPLE / "study.toml", "--workers", "1"],
            cwd=directory, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stderr)
    return _answer(done.stdout)


def _copied(directory: Path) -> Path:
    """A copy of the example, for building writes beside what it builds."""
    import shutil

    hidden = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
    return Path(shutil.copytree(EXAMPLE, directory / "example", ignore=hidden))


def _answer(shown: str) -> str:
    """What the terminal shows, without the paths of where it was written."""
    lines = [line.rstrip() for line in shown.splitlines()]
    return "\n".join(line for line in lines if not re.search(r"report|/tmp", line)).strip() + "\n"


if __name__ == "__main__":
    main()
