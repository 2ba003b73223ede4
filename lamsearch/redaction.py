"""Redaction: what of a URL may be shown, and texts without what may not.

Enters: URLs of storages, files and schedulers, and what libraries say about them. Leaves: the same
with ``***`` for all that is not known to be harmless. Refuses to know which secrets there are:
scheme, host, port and path are shown, all else only where a list below says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus, unquote, unquote_plus

HIDDEN = "***"
# Where a user's name stands before a colon, and the password apart from it.
_USERS = frozenset(
    {"postgresql", "postgres", "ftp", "ftps", "sftp", "ssh", "smb", "hdfs", "webhdfs", "memory"}
)
# Where an @ behind the first slash is a part of a name.
_STORES = frozenset({"s3", "s3a", "gs", "gcs", "az", "adl", "oci", "memory"})
_FILES = frozenset({"file", "local", "sqlite"})  # which have neither user nor host
_HARMLESS = frozenset({
    # of PostgreSQL
    "application_name", "channel_binding", "client_encoding", "connect_timeout", "dbname",
    "gssencmode", "host", "hostaddr", "keepalives", "keepalives_count", "keepalives_idle",
    "keepalives_interval", "load_balance_hosts", "port", "require_auth", "sslmode",
    "ssl_min_protocol_version", "target_session_attrs", "tcp_user_timeout", "user",
    # of SQLite
    "cache", "check_same_thread", "immutable", "mode", "nolock", "timeout", "uri", "vfs",
    # of object stores
    "account", "anon", "project", "region", "region_name",
})  # fmt: skip
_URL = re.compile(r"(?P<chain>(?:[a-z][a-z0-9_]{0,15}::)*)(?P<scheme>[A-Za-z][\w+.-]*)://", re.A)
_REST = re.compile(r"(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?P<query>.*)", re.DOTALL)
_NAME = re.compile(r"[\w.~%+-]*")
_HOST = re.compile(r"(\[[\w:.%]*\]|[^\s:\[\]]*)(:\d*)?", re.A)
_PLAIN = re.compile(r"[\w.,:/%+-]*")
_IN_TEXT = re.compile(r"(?:[a-z]\w*::)*[A-Za-z][\w+.-]*://[^\s\"'<>]*[^\s\"'<>.,;:)}]", re.A)
_WORD = 4  # characters; what is shorter is only removed where it stands alone
_OPTION = re.compile(r"[a-z][a-z0-9_.-]*")
# What is shown, and the secrets that it stands for.
_Part = tuple[str, tuple[str, ...]]


class _Whole(str):
    """A secret of which a part may be an ordinary word."""

    __slots__ = ()


def shown(url: str) -> str:
    """Return a URL as it may be shown; a path without a scheme as it is."""
    return "".join(text for text, _ in _parts(url))


def scrub(text: str, url: str) -> str:
    """Return a text without the secrets of a URL in any of their forms, and without those of
    other URLs that are in it."""
    secrets = {form for _, found in _parts(url) for one in found for form in _forms(one)}
    if secrets:
        longest_first = sorted(secrets, key=len, reverse=True)
        text = re.sub("|".join(map(_pattern, longest_first)), HIDDEN, text, flags=re.IGNORECASE)
    return _IN_TEXT.sub(lambda found: shown(found[0]), text)


def _parts(url: str) -> Iterator[_Part]:
    """Take a URL, or several that are chained as fsspec's, apart."""
    # an @ may end a password that holds what looks like the next link of a chain
    links = [url] if "@" in url or "[" in url else url.split("::")
    for number, link in enumerate(links):
        yield "::" * (number > 0), ()
        found = _URL.match(link)
        if found is None:
            yield from _path(link)
        else:
            yield found[0], ()
            yield from _rest(found["scheme"].lower().partition("+")[0], link[found.end() :])


def _path(text: str) -> Iterator[_Part]:
    """A path; or credentials whose scheme somebody forgot or misspelt."""
    before, at, after = text.rpartition("@")
    if at and ":" in before and not text.startswith(("/", ".", "~")):
        yield HIDDEN, (before,)
        text = at + after
    yield text, ()


def _rest(scheme: str, rest: str) -> Iterator[_Part]:
    """What follows ``://``. The last @ counts, for a password may hold one, or a slash."""
    before, at, after = rest.rpartition("@")
    if not at or _names_a_path(scheme, rest):
        yield from _place(rest)
    elif re.search("[?#]", before):  # an @ in a query, or a question mark in a password?
        yield HIDDEN, (rest, before, after)
    else:
        yield from _user(scheme, before)
        yield at, ()
        yield from _place(after)


def _names_a_path(scheme: str, rest: str) -> bool:
    """Whether an @ can only be in the path."""
    authority, _, query = _split(rest)
    if scheme in _FILES:
        return not authority and "@" not in query
    return (
        scheme in _STORES
        and bool(authority)
        and not re.search("[@:]", authority)
        and "@" not in query
    )


def _user(scheme: str, text: str) -> Iterator[_Part]:
    user, colon, password = text.partition(":")
    if scheme not in _USERS or not _NAME.fullmatch(user):
        yield HIDDEN, (text, user, password)
        return
    yield user + colon, ()
    if colon:
        yield HIDDEN, (password,)


def _place(text: str) -> Iterator[_Part]:
    """Host, port, path, query and fragment."""
    authority, path, query = _split(text)
    if _HOST.fullmatch(authority):
        yield authority, ()
    else:  # a password whose @ somebody forgot
        yield HIDDEN, (authority, *authority.partition(":")[::2])
    yield path, ()
    if "#" in query:
        yield query[0] + HIDDEN, (query, *re.split("[?&#=]", query))
    elif query:
        for number, pair in enumerate(query[1:].split("&")):
            yield "&" if number else "?", ()
            yield _pair(pair)


def _pair(pair: str) -> _Part:
    key, _, value = pair.partition("=")
    if not pair or (key.lower() in _HARMLESS and _PLAIN.fullmatch(value)):
        return pair, ()
    if not value.strip("="):
        return HIDDEN, (key,)
    # an option's name and its value; or a token with such a sign in it
    return HIDDEN, (value, _Whole(pair) if _OPTION.fullmatch(key) else pair)


def _split(rest: str) -> tuple[str, str, str]:
    found = _REST.match(rest)
    assert found is not None  # noqa: S101 - it matches anything
    return found["authority"], found["path"], found["query"]


def _forms(secret: str) -> Iterator[str]:
    """A secret, and the parts that a library may take it for, as they may stand in a text."""
    plain = {secret, unquote(secret), unquote_plus(secret)}
    # what stands in brackets is taken for an address, and a % in it for what begins its zone
    parted = () if isinstance(secret, _Whole) else plain
    words = {word for one in parted for word in re.split(r"[\s:/?#@&=,;%[\]]+", one)}
    for one in plain | {word for word in words if len(word) >= _WORD}:
        yield from (one, quote(one, safe=""), quote(one), quote_plus(one))
        # beside a double quote Python escapes a single one
        for escaped in (*_escaped(one, ""), *_escaped(one, '"'), json.dumps(one)[1:-1]):
            yield from (escaped, *_escaped(escaped, ""), *_escaped(escaped, '"'))


def _escaped(text: str, beside: str) -> tuple[str, str]:
    start = 1 + len(beside)
    return repr(beside + text)[start:-1], ascii(beside + text)[start:-1]


def _pattern(secret: str) -> str:
    if not secret:
        return "(?!)"
    return re.escape(secret) if len(secret) >= _WORD else rf"(?<!\w){re.escape(secret)}(?!\w)"
