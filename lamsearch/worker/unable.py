"""Studies that a worker cannot serve: left to others, said once, tried again every now and then.

Enters: a study and why it cannot be served here. Leaves: which are left out at the moment, and in
the storage the reason, for whoever asks why nobody works. Refuses to know what would help.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from lamsearch import storage as store
from lamsearch.storage import Claimable, Database
from lamsearch.worker.renewer import Retry

_FIRST_SECONDS, _GROWTH, _LONGEST_SECONDS = 5.0, 2.0, 300.0
_ID, _NUMBER = re.compile(r"[0-9a-f]{32}"), re.compile(r"[0-9a-f]*[0-9][0-9a-f]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reason:
    """Why a study cannot be served, and until when it is not tried again."""

    text: str
    until: float
    seconds: float


class Unable:
    """What one worker cannot serve.

    Args:
        database: where the studies are.
        retried: repeats calls of the database.
        say: takes a line for each new reason.
    """

    def __init__(self, database: Database, retried: Retry, say: Callable[[str], None]) -> None:
        self._database, self._retried, self._say = database, retried, say
        self._host = socket.gethostname()
        self._reasons: dict[Claimable, _Reason] = {}
        self._served: object = None  # the id of the study that was served last

    def left_out(self, *, tried_again: bool = True) -> tuple[list[str], list[str]]:
        """Return which studies are left out: names and ids.

        By its id, so that one which is deleted and made again is another; by its name where its
        row has no such id. Unless ``tried_again``, those are among them whose time has come.
        """
        now = time.monotonic()
        left = [
            study for study, reason in self._reasons.items()
            if reason.until > now or not tried_again
        ]  # fmt: skip
        return (
            [study.name for study in left if not _has_id(study)],
            [str(study.id) for study in left if _has_id(study)],
        )

    def add(self, study: Claimable, text: str) -> None:
        """Leave a study to others for a while; say and write why, unless that is known."""
        before = self._reasons.get(study)
        seconds = _FIRST_SECONDS if before is None else _GROWTH * before.seconds
        seconds = min(seconds, _LONGEST_SECONDS)
        until = time.monotonic() + seconds
        self._reasons[study] = _Reason(text=text, until=until, seconds=seconds)
        if self._served == study.id:
            self._served = None
        if before is not None and _alike(before.text) == _alike(text):
            return
        self._say(f"{text}; the study is left to others")
        if _has_id(study):
            self._retried(
                lambda: store.write_unable(self._database, str(study.id), self._host, text)
            )

    def remove(self, study: Claimable) -> None:
        """Note that a study is served, by this host's workers too if it was not before."""
        if self._reasons.pop(study, None) is not None:
            self._say("the study can be served here again")
        if self._served != study.id and _has_id(study):
            self._retried(lambda: store.clear_unable(self._database, str(study.id), self._host))
        self._served = study.id

    def forget(self, study: Claimable) -> None:
        """Forget a study that is no more."""
        self._reasons.pop(study, None)


def _alike(text: str) -> str:
    """A reason without its numbers: another checkpoint that cannot be written is none."""
    return _NUMBER.sub("0", text)


def _has_id(study: Claimable) -> bool:
    return isinstance(study.id, str) and _ID.fullmatch(study.id) is not None
