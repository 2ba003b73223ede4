"""What lamsearch relies on in Optuna without Optuna promising it: each fails where that changes."""

from __future__ import annotations

import inspect
import math
from pathlib import Path
from typing import Any

import optuna
import pytest
import sqlalchemy as sa
from optuna.storages import RDBStorage, _rdb
from optuna.trial import TrialState
from sqlalchemy.orm import sessionmaker

from lamsearch.storage import Database, optuna_bridge
from lamsearch.storage.optuna_trials import frozen_trials

# As they were when lamsearch was written for them: column, kind, whether null is allowed.
COLUMNS = {
    "studies": {"study_id": ("INTEGER", False), "study_name": ("VARCHAR(512)", False)},
    "trials": {
        "trial_id": ("INTEGER", False), "number": ("INTEGER", True), "study_id": ("INTEGER", True),
        "state": ("VARCHAR(8)", False), "datetime_start": ("DATETIME", True),
        "datetime_complete": ("DATETIME", True),
    },
    "trial_params": {
        "param_id": ("INTEGER", False), "trial_id": ("INTEGER", True),
        "param_name": ("VARCHAR(512)", True), "param_value": ("FLOAT", True),
        "distribution_json": ("TEXT", True),
    },
    "trial_values": {
        "trial_value_id": ("INTEGER", False), "trial_id": ("INTEGER", False),
        "objective": ("INTEGER", False), "value": ("FLOAT", True),
        "value_type": ("VARCHAR(7)", False),
    },
    "trial_intermediate_values": {
        "trial_intermediate_value_id": ("INTEGER", False), "trial_id": ("INTEGER", False),
        "step": ("INTEGER", False), "intermediate_value": ("FLOAT", True),
        "intermediate_value_type": ("VARCHAR(7)", False),
    },
    "trial_user_attributes": {
        "trial_user_attribute_id": ("INTEGER", False), "trial_id": ("INTEGER", True),
        "key": ("VARCHAR(512)", True), "value_json": ("TEXT", True),
    },
    "trial_system_attributes": {
        "trial_system_attribute_id": ("INTEGER", False), "trial_id": ("INTEGER", True),
        "key": ("VARCHAR(512)", True), "value_json": ("TEXT", True),
    },
}  # fmt: skip
UNIQUE = {
    "trial_params": {"trial_id", "param_name"},
    "trial_values": {"trial_id", "objective"},
    "trial_intermediate_values": {"trial_id", "step"},
    "trial_user_attributes": {"trial_id", "key"},
    "trial_system_attributes": {"trial_id", "key"},
}


def says(what: str) -> str:
    """What a canary says."""
    return f"Optuna {optuna.__version__} has changed {what}: see {optuna_bridge.__name__}"


@pytest.fixture
def storage(tmp_path: Path) -> RDBStorage:
    """Optuna's storage as its public constructor makes it."""
    storage = RDBStorage(
        f"sqlite:///{tmp_path / 'plain.db'}", engine_kwargs={"poolclass": sa.NullPool}
    )
    storage.remove_session()
    return storage


@pytest.mark.parametrize("table", COLUMNS)
def test_the_columns_of_a_table_are_the_known_ones(table: str, storage: RDBStorage) -> None:
    """A table that is written past Optuna's API has the columns, types and keys that are written,
    and no further one."""
    inspector = sa.inspect(storage.engine)
    found = {
        one["name"]: (str(one["type"]), bool(one["nullable"]))
        for one in inspector.get_columns(table)
    }
    assert found == COLUMNS[table], says(f"the columns of its table {table}")
    unique = [set(one["column_names"]) for one in inspector.get_unique_constraints(table)]
    assert UNIQUE.get(table) in [None, *unique], says(f"the keys of its table {table}")


def test_the_tables_are_the_known_ones(storage: RDBStorage) -> None:
    """A new storage has exactly the tables by which Optuna's are told from other programs'."""
    tables = set(sa.inspect(storage.engine).get_table_names())
    ours = {*optuna_bridge.TABLE_NAMES, optuna_bridge.REVISION_TABLE}
    assert tables == ours, says("its tables")
    assert tables >= optuna_bridge.MARKS, says("the names of its tables")
    assert len(optuna_bridge.TABLE_NAMES) == 12, says("the number of its tables")


def test_states_are_stored_by_their_names(storage: RDBStorage) -> None:
    """What a query compares a state with is the state's name."""
    study = storage.create_new_study([optuna.study.StudyDirection.MAXIMIZE], "one")
    storage.create_new_trial(study)
    storage.remove_session()
    with storage.engine.connect() as connection:
        found = connection.scalar(sa.text("SELECT state FROM trials"))
    assert found == TrialState.RUNNING.name, says("how states are stored")


