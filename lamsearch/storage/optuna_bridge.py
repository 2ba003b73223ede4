"""All of Optuna that is not public, and its tables: what is relied on, and why.

Enters: the installed Optuna. Leaves: its tables, its storage over engines and connections of ours,
ids of its studies and trials. Refuses to know our tables. No other module touches any of this; what
Optuna changes of it is said by tests/storage/test_storage_optuna_bridge.py, thing by thing.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection
from functools import cache
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy as sa
from optuna.storages import RDBStorage, _rdb
from optuna.storages._rdb import models

# Frozen studies are what `BaseStorage.get_all_studies` returns, and no public module exports them.
from optuna.study._frozen import FrozenStudy as FrozenStudy
from optuna.trial import FrozenTrial
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import Session, configure_mappers, scoped_session, sessionmaker

from lamsearch.storage.transactions import SHARED

# The tables: Optuna's API reads and writes trial by trial, and has nothing for a whole cohort in
# one statement, nor for a question that the database can answer.
_known = models.BaseModel.metadata
ALL_TABLES = tuple(_known.sorted_tables)
TABLE_NAMES = frozenset(_known.tables)
STUDIES = _known.tables["studies"]
TRIALS = _known.tables["trials"]
PARAMS = _known.tables["trial_params"]
VALUES = _known.tables["trial_values"]
STEPS = _known.tables["trial_intermediate_values"]
USER_ATTRIBUTES = _known.tables["trial_user_attributes"]
SYSTEM_ATTRIBUTES = _known.tables["trial_system_attributes"]
# By which its tables are told from those of other programs that have studies too.
MARKS = frozenset({"studies", "trials", "version_info"})
# Where Alembic notes the revision of Optuna's tables, and what its revisions look like.
REVISION_TABLE = "alembic_version"
REVISIONS_NOTED: sa.Select[tuple[str]] = sa.select(sa.column("version_num")).select_from(
    sa.table(REVISION_TABLE)
)
REVISION = re.compile(r"v\d+\.\d+\.\d+\.\w+")
_REVISIONS = Path(_rdb.__path__[0]) / "alembic" / "versions"

# A value's and an intermediate value's two columns: infinities and NaN are a column of their own.
value_of: Callable[[float], tuple[float | None, Any]] = models.TrialValueModel.value_to_stored_repr
step_of: Callable[[float], tuple[float | None, Any]] = (
    models.TrialIntermediateValueModel.intermediate_value_to_stored_repr
)
value_from: Callable[[float | None, Any], float] = models.TrialValueModel.stored_repr_to_value
step_from: Callable[[float | None, Any], float] = (
    models.TrialIntermediateValueModel.stored_repr_to_intermediate_value
)


def study_id(study: FrozenStudy) -> int:
    """Return the id of a study: the key of all its rows, which has no public name."""
    return int(study._study_id)


def trial_id(trial: FrozenTrial) -> int:
    """Return the id of a trial: the key of all its rows, which has no public name."""
    return int(trial._trial_id)


def prepare() -> None:
    """Do what the first use of Optuna's storage in a process does: forks of it need not again."""
    configure_mappers()
    head_revision()


def new_storage(url: str, options: dict[str, Any], *, create: bool) -> RDBStorage:
    """Return Optuna's storage by its own constructor, which makes its tables where asked to.

    Its check of versions is left to `find_compatible`: that one asks within a transaction over a
    second connection, and of a pooler that has none left, all who begin at the same moment would
    wait for each other.
    """
    return RDBStorage(
        url,
        engine_kwargs=options,
        skip_table_creation=not create,
        skip_compatibility_check=True,
    )


def make_tables(connection: Connection) -> bool:
    """Make Optuna's tables where there is none of them, as its constructor would.

    That one imports Alembic and executes each of its revisions to learn which is the last: a third
    of a second for two rows.

    Returns:
        Whether they were made: not where somebody has begun to, nor where the revision that they
        are of is not known.
    """
    revision = head_revision()
    if not revision or sa.inspect(connection).has_table(STUDIES.name):
        return False
    _known.create_all(connection, checkfirst=False)
    connection.execute(
        sa.insert(_known.tables["version_info"]).values(
            version_info_id=1, schema_version=models.SCHEMA_VERSION,
            library_version=optuna.__version__,
        )
    )  # fmt: skip
    # as Alembic makes it
    column = sa.Column("version_num", sa.String(32), nullable=False)
    key = sa.PrimaryKeyConstraint("version_num", name=f"{REVISION_TABLE}_pkc")
    noted = sa.Table(REVISION_TABLE, sa.MetaData(), column, key)
    noted.create(connection, checkfirst=False)
    connection.execute(sa.insert(noted).values(version_num=revision))
    return True


def storage_over(engine: Engine) -> RDBStorage:
    """Return Optuna's storage over an engine of ours, to tables that are there and compatible.

    Its constructor would open an engine of its own before that can be prepared, and import Alembic
    to ask again for the revision of its tables: a quarter of a second of every process's start.
    """
    storage = object.__new__(RDBStorage)
    storage.__dict__.update(
        engine_kwargs={},
        url=engine.url.render_as_string(hide_password=False),
        skip_compatibility_check=True,
        heartbeat_interval=None,
        grace_period=None,
        heartbeat_stale_trial_callback=None,
        failed_trial_callback=None,
        engine=engine,
        scoped_session=scoped_session(sessionmaker(bind=engine)),
    )
    return storage


def in_session(storage: RDBStorage, maker: sessionmaker[Session]) -> RDBStorage:
    """Return a second view of a storage whose sessions are those of ``maker``: in a transaction
    of ours, which no public argument of its constructor allows."""
    bound = object.__new__(RDBStorage)
    bound.__dict__.update(storage.__dict__)
    bound.scoped_session = scoped_session(maker)
    return bound


def find_compatible(storage: RDBStorage) -> None:
    """Refuse tables of another version of Optuna's, as its constructor would.

    Raises:
        RuntimeError: They are of another version, which it names.
    """
    if storage.get_current_version() != storage.get_head_version():
        storage.engine.update_execution_options(**{SHARED: False})  # two that write would be locked
        storage._version_manager.check_table_schema_compatibility()
        storage.engine.update_execution_options(**{SHARED: True})


@cache
def head_revision() -> str:
    """Return the revision of the tables that the installed Optuna needs.

    It is read from the files of its revisions, each of which names the one before; empty where
    they do not tell, which is the revision of no storage. The public way,
    `RDBStorage.get_head_version`, needs a storage with its tables, and executes all of them anew
    at each call.
    """
    known = [_constants(file) for file in _REVISIONS.glob("*.py")]
    former = {one.get("down_revision") for one in known}
    heads = {one.get("revision") for one in known} - former
    return str(heads.pop()) if len(heads) == 1 else ""


def _constants(file: Path) -> dict[str, object]:
    """The plain values that a module gives to names."""
    return {
        target.id: statement.value.value
        for statement in ast.parse(file.read_bytes()).body
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }


class PlannedTrialsStudy(optuna.Study):
    """A study as a sampler sees it: with the trials of the given ids, and no others.

    ``_get_trials`` is what every sampler and search space of Optuna's reads trials by.
    """

    def __init__(
        self,
        name: str,
        storage: RDBStorage,
        sampler: optuna.samplers.BaseSampler,
        trials: Collection[int],
    ) -> None:
        super().__init__(name, storage, sampler=sampler)
        self._planned = frozenset(trials)

    def _get_trials(self, *arguments: Any, **options: Any) -> list[FrozenTrial]:
        found = super()._get_trials(*arguments, **options)
        return [trial for trial in found if trial_id(trial) in self._planned]
