"""What whoever supervises workers looks at: the study's progress, and whether deaths are a loop.

Enters: a study's name, its files, and each death. Leaves: its status. Progress is what a kill does
not undo: trials that are completed, checkpoints that are saved. Updates are none: those of a worker
that dies before its next checkpoint are done again. Refuses to know what a worker is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

from lamsearch.artifacts import Files
from lamsearch.errors import FilesError, WorkFailedError
from lamsearch.storage import RETRIED, Database, Status, passes, read_status

_DEATHS_IN_A_ROW = 3  # of each worker, without anything completed or saved in between


class Watch:
    """Watches one study.

    Args:
        database: the storage.
        study: the study's name.
        show: takes its status at every look.
        files: where its checkpoints are.
    """

    def __init__(
        self, database: Database, study: str, show: Callable[[Status], None], files: Files
    ) -> None:
        self._database, self._study, self._show = database, study, show
        self._files = files
        self._deaths, self._most = 0, dict[str, int]()
        self._note(self._saved())

    def look(self) -> Status | None:
        """Show the study's status and return it; None while the database is away."""
        try:
            status = read_status(self._database, self._study)
        except RETRIED as error:
            if not passes(error):
                raise
            return None  # the workers say so, and go on
        self._note({stage.name: stage.finished for stage in status.stages})
        # where checkpoints are not to be seen from here: what a worker has found and gone on from
        self._note({f"{one.stage}-{one.cohort}": one.updates for one in status.recovered})
        self._show(status)
        return status

    def count_death(self, workers: int, how: str, last_stderr: str) -> None:
        """Count a death among so many workers.

        Raises:
            WorkFailedError: They keep dying, and nothing is completed or saved in between.
        """
        self._note(self._saved())
        self.look()  # what was completed just before it
        self._deaths += 1
        if self._deaths >= _DEATHS_IN_A_ROW * workers:
            raise WorkFailedError(f"workers keep dying ({how}): {last_stderr}")

    def _note(self, counts: Mapping[str, int]) -> None:
        """Take note of counts, which may fall too; any that is higher than ever is progress."""
        for name, count in counts.items():
            if count > self._most.get(name, 0):
                self._deaths, self._most[name] = 0, count

    def _saved(self) -> dict[str, int]:
        with suppress(FilesError):  # what is wrong with them, the workers say
            return self._files.newest_checkpoints()
        return {}
