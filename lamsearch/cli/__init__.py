"""The command line: verbs, and the only place where an error becomes a sentence and an exit code.

Exit codes: 0 done, 1 the work failed, 2 bad input or usage, 130 interrupted and resumable.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
from typing import Any

import click

from lamsearch import __version__
from lamsearch.cli import dashboard, data, inspection, lr_range, running, storage
from lamsearch.cli.echo import Visible, echo
from lamsearch.errors import InputError, InterruptedWorkError, LamsearchError
from lamsearch.storage import DATABASE_ERRORS
from lamsearch.terminal import speak_plainly


class _Verbs(click.Group):
    """Turns errors of the one family into a sentence on stderr and an exit code."""

    def main(self, *arguments: Any, **rest: Any) -> Any:
        """Speak with the letters that standard output and standard error have."""
        for stream in (sys.stdout, sys.stderr):
            speak_plainly(stream)
        if logging.lastResort is not None:
            logging.lastResort.setFormatter(Visible())
        return super().main(*arguments, **rest)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except LamsearchError as error:
            echo(f"Error: {error}", err=True)
            sys.exit(error.exit_code)
        except DATABASE_ERRORS as error:
            # the driver's text may hold the URL: only what kind of error it was is said here
            kind = type(getattr(error, "orig", None) or error).__name__
            echo(f"Error: storage: the database failed in the middle ({kind})", err=True)
            sys.exit(LamsearchError.exit_code)
        except UnicodeEncodeError as error:
            if not _is_undecodable(error):
                raise
            echo("Error: a name or path must be UTF-8, one given holds other bytes", err=True)
            sys.exit(InputError.exit_code)
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE):
                raise
            echo(f"Error: {os.strerror(error.errno)}: more must be allowed (ulimit -n)", err=True)
            sys.exit(LamsearchError.exit_code)
        except KeyboardInterrupt:
            echo("Error: interrupted", err=True)
            sys.exit(InterruptedWorkError.exit_code)


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


for _verb in (
    running.run, running.worker, running.create, inspection.status, inspection.report,
    inspection.check, inspection.gradcheck, lr_range.lr_range, dashboard.dashboard, running.delete,
    data.data, storage.storage,
):  # fmt: skip
    cli.add_command(_verb)
