"""The way in: ``python -m lamsearch`` and the ``lamsearch`` command."""

from __future__ import annotations

import gc
import os
import signal
import sys
from types import FrameType

from lamsearch import collecting, open_files


def main() -> None:
    """Run the command line."""
    if lacking := open_files.lacking(open_files.START):
        print(f"Error: {lacking}", file=sys.stderr)
        sys.exit(2)
    # Processes share the cores, not threads: OpenBLAS would start some in every fork, which spin.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # An import that is interrupted ends in somebody's traceback.
    before = signal.signal(signal.SIGINT, _leave)
    collecting.own_process()
    with collecting.loading():
        from lamsearch.cli import cli

    signal.signal(signal.SIGINT, before)
    try:
        cli(prog_name="lamsearch")
    finally:
        gc.freeze()  # an interpreter that ends would walk all that is left, again and again


def _leave(_number: int, _frame: FrameType | None) -> None:
    os.write(2, b"Error: interrupted\n")
    os._exit(130)


if __name__ == "__main__":
    main()
