"""What every benchmark shares: options, spreads, tables, and a section of RESULTS.md.

Enters: measured numbers. Leaves: Markdown. Refuses to know what is measured.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import scipy.linalg.blas  # noqa: F401 - loads SciPy's BLAS, for its version to be seen
from threadpoolctl import threadpool_info

from lamsearch.cli.options import data_directory
from lamsearch.pool import cores

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "RESULTS.md"
CORES = cores()
MISSING = "not installed"
Kept = TypeVar("Kept")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a benchmark was asked to run."""

    quick: bool
    data: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Median and quartiles over rounds."""

    median: float
    low: float
    high: float

    def text(self, digits: int = 2) -> str:
        """Return ``median (low–high)``."""
        low, median, high = (f"{x:,.{digits}f}" for x in (self.low, self.median, self.high))
        return f"{median} ({low}–{high})"


def read_options(description: str) -> Options:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="under a minute; writes nothing")
    parser.add_argument("--data-dir", type=Path, help="directory of the data, as for lamsearch run")
    found = parser.parse_args()
    return Options(quick=found.quick, data=data_directory(found.data_dir).resolve())


def spread(values: Iterable[float]) -> Spread:
    """Return median and quartiles of one value per round."""
    low, median, high = np.percentile(list(values), [25, 50, 75])
    return Spread(median=float(median), low=float(low), high=float(high))


def ratios(numerators: Sequence[float], denominators: Sequence[float]) -> Spread:
    """Return the spread of ratios, each taken within one round."""
    return spread(one / other for one, other in zip(numerators, denominators, strict=True))


def verdict(value: float, rule: str, bound: float) -> str:
    """Return a target and whether it was reached; ``rule`` is ≥ or ≤."""
    reached = value >= bound if rule == "≥" else value <= bound
    return f"{rule} {bound:g}: {'reached' if reached else 'missed'}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table, numbers to the right."""
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def installed(package: str) -> bool:
    """Say whether a peer is there, without loading it."""
    return find_spec(package) is not None


def publish(name: str, text: str, options: Options) -> None:
    """Print a section; unless quick, write it to RESULTS.md in place of the one of its name."""
    section = f"## {name}\n\n{text.strip()}\n\n{machine()}\n"
    print(section)
    if options.quick:
        return
    old = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else "# Results\n"
    head, *others = re.split(r"^(?=## )", old, flags=re.MULTILINE)
    kept = [one for one in others if one.splitlines()[0] != f"## {name}"]
    parts = [head, *sorted([*kept, section])]
    whole = "\n\n".join(part.strip() for part in parts) + "\n"
    temporary = RESULTS.with_suffix(".tmp")
    temporary.write_text(whole, encoding="utf-8")
    temporary.replace(RESULTS)


def machine() -> str:
    """Describe the machine, the libraries and the code, in one paragraph."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = [
        f"{name} {metadata.version(name)}" if installed(module) else f"{name} {MISSING}"
        for name, module in (
            ("numpy", "numpy"), ("scipy", "scipy"), ("optuna", "optuna"), ("torch", "torch"),
            ("jax", "jax"), ("scikit-learn", "sklearn"),
        )
    ]  # fmt: skip
    blas = {
        f"{Path(one['filepath']).parent.stem.split('.')[0]}'s {one['internal_api']} "
        f"{one['version']} {one.get('architecture', '')}".strip()
        for one in threadpool_info()
        if one["user_api"] == "blas"
    }
    return (
        f"*{_processor()}, {CORES} cores, {memory:.0f} GiB, {_system()}, "
        f"Python {platform.python_version()}, {', '.join(versions)}; BLAS: "
        f"{', '.join(sorted(blas))}; {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {commit()}.*"
    )


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    if facts.exists():
        found = dict(
            [part.strip() for part in line.split(":", 1)]
            for line in facts.read_text(encoding="utf-8").splitlines()
            if ":" in line
        )
        family = f"family {found.get('cpu family')}, model {found.get('model')}"
        return f"{found.get('model name', platform.machine())} ({family})"
    return platform.processor() or platform.machine()


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"] + f", Linux {platform.release()}"
    except OSError:
        return platform.platform()


def commit() -> str:
    """Return the commit in short, and whether code or studies differ from it."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True)
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--", "lamsearch", "benchmarks/*.py", "studies")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + (" with changes" if changed else "")


def in_parallel(function: Callable[..., Kept], jobs: Sequence[tuple[Any, ...]]) -> list[Kept]:
    """Return what a function makes of every job, one core each."""
    with ProcessPoolExecutor(CORES) as pool:
        return list(pool.map(function, *zip(*jobs, strict=True)))
