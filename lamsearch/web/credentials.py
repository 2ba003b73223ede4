"""The secrets that a server asks for: a password of people, a token of programs.

Enters: files, and for the password an environment variable. Leaves: bytes. Refuses what is too
short to be a secret, and shows none.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from lamsearch.errors import InputError

PASSWORD_VARIABLE = "LAMSEARCH_DASHBOARD_PASSWORD"  # noqa: S105  # a variable's name
_LEAST_PASSWORD, _LEAST_TOKEN = 8, 16  # bytes
_TOKEN = re.compile(rb"[\x21-\x7e]+")  # what fits an HTTP header, without blanks


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What is asked for; None where nothing is."""

    password: bytes | None = None
    token: bytes | None = None


def read_password(path: Path | None) -> bytes | None:
    """Return the password from a file, else from the environment, else None.

    Raises:
        InputError: The file cannot be read, or the password is too short.
    """
    if path is None:
        given, where = os.environ.get(PASSWORD_VARIABLE), PASSWORD_VARIABLE
        if given is None:
            return None
        password = os.fsencode(given)
    else:
        where = f"password file {path}"
        password = _content(path, where)
    if len(password.strip()) < _LEAST_PASSWORD:
        raise InputError(f"{where}: a password must have at least {_LEAST_PASSWORD} characters")
    return password


def read_token(path: Path | None) -> bytes | None:
    """Return the token from a file, None where none is given.

    Raises:
        InputError: The file cannot be read, or holds no token.
    """
    if path is None:
        return None
    where = f"token file {path}"
    token = _content(path, where)
    if len(token) < _LEAST_TOKEN or not _TOKEN.fullmatch(token):
        rule = f"must have at least {_LEAST_TOKEN} characters, of ASCII and without blanks"
        raise InputError(f"{where}: a token {rule}")
    return token


def _content(path: Path, where: str) -> bytes:
    try:
        return path.read_bytes().rstrip(b"\r\n")
    except OSError as error:
        raise InputError(f"{where}: cannot be read: {error.strerror}") from None