def test_the_head_revision_is_the_one_that_alembic_reads(storage: RDBStorage) -> None:
    """The revision that is read from the names in files is the one that Optuna itself finds, and
    that it notes in a new storage."""
    assert optuna_bridge.head_revision() == storage.get_head_version(), says("its revisions")
    assert optuna_bridge.head_revision() == storage.get_current_version(), says("its revisions")
    with storage.engine.connect() as connection:
        noted = connection.scalars(optuna_bridge.REVISIONS_NOTED).all()
    assert noted == [optuna_bridge.head_revision()], says("where its revision stands")
    assert all(map(optuna_bridge.REVISION.fullmatch, noted)), says("how revisions are named")


def test_a_storage_without_its_constructor_has_what_the_constructor_gives_it(
    storage: RDBStorage,
) -> None:
    """A storage over an engine of ours has every attribute that the constructor sets, but for what
    knows the versions, and reads and writes."""
    bare = optuna_bridge.storage_over(storage.engine)
    missing = set(storage.__dict__) ^ set(bare.__dict__)
    assert missing == {"_version_manager"}, says(f"what its storage is made of: {missing}")
    study = bare.create_new_study([optuna.study.StudyDirection.MAXIMIZE], "one")
    bare.create_new_trial(study)
    bare.remove_session()
    assert len(storage.get_all_trials(study)) == 1


