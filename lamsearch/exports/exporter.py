"""What an exporter is, and which there are.

Enters: an exporter's name. Leaves: the exporter, its module loaded now.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from lamsearch import registries
from lamsearch.registries import Registry
from lamsearch.results import StudyRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What is exported: a study's record, and the directory of its report.

    ``report`` is None where an exporter does not ask for one.
    """

    record: StudyRecord
    report: Path | None = None


@runtime_checkable
class Exporter(Protocol):
    """Gives a study to another program, whole and once: again is the same runs, none twice."""

    @property
    def takes_report(self) -> bool:
        """Whether the other program keeps files, so that the report is wanted."""
        ...

    def check(self, target: str, study: str) -> None:
        """Find out whether a study of that name can be exported to ``target``; writes nothing.

        Raises:
            InputError: A package is not installed, or the target is none.
        """
        ...

    def send(self, export: Export, target: str) -> str:
        """Export a study; return what was done, as a line that may be shown.

        Raises:
            FilesError: The target could not be written.
        """
        ...


EXPORTERS: Registry[Exporter] = Registry(
    "lamsearch.exporters",
    registries.EXPORTERS,
    rule="an exporter",
    fits=lambda found: isinstance(found, Exporter),
)
