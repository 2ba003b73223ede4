"""The verb that serves: serve, whose older name is dashboard."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from lamsearch import logs, open_files
from lamsearch.cli import options
from lamsearch.cli.echo import echo
from lamsearch.cli.logging_options import Logging, logging_options
from lamsearch.cli.older_names import older_name
from lamsearch.errors import InputError
from lamsearch.installed import needed

_LIBRARIES = (
    "a2wsgi", "fastapi", "fastapi_offline", "matplotlib", "optuna_dashboard", "prometheus_client",
    "waitress",
)  # fmt: skip
_log = logging.getLogger(f"{logs.NAME}.serve")


@click.command()
@options.storage
@options.data_dir
@click.option(
    "--files",
    metavar="URL",
    help="Where models and attached files live; else $LAMSEARCH_FILES, else lamsearch-files "
    "beside the SQLite file.",
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
@click.option(
    "--writable", is_flag=True, help="Let the dashboard's pages write, and with a token the API."
)
@click.option(
    "--password-file",
    metavar="F",
    type=click.Path(path_type=Path),
    help="File with the password to ask for; else $LAMSEARCH_DASHBOARD_PASSWORD.",
)
@click.option(
    "--token-file",
    metavar="F",
    type=click.Path(path_type=Path),
    help="File with the token of programs, without which nothing changes over the API.",
)
@logging_options
def serve(
    storage: str | None,
    data_dir: Path | None,
    files: str | None,
    host: str,
    port: int,
    writable: bool,
    password_file: Path | None,
    token_file: Path | None,
    log: Logging,
) -> None:
    """Serve the queue, reports, an API and Optuna's dashboard; prints the address.

    Read-only and on this machine unless told otherwise. Ctrl-C or SIGTERM ends it, with exit
    code 0.

    \b
    Example:
      lamsearch serve --port 8080
    """
    needed("serve", *_LIBRARIES, install="lamsearch")
    from lamsearch import web
    from lamsearch.storage import Mode

    log.configure(options.storage_url(storage))
    with log.erring():
        if lacking := open_files.lacking(2 * open_files.START):  # half of them for connections
            raise InputError(lacking)
        credentials = web.Credentials(
            password=web.read_password(password_file), token=web.read_token(token_file)
        )
        changes = Mode.CREATE if credentials.token is not None else Mode.WORK
        database = options.open_storage(storage, changes if writable else Mode.READ, connections=4)
        web.serve(
            database,
            places=web.Places(
                data_directory=options.data_directory(data_dir),
                cache_directory=options.cache_directory(),
                given=options.files_given(files),
                default=options.files_default(options.storage_url(storage)),
            ),
            host=host,
            port=port,
            writable=writable,
            credentials=credentials,
            announce=echo,
            say=_log.warning,
        )


dashboard = older_name(serve, "dashboard")