def test_tables_that_are_made_are_those_of_the_constructor(
    storage: RDBStorage, tmp_path: Path
) -> None:
    """Optuna's tables made in a transaction of ours are those that its constructor makes: the same
    definitions, the same rows, and none where some are there."""
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'made.db'}", poolclass=sa.NullPool)
    with engine.begin() as connection:
        assert optuna_bridge.make_tables(connection)
        assert not optuna_bridge.make_tables(connection)
    found, expected = ({
        name: " ".join(words.split())
        for name, words in _rows(one, "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    } for one in (engine, storage.engine))  # fmt: skip
    assert found == expected, says("how its tables are made")
    for table in ("version_info", optuna_bridge.REVISION_TABLE):
        query = f"SELECT * FROM {table}"  # noqa: S608 - a name of ours
        assert _rows(engine, query) == _rows(storage.engine, query), says(f"what is in {table}")
    filled = {name for name in found if _count(storage.engine, name)}
    assert filled == {"version_info", optuna_bridge.REVISION_TABLE}, says("what is in its tables")
    by_itself = RDBStorage(str(engine.url), engine_kwargs={"poolclass": sa.NullPool})
    optuna_bridge.find_compatible(by_itself)
    by_itself.remove_session()


def _rows(engine: sa.Engine, query: str) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return sorted(tuple(row) for row in connection.execute(sa.text(query)))


def _count(engine: sa.Engine, name: str) -> int:
    """How many rows a table has; an index has none."""
    if not sa.inspect(engine).has_table(name):
        return 0
    return len(_rows(engine, f"SELECT 1 FROM {name}"))  # noqa: S608 - likewise


def test_a_storage_in_a_session_writes_into_that_transaction(storage: RDBStorage) -> None:
    """What Optuna's storage writes in a transaction of ours is gone when that is rolled back."""
    with storage.engine.connect() as connection:
        maker = sessionmaker(bind=connection, join_transaction_mode="rollback_only")
        with connection.begin() as transaction:
            bound = optuna_bridge.in_session(storage, maker)
            bound.create_new_study([optuna.study.StudyDirection.MAXIMIZE], "one")
            bound.remove_session()
            transaction.rollback()
    assert storage.get_all_studies() == [], says("where its storage keeps its sessions")


def test_tables_of_another_version_are_refused_by_optunas_own_words(storage: RDBStorage) -> None:
    """A storage of another revision is refused with what Optuna says of it."""
    optuna_bridge.find_compatible(storage)
    with storage.engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = 'v9.9.9.a'"))
    with pytest.raises(RuntimeError, match="no longer compatible"):
        optuna_bridge.find_compatible(storage)


def test_values_are_stored_in_two_columns() -> None:
    """A value is a number and its kind; what is no number has a kind alone."""
    for stored in (optuna_bridge.value_of, optuna_bridge.step_of):
        value, kind = stored(0.5)
        assert (value, kind.name) == (0.5, "FINITE"), says("how values are stored")
    value, kind = optuna_bridge.step_of(float("nan"))
    assert (value, kind.name) == (None, "NAN"), says("how values are stored")


def test_ids_have_their_names(storage: RDBStorage) -> None:
    """A frozen study and a frozen trial know their ids, by which their rows are found."""
    study = storage.create_new_study([optuna.study.StudyDirection.MAXIMIZE], "one")
    trial = storage.create_new_trial(study)
    (frozen,) = storage.get_all_studies()
    assert isinstance(frozen, optuna_bridge.FrozenStudy), says("its frozen studies")
    assert optuna_bridge.study_id(frozen) == study, says("the id of its frozen studies")
    assert optuna_bridge.trial_id(storage.get_trial(trial)) == trial, says("the id of its trials")


def test_a_sampler_sees_the_planned_trials_alone(storage: RDBStorage) -> None:
    """Samplers and search spaces read trials by the method that leaves foreign ones out."""
    seen: list[int] = []

    class Sampler(optuna.samplers.RandomSampler):
        def infer_relative_search_space(self, study: optuna.Study, trial: Any) -> Any:
            space = optuna.search_space.IntersectionSearchSpace().calculate(study)
            seen.append(len(study._get_trials(deepcopy=False, use_cache=False)))
            return space

    optuna.create_study(study_name="one", storage=storage)
    plain = optuna.load_study(study_name="one", storage=storage)
    plain.optimize(lambda trial: trial.suggest_float("foreign", 0, 1), n_trials=2)
    number = storage.create_new_trial(plain._study_id)
    study = optuna_bridge.PlannedTrialsStudy("one", storage, Sampler(seed=1), [number])
    assert [optuna_bridge.trial_id(one) for one in study.get_trials()] == [number], says(
        "how a study reads its trials"
    )
    optuna.trial.Trial(study, number).suggest_float("ours", 0, 1)
    assert seen == [1], says("how samplers read trials")
    wanted = {"self", "deepcopy", "states", "use_cache"}
    assert set(inspect.signature(optuna.Study._get_trials).parameters) == wanted, says(
        "the signature of Study._get_trials"
    )
    source = inspect.getsource(optuna.samplers.TPESampler)
    assert "study._get_trials(" in source, says("how the TPE sampler reads trials")


def test_an_optuna_whose_files_do_not_say_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the revision cannot be read from files, a storage is opened by Optuna's constructor,
    which asks Alembic."""
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    Database(url).close()
    asked: list[str] = []
    real = RDBStorage.get_head_version
    monkeypatch.setattr(RDBStorage, "get_head_version", lambda self: asked.append("") or real(self))
    Database(url).close()
    assert asked == []
    monkeypatch.setattr(optuna_bridge, "_REVISIONS", tmp_path)
    optuna_bridge.head_revision.cache_clear()
    Database(url).close()
    optuna_bridge.head_revision.cache_clear()
    assert asked


def test_the_revisions_are_where_they_are_looked_for() -> None:
    """The directory of Optuna's revisions holds them, each as a constant of a module."""
    versions = Path(_rdb.__path__[0]) / "alembic/versions"
    assert len(list(versions.glob("*.py"))) >= 10, says("where its revisions are")


def test_trials_are_read_as_optuna_reads_them(url: str) -> None:
    """A study's trials are those of `get_all_trials`, of every state and with all they have."""
    driver = {"drivername": "postgresql+psycopg"} if url.startswith("postgres") else {}
    storage = RDBStorage(sa.make_url(url).set(**driver).render_as_string(hide_password=False))
    study = optuna.create_study(study_name="one", storage=storage, direction="maximize")
    other = optuna.create_study(study_name="other", storage=storage)
    other.enqueue_trial({"x": 0.5})

    def objective(trial: optuna.Trial) -> float:
        x = trial.suggest_float("x", 0, 1)
        trial.suggest_categorical("kind", [None, "ä", 3])
        trial.report(math.nan, 3)
        trial.report(-math.inf, 1)
        trial.set_user_attr("seen", {"λ": [1, None]})
        if trial.number == 1:
            raise optuna.TrialPruned
        return math.inf if trial.number == 2 else x

    study.optimize(objective, n_trials=3)
    study.enqueue_trial({"x": 0.25})
    study.ask()
    study.enqueue_trial({"x": 0.75})
    with storage.engine.connect() as connection:
        found = frozen_trials(connection, study._study_id)
        with pytest.raises(KeyError):
            frozen_trials(connection, 99)
    known = storage.get_all_trials(study._study_id)
    for one in (*found, *known):  # which order a trial's reports have is not said
        one.intermediate_values = dict(sorted(one.intermediate_values.items()))
    assert list(map(repr, found)) == list(map(repr, known)), says(
        "how its storage makes a trial of rows"
    )
    assert {one.state.name for one in found} == {"COMPLETE", "PRUNED", "RUNNING", "WAITING"}
    storage.remove_session()
    storage.engine.dispose()
