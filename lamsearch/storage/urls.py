"""Storage URLs: what may be given, and what is told of one that may not.

Enters: the text of a URL. Leaves: a URL that names its driver, and the file of an SQLite one.
Refuses to show what cannot be taken apart: it may hold a password.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePath
from urllib.parse import quote, unquote

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from lamsearch import installed
from lamsearch.errors import StorageError
from lamsearch.locations import path_in_url

_HIDDEN = "what was given is not shown, it may hold a password"
_EXAMPLES = "must be a URL such as sqlite:///lamsearch.db or postgresql://user@host/database"
# What sqlite3.connect takes, and with uri=true SQLite itself.
_DRIVER_OPTIONS = frozenset(
    {"uri", "timeout", "isolation_level", "detect_types", "check_same_thread", "cached_statements"}
)
SQLITE_OPTIONS = frozenset(
    {"mode", "cache", "immutable", "nolock", "psow", "vfs", "modeof", "readonly_shm"}
)
_NUMBERS = ("timeout", "detect_types", "cached_statements")
# Options of PostgreSQL whose value may well hold an @.
_MAY_HOLD_AT = frozenset({"user", "host", "options", "application_name"})
# As SQLAlchemy does it: a password ends at the first @, a name without one at the last.
_PARTS = re.compile(r"//(?:[^:/]*(?::[^@]*)?@)?(?P<place>[^?]*)(?:\?(?P<query>.*))?", re.DOTALL)
_ENCODED = (
    "in whose user name and password an @ is written %40 (and : / ? # % are %3A %2F %3F %23 %25)"
)


def parse_url(text: str) -> URL:
    """Return the URL with its driver; what is none is never echoed, it may hold a password.

    Raises:
        StorageError: It is no URL of SQLite or PostgreSQL, or an odd form of one.
    """
    if text != text.strip():
        raise StorageError(f"storage: must not begin or end with a space or line end; {_HIDDEN}")
    scheme, colon, rest = text.partition(":")
    backend, _, driver = scheme.lower().partition("+")
    if colon and backend == "sqlite":
        return _sqlite(rest, driver)
    try:
        url = make_url(f"{scheme.lower()}:{rest}")
    except (ArgumentError, ValueError):
        raise StorageError(f"storage: {_reason(rest)}; {_HIDDEN}") from None
    if backend not in ("postgresql", "postgres"):
        raise StorageError(f"storage: must be sqlite or postgresql, got {backend!r}")
    if _stray_at(rest):
        raise StorageError(f"storage: {_EXAMPLES}, {_ENCODED}; {_HIDDEN}")
    if not installed.is_installed("psycopg"):
        raise StorageError(installed.lacking("storage", "psycopg", install="'psycopg[binary]'"))
    return url.set(drivername="postgresql+psycopg")


def sqlite_file(url: URL) -> Path | None:
    """Return the file of an SQLite URL as it was given, relative or not; None of PostgreSQL."""
    if url.get_backend_name() != "sqlite":
        return None
    name = url.database or ""
    if not _is_uri(url):
        return Path(name)
    path = name.removeprefix("file:")
    if path.startswith("//"):  # an authority, which is empty or localhost
        path = "/" + path[2:].partition("/")[2]
    return path_in_url(unquote(path))


def sqlite_uri(file: PurePath) -> str:
    """Return the URI that SQLite opens a file by, without options; a drive follows a slash."""
    path = (file.absolute() if isinstance(file, Path) else file).as_posix()
    return f"file://{'' if path.startswith('/') else '/'}{quote(path, safe='/:')}"


def _reason(rest: str) -> str:
    """Why what follows the scheme cannot be taken apart."""
    found = _PARTS.fullmatch(rest)
    if found is None:
        return _EXAMPLES
    if "@" in found["place"]:
        return f"{_EXAMPLES}, {_ENCODED}"
    port = found["place"].partition("/")[0].rpartition("]")[2].partition(":")[2]
    return f"{_EXAMPLES}, the port a number" if port and not port.isdecimal() else _EXAMPLES


def _stray_at(rest: str) -> bool:
    """Whether an @ stands where only the rest of a password can have brought it."""
    found = _PARTS.fullmatch(rest)
    if found is None or "@" in found["place"]:
        return True
    items = (found["query"] or "").split("&")
    return any("@" in item and item.partition("=")[0] not in _MAY_HOLD_AT for item in items)


def _sqlite(rest: str, driver: str) -> URL:
    """The URL of an SQLite file."""
    if driver not in ("", "pysqlite"):
        raise StorageError(f"storage: must be sqlite or postgresql, got {'sqlite+' + driver!r}")
    if not rest.startswith("///") and rest != "//":
        raise StorageError(
            "storage: an SQLite file is given with three slashes, as in sqlite:///lamsearch.db, "
            f"and four where its path begins with one; {_HIDDEN}"
        )
    url = make_url(f"sqlite:{rest}")
    _check_options(url)
    name = url.database or ":memory:"
    if ":memory:" in name or url.query.get("mode") == "memory":
        raise StorageError("storage: SQLite must be a file, got a database in memory")
    return url


def _check_options(url: URL) -> None:
    for key, value in url.query.items():
        if key in SQLITE_OPTIONS and not _is_uri(url):
            raise StorageError(
                f"storage: the option {key} of an SQLite URL needs the form "
                f"sqlite:///file:PATH?{key}={value}&uri=true"
            )
        if key not in SQLITE_OPTIONS | _DRIVER_OPTIONS:
            raise StorageError(f"storage: an SQLite URL has no option {key!r}")
        if key in _NUMBERS and not _is_number(value):
            raise StorageError(f"storage: the option {key} must be a whole number, got {value!r}")


def _is_uri(url: URL) -> bool:
    wanted = str(url.query.get("uri", "")).lower() in ("true", "1", "yes", "on", "t", "y")
    return wanted and (url.database or "").startswith("file:")


def _is_number(value: str | tuple[str, ...]) -> bool:
    return isinstance(value, str) and value.isdecimal()
