"""The standing pool on a Dask cluster: one worker process per Dask worker, serving all studies.

Enters: a scheduler's address, a storage. Leaves: when it is told to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from lamsearch.cli import options
from lamsearch.cli.signals import leaving
from lamsearch.pool import Cluster, StandingWatch, connect
from lamsearch.storage import Mode

_SECONDS = 4.8  # to leave gracefully in


def serve_on_cluster(
    address: str,
    storage: str | None,
    data_dir: Path | None,
    files: str | None,
    timing: Sequence[str],
    say: Callable[[str], None],
) -> None:
    """Have every worker of a Dask cluster serve the studies of a storage.

    Raises:
        InputError: Nothing answers at the address, the storage cannot be used, or a worker found
            its input bad.
        InterruptedWorkError: It was told to leave; the workers have left gracefully.
        WorkFailedError: The workers keep dying, or the scheduler is gone.
    """
    with connect(address) as client:
        options.open_storage(storage, Mode.WORK).close()  # what is wrong with it is said here
        cluster = Cluster(
            client,
            StandingWatch(),
            "pool",
            arguments=["worker", "--supervised", *options.data_dir_everywhere(data_dir), *timing],
            environment=options.environment(storage, files, everywhere=True),
            say=say,
        )
        options.warn_of_sqlite(storage, say)
        with leaving(say, within=_SECONDS, at_once=cluster.kill) as stop:
            cluster.run(stop)
