"""Locations: which URLs may hold a study's files, and whether one location is within another.

Enters: paths and fsspec URLs, from whoever runs lamsearch or from a database; of the environment,
the operator's further protocols. Leaves: a refusal in one sentence, or the answer. Refuses to
connect to anything: what a database says is checked before anybody is asked for it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

from lamsearch.errors import InputError
from lamsearch.redaction import shown

PROTOCOLS_VARIABLE = "LAMSEARCH_FILES_PROTOCOLS"
_LOCAL = ("file", "local")
_KNOWN = frozenset({*_LOCAL, "s3", "s3a"})
_DRIVE = re.compile(r"/[A-Za-z]:[\\/]")  # as in file:///C:/x
_WINDOWS = os.name == "nt"
_PROTOCOL = re.compile(r"(data(?=:)|.*?(?=://))", re.DOTALL)
_REMOTE = re.compile(r"(?P<store>[^:]+://[^/?#]+)(?P<path>[^?#]*)", re.DOTALL)


def protocol_of(url: str) -> str:
    """Return the protocol that fsspec would choose for a URL; ``file`` for a plain path."""
    found = _PROTOCOL.match(url)
    return "file" if found is None else found[0].lower()


def is_local(url: str) -> bool:
    """Whether a URL is a path, or names one."""
    return "::" not in url and protocol_of(url) in _LOCAL


def local_path(url: str) -> Path:
    """Return the path that a local URL names."""
    return path_in_url(url.partition("://")[2]) if "://" in url else Path(url)


def path_in_url(path: str) -> Path:
    """Return the path that stands in a URL; on Windows the slash before a drive is none of it."""
    return Path(path[1:] if _WINDOWS and _DRIVE.match(path) else path)


def check_protocol(url: str) -> None:
    """Refuse a URL whose protocol nobody allowed: some of fsspec's run code or ask anybody.

    Raises:
        InputError: It is a chain of URLs, or its protocol is neither known nor allowed.
    """
    allowed = _KNOWN | set(os.environ.get(PROTOCOLS_VARIABLE, "").replace(",", " ").split())
    protocol = protocol_of(url)
    if "::" not in url and protocol in allowed:
        return
    if protocol == "memory":
        raise InputError(
            f"files: must outlive the process, which memory:// does not, got {shown(url)}"
        )
    rule = "must be a directory or a URL that fsspec knows, without '::', of file, s3, s3a"
    raise InputError(f"files: {rule} or a protocol in {PROTOCOLS_VARIABLE}, got {shown(url)}")


def is_within(url: str, root: str) -> bool:
    """Whether a location is another one or below it, wherever links lead; True promises it."""
    if is_local(url) and is_local(root):
        try:
            return local_path(url).resolve().is_relative_to(local_path(root).resolve())
        except (OSError, ValueError, RuntimeError):  # too long, not a path, links in a circle
            return False
    if "::" in url or url == root:
        return url == root
    one, other = _REMOTE.fullmatch(url), _REMOTE.fullmatch(root)
    if one is None or other is None or one["store"] != other["store"]:
        return False
    within, above = PurePosixPath(one["path"] or "/"), PurePosixPath(other["path"] or "/")
    return ".." not in within.parts and within.is_relative_to(above)
