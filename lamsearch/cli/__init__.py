"""The command line: verbs, and the only place where an error becomes a sentence and an exit code.

Enters: arguments. Leaves: what a verb does. A verb is a click command in a module of its own,
listed in `lamsearch.registries` or registered by another package under ``lamsearch.verbs``, and is
loaded when it is asked for, not when all are listed. Exit codes: 0 done, 1 the work failed, 2 bad
input or usage, 130 interrupted and resumable.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from click.shell_completion import CompletionItem

from lamsearch import __version__, collecting, registries
from lamsearch.cli.echo import Visible, echo
from lamsearch.cli.signals import leaving_at_once
from lamsearch.cli.summaries import listed
from lamsearch.errors import InputError, InterruptedWorkError, LamsearchError
from lamsearch.installed import lacking, package_of
from lamsearch.letters import speak_plainly
from lamsearch.registries import BrokenEntryError, Registry, UnknownNameError

VERBS: Registry[click.Command] = Registry(
    "lamsearch.verbs",
    registries.VERBS,
    rule="a click command",
    fits=lambda found: isinstance(found, click.Command),
)


class _Verbs(click.Group):
    """Finds verbs in the registry; turns errors into a sentence on stderr and an exit code."""

    _listing = False  # whether verbs are wanted for their summaries alone

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all verbs; what a broken package registers is no verb."""
        foreign = (name for name in VERBS.names if name not in VERBS.builtin)
        usable = (name for name in foreign if self.get_command(ctx, name) is not None)
        return sorted((*VERBS.builtin, *usable))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List all verbs without loading lamsearch's own."""
        with self._summaries():
            super().format_commands(ctx, formatter)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the name of a verb without loading lamsearch's own."""
        with self._summaries():
            return super().shell_complete(ctx, incomplete)

    @contextmanager
    def _summaries(self) -> Iterator[None]:
        self._listing = True
        try:
            yield
        finally:
            self._listing = False

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a verb, loaded now; None where there is none, or one that is broken."""
        if self._listing and cmd_name in VERBS.builtin:
            found = listed(cmd_name, registries.VERBS[cmd_name])
            if found is not None:
                return found
        try:
            with leaving_at_once(), collecting.loading():
                return VERBS.get(cmd_name)
        except UnknownNameError:
            return None
        except BrokenEntryError as error:
            if cmd_name not in self._warned:
                echo(f"Warning: {error}", err=True)
            self._warned.add(cmd_name)
            return None

    def main(self, *arguments: Any, **rest: Any) -> Any:
        """Speak with the letters that standard output and standard error have."""
        self._warned: set[str] = set()
        for stream in (sys.stdout, sys.stderr):
            speak_plainly(stream)
        if logging.lastResort is not None:
            logging.lastResort.setFormatter(Visible())
        return super().main(*arguments, **rest)

    def invoke(self, ctx: click.Context) -> Any:
        """Do what is asked; exit with the code of what goes wrong."""
        try:
            return super().invoke(ctx)
        except LamsearchError as error:
            _leave(str(error), error.exit_code)
        except UnicodeEncodeError as error:
            if not _is_undecodable(error):
                raise
            _leave(
                "a name or path must be UTF-8, one given holds other bytes", InputError.exit_code
            )
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE):
                raise
            rule = f"{os.strerror(error.errno)}: more must be allowed (ulimit -n)"
            _leave(rule, LamsearchError.exit_code)
        except ModuleNotFoundError as error:
            package = package_of(error)
            if package is None:
                raise
            verb = ctx.invoked_subcommand or "lamsearch"
            _leave(lacking(verb, package, install=package), InputError.exit_code)
        except KeyboardInterrupt:
            _leave("interrupted", InterruptedWorkError.exit_code)
        except Exception as error:
            if not _is_of_database(error):
                raise
            # the driver's text may hold the URL: only what kind of error it was is said here
            kind = type(getattr(error, "orig", None) or error).__name__
            rule = f"storage: the database failed in the middle ({kind})"
            _leave(rule, LamsearchError.exit_code)


def _leave(sentence: str, code: int) -> None:
    echo(f"Error: {sentence}", err=True)
    sys.exit(code)


def _is_of_database(error: Exception) -> bool:
    """Whether a database's library raised it; who has not loaded `lamsearch.storage` asked none."""
    storage = sys.modules.get("lamsearch.storage")
    return storage is not None and isinstance(error, storage.DATABASE_ERRORS)


def _is_undecodable(error: UnicodeEncodeError) -> bool:
    """Whether the text came from bytes that are no UTF-8, which Python keeps as surrogates."""
    return any("\ud800" <= letter <= "\udfff" for letter in error.object)


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """Find the L2 penalty λ of a network honestly, fast, and on machines that may die.

    \b
    Example:
      lamsearch run studies/digits.toml
    """
