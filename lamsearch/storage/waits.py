"""Waiting for others' locks: how long one may be held, and who holds it.

Enters: an engine's URL, or a connection. Leaves: the words that begin a transaction of PostgreSQL,
and a sentence for whoever has to wait. Refuses to know who tries again.

The settings are made in the message that begins a transaction, and hold until it ends: that takes
no message more, and a pooler of connections, which refuses settings at the start, passes them on.
"""

from __future__ import annotations

import os

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection

# A host that has gone is noticed by the server as soon as by the client, and its locks are free.
# Who is stopped in the middle of a transaction holds none for longer than a minute; ours pause for
# seconds at most, while the next stage is computed.
SETTINGS: dict[str, str] = {
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "60s",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "3",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "15s",
}
_SINCE = {"tcp_user_timeout": (12,)}  # PostgreSQL's versions that know it

# Who waits too holds nobody up but for another; who only reads holds up no worker of ours.
_HOLDERS = """
SELECT a.pid, a.application_name, host(a.client_addr) AS host, a.state,
    extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS seconds
FROM pg_stat_activity a
WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
    AND EXISTS (SELECT 1 FROM pg_locks h WHERE h.pid = a.pid AND h.granted AND (
        (h.locktype = 'relation' AND h.mode NOT IN ('AccessShareLock', 'ShareUpdateExclusiveLock'))
        OR h.locktype = 'advisory'))
    AND NOT EXISTS (SELECT 1 FROM pg_locks w WHERE w.pid = a.pid AND NOT w.granted)
ORDER BY a.xact_start NULLS LAST LIMIT 1
"""


def beginning(
    url: URL, version: tuple[int | str, ...] | None, *, writes: bool, snapshot: bool = False
) -> str:
    """Return what begins a transaction of PostgreSQL, with its settings.

    Args:
        url: of the storage; what its options, or the environment's, set themselves is left alone.
        version: of the server.
        writes: whether it may write.
        snapshot: whether all its queries see the same moment.
    """
    given = " ".join([str(url.query.get("options", "")), os.environ.get("PGOPTIONS", "")])
    # whatever the server's default: with the locks that are taken, no other is needed
    words = ["BEGIN ISOLATION LEVEL", "REPEATABLE READ" if snapshot else "READ COMMITTED"]
    if not writes:
        words.append("READ ONLY")
    ours = [
        f"SET LOCAL {name} = '{value}'"
        for name, value in SETTINGS.items()
        if name not in given and (version is None or version >= _SINCE.get(name, ()))
    ]
    # Optuna's times name no zone
    return "; ".join([" ".join(words), "SET LOCAL timezone = 'UTC'", *ours])


def holder(connection: Connection) -> str:
    """Say whose transaction holds what others wait for, as far as the server knows it."""
    row = connection.execute(sa.text(_HOLDERS)).first()
    if row is None:
        return "another transaction"
    where = f" at {row.host}" if row.host else ""
    since = "" if row.seconds is None else f", {row.state} for {max(row.seconds, 0.0):.0f} s"
    return (
        f"the transaction of server process {row.pid} "
        f"({row.application_name or 'unnamed'}{where}{since})"
    )
