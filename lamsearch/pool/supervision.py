"""What whoever supervises workers looks at: the study's progress, and whether deaths are a loop.

Enters: a study's name, its files, and each death. Leaves: its status. Progress is what a kill does
not undo: trials that are completed, checkpoints that are saved. Updates are none: those of a worker
that dies before its next checkpoint are done again. Refuses to know what a worker is.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from lamsearch.artifacts import Files
from lamsearch.errors import FilesError, WorkFailedError
from lamsearch.results import StudyState
from lamsearch.storage import (
    RETRIED,
    Database,
    Remaining,
    Status,
    passes,
    read_remaining,
    read_status,
)

_DEATHS_IN_A_ROW = 3  # of each worker, without anything completed or saved in between
_UNCHANGED_SECONDS = 3.0  # for which a status is believed while nothing was written
_TIMES = 10  # what a look took: another comes no sooner
_SHARE, _LONGEST = 1 / 100, 1.0  # of the seconds watched so far, nor before that, or a second
_LOOP_SECONDS = 60.0  # of a pool whose workers serve whatever there is


class Watch:
    """Watches one study.

    Args:
        database: the storage.
        study: the study's name.
        show: takes its status at every look.
        files: where its checkpoints are.
        say: takes a line when somebody has paused it, and one when it goes on.
    """

    def __init__(
        self,
        database: Database,
        study: str,
        show: Callable[[Status], None],
        files: Files,
        say: Callable[[str], None],
    ) -> None:
        self._database, self._study, self._show = database, study, show
        self._say, self._paused = say, False
        # the last status, the storage's changes at it, and when another is due, at the earliest and
        # at the latest
        self._seen: tuple[Status, int | None, float, float] | None = None
        self._files, self._begun = files, time.monotonic()
        self._deaths, self._most = 0, dict[str, int]()
        self._note(self._saved())

    def look(self, *, anew: bool = False) -> Status | None:
        """Show the study's status and return it; None while the database is away.

        Where nothing was written since the last look, which SQLite says, it is that one's, as it is
        soon after it, unless it is to be looked ``anew``: that takes some milliseconds of the cores
        that train, and more the more trials there are.
        """
        changes, begun = self._database.changes(), time.monotonic()
        if self._seen is not None and not anew:
            status, before, earliest, latest = self._seen
            unchanged = changes is not None and changes == before
            if begun < (latest if unchanged else earliest):
                return status
        try:
            status = read_status(self._database, self._study)
        except RETRIED as error:
            if not passes(error):
                raise
            return None  # the workers say so, and go on
        now = time.monotonic()
        patience = min(_LONGEST, _SHARE * (now - self._begun))
        earliest = now + max(_TIMES * (now - begun), patience)
        self._seen = status, changes, earliest, max(earliest, now + _UNCHANGED_SECONDS)
        self._note({stage.name: stage.finished for stage in status.stages})
        # where checkpoints are not to be seen from here: what a worker has found and gone on from
        self._note({f"{one.stage}-{one.cohort}": one.updates for one in status.recovered})
        self._show(status)
        self._say_paused(status.state)
        return status

    def remaining(self, most: int) -> tuple[Sequence[Remaining], Mapping[int, float]]:
        """Return what `read_remaining` does; nothing while the database is away."""
        try:
            return read_remaining(self._database, self._study, most)
        except RETRIED as error:
            if not passes(error):
                raise
            return (), {}

    def count_death(self, workers: int, how: str, last_stderr: str) -> None:
        """Count a death among so many workers.

        Raises:
            WorkFailedError: They keep dying, and nothing is completed or saved in between.
        """
        self._note(self._saved())
        self.look(anew=True)  # what was completed just before it
        self._deaths += 1
        if self._deaths >= _DEATHS_IN_A_ROW * workers:
            raise WorkFailedError(f"workers keep dying ({how}): {last_stderr}")

    def _say_paused(self, state: StudyState) -> None:
        paused = state is StudyState.PAUSED
        if paused and not self._paused:
            self._say(f"{self._study} is paused: workers wait until it is resumed")
        elif self._paused and not paused and not state.over:
            self._say(f"{self._study} is resumed")
        self._paused = paused

    def _note(self, counts: Mapping[str, int]) -> None:
        """Take note of counts, which may fall too; any that is higher than ever is progress."""
        for name, count in counts.items():
            if count > self._most.get(name, 0):
                self._deaths, self._most[name] = 0, count

    def _saved(self) -> dict[str, int]:
        with suppress(FilesError):  # what is wrong with them, the workers say
            return self._files.newest_checkpoints()
        return {}


class StandingWatch:
    """Watches a pool that serves all studies until it is asked to leave.

    There is no one study whose progress would tell a crash loop from bad luck, so their rate does.
    """

    def __init__(self) -> None:
        self._deaths: deque[float] = deque()

    def look(self) -> None:
        """Find that nothing is over: it never is."""

    def count_death(self, workers: int, how: str, last_stderr: str) -> None:
        """Count a death among so many workers.

        Raises:
            WorkFailedError: They keep dying, faster than their work could be the cause.
        """
        now = time.monotonic()
        self._deaths.append(now)
        while self._deaths[0] < now - _LOOP_SECONDS:
            self._deaths.popleft()
        if len(self._deaths) >= _DEATHS_IN_A_ROW * workers:
            raise WorkFailedError(f"workers keep dying ({how}): {last_stderr}")
