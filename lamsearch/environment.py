"""What computes here: versions, libraries, kernels, processor; and what of it could change bits.

Enters: nothing, or two of these records. Leaves: the record of this process, and the differences
that count. Refuses to know studies and workers.

The same study file gives the same bits where the same machine code adds up the same numbers in the
same order. So these count:

- lamsearch: its own arithmetic, and its order;
- NumPy: random streams, sums, and exp, log, tanh of its own; the SIMD extensions that it found say
  which of several implementations ran, for they differ in last bits;
- SciPy: the quantiles, and the BLAS that it brings;
- each BLAS: library, version, and the kernel that it chose for this processor. The order in which
  a kernel sums differs from the next one's. A library that names no kernel is taken to have one for
  each processor;
- the device that a trainer computes on, where that is not the processor: its library sums in
  another order there, and in another one on the next model of it;
- the C library: Python's and NumPy's pow, exp and log are its own, and λ is 10 ** log10 λ.

These are recorded, and do not count: the processor itself (what of it bears on bits is the kernel
and the extensions), Python (its arithmetic is IEEE 754's and the C library's), Optuna (it keeps
what was drawn; its TPE draws by what has ended, which promises nothing anyway), the number of
threads (it is one, by the plan) and the size of caches (of OpenBLAS' kernels it changes blocks of
rows, not the order of sums).
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from lamsearch import __version__

_NAMES = {
    "lamsearch": "lamsearch", "numpy": "NumPy", "scipy": "SciPy", "blas": "BLAS",
    "simd": "NumPy's SIMD extensions", "c_library": "C library", "device": "device",
}  # fmt: skip
CPU = "cpu"  # what is computed on where no trainer says otherwise
# The first three are installed with lamsearch; the others also follow from the machine.
INSTALLED = ("lamsearch", "numpy", "scipy")
MACHINE = ("blas", "simd", "c_library", "device")


@dataclass(frozen=True, slots=True, kw_only=True)
class Blas:
    """A BLAS library: its name, version, and the kernel that it chose, or the processor."""

    library: str
    version: str
    kernel: str

    def __str__(self) -> str:
        return f"{self.library} {self.version} ({self.kernel})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What computes: versions as text, BLAS libraries and SIMD extensions in a fixed order."""

    lamsearch: str
    numpy: str
    scipy: str
    python: str
    blas: tuple[Blas, ...]
    simd: tuple[str, ...]
    c_library: str
    processor: str
    device: str = CPU

    def document(self) -> dict[str, Any]:
        """Return the parts as plain values, the device where it is not the processor.

        So an environment without one is what it was to versions that knew none.
        """
        values = asdict(self)
        if self.device == CPU:
            del values["device"]
        return values

    def text_of(self, name: str) -> str:
        """Return a part as a sentence can hold it."""
        value = getattr(self, name)
        if isinstance(value, tuple):
            return " and ".join(map(str, value)) or "none"
        return str(value)


@cache
def here() -> Environment:
    """Return what computes in this process, NumPy and SciPy loaded as a worker has them."""
    import numpy as np
    import scipy
    from threadpoolctl import threadpool_info

    from lamsearch import scipy_blas  # noqa: F401 - its BLAS is loaded with it

    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", ())
    processor = _processor()
    blas = {
        (one["internal_api"], str(one["version"]), str(one.get("architecture") or processor))
        for one in threadpool_info()
        if one["user_api"] == "blas"
    }
    return Environment(
        lamsearch=__version__,
        numpy=np.__version__,
        scipy=scipy.__version__,
        python=platform.python_version(),
        blas=tuple(Blas(library=a, version=b, kernel=c) for a, b, c in sorted(blas)),
        simd=tuple(found),
        c_library=" ".join(filter(None, platform.libc_ver())) or platform.system(),
        processor=processor,
    )


def differences(
    here: Environment, *, planned: Environment | None, first: Environment | None
) -> list[str]:
    """Return in words what could make numbers differ; empty where nothing could.

    Args:
        here: what computes in the process that asks.
        planned: what was installed where the study was planned, if that was recorded.
        first: what the study's first worker computed with; of a study that none has worked on yet,
            the machine is not compared, for it need not be the one that planned.
    """
    installed = first if planned is None else planned
    return [
        *_differences(here, installed, INSTALLED),
        *_differences(here, first, MACHINE),
    ]


def _differences(
    here: Environment, other: Environment | None, names: tuple[str, ...]
) -> Iterator[str]:
    for name in names if other is not None else ():
        if getattr(here, name) != getattr(other, name):
            assert other is not None  # noqa: S101 - else there are no names
            yield f"{_NAMES[name]} {other.text_of(name)}, got {here.text_of(name)}"


def _processor() -> str:
    """The processor's name, as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # a system without it
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return (names and names[0]) or platform.processor() or platform.machine() or "unknown"
