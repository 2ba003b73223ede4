"""Logs: one line per event, with its time, level, study and cohort, as text or as JSON.

Enters: how they are wanted, and records of the logger ``lamsearch`` and those below it. Leaves:
lines on standard error, in which control characters are visible and nothing is secret. A process
that does not configure them prints its warnings plainly, as Python does. Refuses to know what an
event is: whoever logs one says it in a sentence.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Literal

from lamsearch.redaction import scrub
from lamsearch.visible import visible

Format = Literal["text", "json"]
FORMATS: tuple[Format, ...] = ("text", "json")
NAME = "lamsearch"
_study: ContextVar[str | None] = ContextVar("study", default=None)
_cohort: ContextVar[str | None] = ContextVar("cohort", default=None)


def configure(
    *,
    format: Format = "text",  # noqa: A002 - as the command line has it
    verbose: bool = False,
    quiet: bool = False,
    secret: str = "",
) -> None:
    """Have events logged on standard error; done twice, the last one counts.

    Args:
        format: a line of text or a JSON document each.
        verbose: whether what only helps to find a fault is logged too.
        quiet: whether only warnings and errors are logged.
        secret: a URL whose secrets are in no line; those that lines show themselves never are.
    """
    logger = logging.getLogger(NAME)
    handler = _Lines()
    handler.setFormatter((_Json if format == "json" else _Text)(secret))
    logger.handlers[:] = [handler]
    logger.setLevel(logging.DEBUG if verbose else logging.WARNING if quiet else logging.INFO)


def reset() -> None:
    """Have nothing logged but warnings, plainly, as before `configure`."""
    logger = logging.getLogger(NAME)
    logger.handlers[:] = []
    logger.setLevel(logging.NOTSET)


@contextmanager
def about(*, study: str | None = None, cohort: str | None = None) -> Iterator[None]:
    """Have what is logged meanwhile, in this thread, say which study and cohort it is about."""
    tokens = [
        (variable, variable.set(value))
        for variable, value in ((_study, study), (_cohort, cohort))
        if value is not None
    ]
    try:
        yield
    finally:
        for variable, token in tokens:
            variable.reset(token)


def study() -> str | None:
    """Return the study that is worked on in this thread, if that was said."""
    return _study.get()


class _Lines(logging.Handler):
    """Writes to standard error as it is at that moment; whoever listened may be gone."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception:  # a log line is never worth the work
            self.handleError(record)
            return
        with suppress(OSError, ValueError):
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()


class _Formatter(logging.Formatter):
    def __init__(self, secret: str) -> None:
        super().__init__()
        self._secret = secret

    def facts(self, record: logging.LogRecord) -> dict[str, str]:
        """Return what a line says, each part harmless; what is not known is left out."""
        found = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "study": getattr(record, "study", None) or _study.get(),
            "cohort": getattr(record, "cohort", None) or _cohort.get(),
            "message": super().format(record),
        }
        found["time"] = str(found["time"]).replace("+00:00", "Z")
        return {
            name: visible(scrub(str(value), self._secret))
            for name, value in found.items()
            if value is not None
        }


class _Text(_Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """Return ``TIME LEVEL [STUDY COHORT] MESSAGE``."""
        facts = self.facts(record)
        where = " ".join(facts[name] for name in ("study", "cohort") if name in facts)
        opening = f"{facts['time']} {facts['level']:<7}"
        return (
            f"{opening} [{where}] {facts['message']}" if where else f"{opening} {facts['message']}"
        )


class _Json(_Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """Return one JSON object."""
        return json.dumps(self.facts(record), ensure_ascii=False)
