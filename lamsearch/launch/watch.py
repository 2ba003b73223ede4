"""What whoever supervises workers looks at: the study's progress, and whether deaths are a loop.

Enters: a study's name, and each death. Leaves: its status. Refuses to know what a worker is.
"""

from __future__ import annotations

from collections.abc import Callable

from lamsearch.errors import StorageAwayError, WorkFailedError
from lamsearch.trials import DATABASE_ERRORS, Database, Status, is_outage, read_status

_DEATHS_IN_A_ROW = 3  # of each worker, without a single update done in between


class Watch:
    """Watches one study; ``show`` takes its status at every look."""

    def __init__(self, database: Database, study: str, show: Callable[[Status], None]) -> None:
        self._database, self._study, self._show = database, study, show
        self._deaths, self._updates = 0, -1

    def look(self) -> Status | None:
        """Show the study's status and return it; None while the database is away."""
        try:
            status = read_status(self._database, self._study)
        except (*DATABASE_ERRORS, StorageAwayError) as error:
            if not isinstance(error, StorageAwayError) and not is_outage(error):
                raise
            return None  # the workers say so, and go on
        updates = sum(stage.updates for stage in status.stages)
        if updates != self._updates:
            self._deaths, self._updates = 0, updates
        self._show(status)
        return status

    def count_death(self, workers: int, how: str, last_words: str) -> None:
        """Count a death among so many workers.

        Raises:
            WorkFailedError: They keep dying, and nothing gets done in between.
        """
        self._deaths += 1
        if self._deaths >= _DEATHS_IN_A_ROW * workers:
            raise WorkFailedError(f"workers keep dying ({how}): {last_words}")
