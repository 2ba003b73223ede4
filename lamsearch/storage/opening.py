"""Opening a storage: it is reached, looked at, and its tables are in place, or that is said.

Enters: an address and what it is opened for. Leaves: Optuna's storage, and whether our tables were
upgraded. Refuses what is another program's, before anything of it can be changed.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress

import sqlalchemy as sa
from optuna.storages import RDBStorage
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from lamsearch.errors import (
    StorageAwayError,
    StorageBusyError,
    StorageError,
    StorageReadOnlyError,
)
from lamsearch.storage import optuna_bridge, schema, tables
from lamsearch.storage.address import Address
from lamsearch.storage.connections import engine_options, prepare
from lamsearch.storage.contents import Mode, look
from lamsearch.storage.failures import (
    is_answer,
    is_outage,
    is_race,
    is_read_only,
    lasts,
    passes,
    waits_for_a_lock,
)
from lamsearch.storage.retries import SHORT_WAIT, retry

# A database that cannot be used is said within 10 s, each attempt to connect included.
_ANSWER_SECONDS, _SILENCE_SECONDS = 8.0, 2.0
_READ_ONLY = "SELECT current_setting('transaction_read_only')::bool"


def load(url: str) -> None:
    """Load what a storage is opened with, before a fork, without reaching it.

    Raises:
        StorageError: The URL is none.
    """
    optuna_bridge.prepare()
    text, options = engine_options(Address(url).url, write=True)
    with suppress(ImportError):  # who opens it says so
        sa.create_engine(text, **options)  # its dialect and driver


class Opening:
    """One opening of a storage; others may be making its tables at the same time.

    ``upgraded`` says what was done to tables of an earlier version; None where nothing was.
    """

    def __init__(self, address: Address, mode: Mode) -> None:
        self._address, self._mode = address, mode
        self._reached = False  # whether the server was there a moment ago
        self._revisions: tuple[str, ...] = ()  # of Optuna's tables, as they are noted there
        self._has_some = False  # of Optuna's tables
        self.upgraded: str | None = None

    def storage(self) -> RDBStorage:
        """Return Optuna's storage once its tables and ours are there.

        Raises:
            StorageError: What the URL names cannot be used or is another program's.
            StorageAwayError: It cannot be reached within ten seconds.
        """
        self._check_file()
        begun = time.monotonic()

        def heed(error: Exception) -> None:
            self._reached = self._reached or is_answer(error)
            if time.monotonic() - begun >= self._retry_seconds(error):
                raise self._refusal(error) from None

        try:
            return retry(self._open, heed=heed, longest=SHORT_WAIT)
        except UnicodeDecodeError as error:  # in the text of SQLite's schema
            raise StorageError(
                f"storage: {self._address.redacted} must hold text in UTF-8: it is damaged"
            ) from error
        except (RuntimeError, ImportError) as error:
            raise StorageError(f"storage: {self._address.scrub(str(error))}") from None

    def _check_file(self) -> None:
        file = self._address.file
        if file is None:
            return
        if self._mode is not Mode.CREATE and not file.exists():
            raise StorageError(f"storage: no such file: {file}")
        if not file.parent.is_dir():
            raise StorageError(f"storage: no such directory: {file.parent}")

    def _open(self) -> RDBStorage:
        self._look()
        self._reached = True
        return self._reach()

    def _retry_seconds(self, error: Exception) -> float:
        """For how many seconds an opening is tried again after an error."""
        if waits_for_a_lock(error) or not (passes(error) or is_race(error)):
            return 0.0  # a lock has been waited for already
        return _ANSWER_SECONDS if is_race(error) or self._reached else _SILENCE_SECONDS

    def _refusal(self, error: Exception) -> StorageError:
        """What is said of a database that cannot be used at the start."""
        if is_read_only(error):
            return StorageReadOnlyError(
                f"storage: {self._address.redacted} must be writable, got a read-only server: a "
                "standby, or default_transaction_read_only for the role or the database"
            )
        if waits_for_a_lock(error):
            return StorageBusyError(self._address.say_lock())
        return (StorageAwayError if is_outage(error) else StorageError)(self._address.say(error))

    def _look(self) -> None:
        """Refuse what is no storage of ours, before anything of it can be changed."""
        if self._address.file is not None and not self._address.file.exists():
            return  # it is made in a moment
        with self._address.looking() as connection:
            contents = look(connection)
            contents.refuse(self._mode, self._address.redacted)
            self._revisions = contents.revisions
            optunas = optuna_bridge.TABLE_NAMES | {optuna_bridge.REVISION_TABLE}
            self._has_some = not contents.tables.isdisjoint(optunas)
            version = schema.check if self._mode is Mode.READ else schema.version_of
            if version(connection) == schema.VERSION:
                self._find_columns(connection, tables.metadata.sorted_tables)

    def _find_columns(self, connection: Connection, known: Iterable[sa.Table]) -> None:
        """Refuse tables of this version that lack a column, as half of an upgrade leaves them."""
        try:
            connection.exec_driver_sql(schema.all_columns(known))
        except SQLAlchemyError as error:
            if not lasts(error):
                raise
            raise StorageError(self._address.say(error)) from None

    def _reach(self) -> RDBStorage:
        """Open Optuna's storage, and see to our own tables beside its."""
        write = self._mode is not Mode.READ
        storage = self._optuna(write=write)
        try:
            with storage.engine.begin() as connection:
                if write:
                    self._find_writable(connection)
                    self.upgraded = schema.prepare(connection)
                self._find_columns(connection, optuna_bridge.ALL_TABLES)
        finally:
            storage.remove_session()  # on a connection of its own, which is given back
        return storage

    def _optuna(self, *, write: bool) -> RDBStorage:
        """Optuna's storage over its tables, which are made where they are not there."""
        create = self._mode is Mode.CREATE
        text, options = engine_options(self._address.url, write=write, create=create)
        options["poolclass"] = sa.NullPool  # where its constructor fails, nothing stays open
        current = self._revisions == (optuna_bridge.head_revision(),)
        if current or (create and not self._has_some):
            engine = sa.create_engine(text, **options)
            prepare(engine, write=write)
            if current or self._made(engine):
                return optuna_bridge.storage_over(engine)
        storage = optuna_bridge.new_storage(text, options, create=write)
        try:
            prepare(storage.engine, write=write)
            optuna_bridge.find_compatible(storage)
        finally:
            storage.remove_session()
        return storage

    def _made(self, engine: Engine) -> bool:
        """Make Optuna's tables, whole or not at all; whether it was done."""
        with engine.begin() as connection:
            self._find_writable(connection)
            schema.lock(connection)
            return optuna_bridge.make_tables(connection)

    def _find_writable(self, connection: Connection) -> None:
        """Refuse a server that may not be written, before something in the middle has to."""
        if self._address.file is not None:
            return  # what SQLite says of it is said when it is opened
        if connection.scalar(sa.text(_READ_ONLY)):
            raise StorageReadOnlyError("storage: read-only")
