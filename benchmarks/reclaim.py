"""Half of a thousand workers killed at once: how soon others have their cohorts.

The crowd is that of `benchmarks.thousand`, with trainings that end before a lease does: workers are
free then. With longer ones the cohorts of the dead wait until somebody has ended his own.

    python -m benchmarks.reclaim [--quick]
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from benchmarks import thousand
from benchmarks.common import publish, read_options, verdict
from benchmarks.postgres import Server

SECONDS = 40.0  # of a training


def main() -> None:
    """Measure, print, write."""
    options = read_options(__doc__ or "")
    size = thousand.QUICK if options.quick else replace(thousand.FULL, seconds=SECONDS)
    with tempfile.TemporaryDirectory() as name, Server(tcp=True) as server:
        crowd = thousand.run(server, Path(name) / "dying", size.many, size.many, size, kill=True)
    late = (crowd.reclaimed or 0.0) - size.lease
    text = (
        f"{thousand.said_of(size)}\n\n"
        f"{thousand.figures({f'{size.many:,}, half killed': crowd})}\n\n"
        f"After {size.many // 2} were killed at once, the last of their cohorts was reclaimed "
        f"**{late:.1f}** s after the length of a lease ({verdict(late, '≤', thousand.RECLAIMED)})."
    )
    publish("reclaim", text, options)


if __name__ == "__main__":
    main()
