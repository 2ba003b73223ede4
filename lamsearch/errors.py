"""The one error family. Enters: nothing. Leaves: exceptions that state a rule, then the value.

Knows nothing of exit codes' printing: only the CLI turns an error into a sentence.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_LONGEST_VALUE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One broken rule of outside input: where it stands, the rule, and the value that broke it."""

    where: str
    rule: str
    value: object = ...

    def __str__(self) -> str:
        got = "" if self.value is ... else f", got {shown(self.value)}"
        return f"{self.where}: {self.rule}{got}"


def shown(value: object) -> str:
    """A value as a sentence can hold it: long ones are cut."""
    try:
        text = repr(value)
    except ValueError:  # Python writes out no whole number of more than 4,300 digits
        return "a number of thousands of digits"
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


class LamsearchError(Exception):
    """Anything lamsearch refuses or fails at; ``exit_code`` is what the CLI leaves with."""

    exit_code = 1


class InputError(LamsearchError):
    """Bad input from outside; nothing was changed."""

    exit_code = 2


class StudyFileError(InputError):
    """A study file with issues, all of them, one per line."""

    def __init__(self, issues: Iterable[Issue]) -> None:
        self.issues = tuple(issues)
        super().__init__("\n".join(str(issue) for issue in self.issues))


class DataError(InputError):
    """Data that are missing, damaged, refused, or other than the study was planned with."""


class StorageError(InputError):
    """A storage URL that cannot be used; the message never carries its password."""


class StorageAwayError(StorageError):
    """A storage that cannot be reached at the moment; bad input at start-up, an outage later."""


class StorageReadOnlyError(StorageAwayError):
    """A storage that may not be written at the moment, such as a standby before its promotion."""


class StorageBusyError(StorageAwayError):
    """A storage in which another transaction holds a lock for long; it is waited for again."""


class StorageFailedError(LamsearchError):
    """A storage that was in use and can no longer be: its disk is full, or may not be written."""


class StorageGoneError(StorageFailedError):
    """An SQLite file that was moved, deleted or replaced while it was in use."""


class StudyStateError(InputError):
    """A study that is not there, or whose name is taken by another."""


class UnknownStudyError(StudyStateError):
    """A study of a name that no study has."""


class FilesError(LamsearchError):
    """A file that could not be written or read whole (disk full, directory read-only)."""


class OutputError(InputError, FilesError):
    """An output directory that is none, or that holds what lamsearch did not write."""


class WorkFailedError(LamsearchError):
    """The study cannot go on: nothing is left to select from, or its workers keep dying."""


class LeaseLostError(LamsearchError):
    """The lease on a cohort was given to another worker; this one's result must be dropped."""


class StudyHaltedError(LeaseLostError):
    """Somebody has paused or cancelled the study of a lease, as ``halted`` says.

    Of a paused study the lease still holds: what is trained can be saved and given back.
    """

    def __init__(self, message: str, *, halted: str) -> None:
        self.halted = halted
        super().__init__(message)


class ServerError(LamsearchError):
    """A server of lamsearch's that answered what a client does not understand."""


class ServerAwayError(ServerError):
    """A server that cannot be reached, or whose database is away; later it may answer."""


class AccessError(InputError):
    """A server that wants another token or password, or allows nobody what was asked."""


class InterruptedWorkError(LamsearchError):
    """Stopped by the user; what was checkpointed goes on at the next run."""

    exit_code = 130
