"""The verb that serves: dashboard."""

from __future__ import annotations

from pathlib import Path

import click

from lamsearch import open_files
from lamsearch.cli import options
from lamsearch.cli.echo import echo
from lamsearch.errors import InputError


@click.command()
@options.storage
@click.option(
    "--files",
    metavar="URL",
    help="Where files attached in the dashboard live; else $LAMSEARCH_FILES, else "
    "lamsearch-files beside the SQLite file.",
)
@click.option(
    "--host",
    metavar="H",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; any but this machine's own needs a password.",
)
@click.option(
    "--port",
    metavar="P",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@click.option("--writable", is_flag=True, help="Let pages of the dashboard write.")
@click.option(
    "--password-file",
    metavar="F",
    type=click.Path(path_type=Path),
    help="File with the password to ask for; else $LAMSEARCH_DASHBOARD_PASSWORD.",
)
def dashboard(
    storage: str | None,
    files: str | None,
    host: str,
    port: int,
    writable: bool,
    password_file: Path | None,
) -> None:
    """Serve the Optuna dashboard, read-only, on this machine; prints its address.

    Ctrl-C or SIGTERM ends it, with exit code 0.

    \b
    Example:
      lamsearch dashboard --port 8080
    """
    from lamsearch.storage import Mode
    from lamsearch.web import serve

    if lacking := open_files.lacking(2 * open_files.START):  # half of them for connections
        raise InputError(lacking)
    database = options.open_storage(storage, Mode.WORK if writable else Mode.READ)
    serve(
        database,
        files=options.files_given(files) or options.files_default(options.storage_url(storage)),
        host=host,
        port=port,
        writable=writable,
        password_file=password_file,
        announce=echo,
        say=lambda line: echo(line, err=True),
    )
