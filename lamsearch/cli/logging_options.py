"""Options of verbs that log what they do, and how an error ends their log.

Enters: a command. Leaves: the same with --log-format, --verbose and --quiet.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

import click

from lamsearch import logs
from lamsearch.errors import LamsearchError

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Logging:
    """How a verb was asked to log."""

    format: logs.Format
    verbose: bool
    quiet: bool

    def configure(self, secret: str) -> None:
        """Log so until the verb ends; nothing secret of the URL ``secret`` is in any line."""
        click.get_current_context().call_on_close(logs.reset)
        logs.configure(format=self.format, verbose=self.verbose, quiet=self.quiet, secret=secret)

    @contextmanager
    def erring(self) -> Iterator[None]:
        """Where each line is to be a document, have the error that ends the verb be one too."""
        try:
            yield
        except LamsearchError as error:
            if self.format == "text":
                raise
            logging.getLogger(logs.NAME).error("%s", error)
            sys.exit(error.exit_code)


def logging_options(command: F) -> F:
    """Add --log-format, --verbose and --quiet; the command gets them as ``log``."""

    @wraps(command)
    def called(*arguments: Any, log_format: logs.Format, verbose: bool, quiet: bool,
               **rest: Any) -> Any:  # fmt: skip
        if verbose and quiet:
            raise click.UsageError("--verbose and --quiet exclude each other")
        return command(*arguments, log=Logging(log_format, verbose, quiet), **rest)

    made: Any = called
    for option in (
        click.option("--quiet", is_flag=True, help="Log only warnings and errors."),
        click.option("--verbose", is_flag=True, help="Log also what helps to find a fault."),
        click.option(
            "--log-format", type=click.Choice(logs.FORMATS), default="text", show_default=True,
            help="A line of text or a JSON document per event.",
        ),
    ):  # fmt: skip
        made = option(made)
    return made  # type: ignore[no-any-return]
