"""What workers compute with: recorded, compared with who was first, admitted by a word."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from storage_stub import Window, planned, work

from lamsearch import findings
from lamsearch import storage as store
from lamsearch.environment import Blas, Environment, differences, here
from lamsearch.errors import StorageError, StudyStateError
from lamsearch.storage import Database, Leases, PlannedStudy, join, read_study, schema
from lamsearch.study import Study

Open = Callable[[str], Database]
Build = Callable[..., Study]
DUMP = Path(__file__).parent / "storages/version-2.sql"  # `half`: coarse is done, fine in work
ONE = Environment(
    lamsearch="1.2.0",
    numpy="2.4.0",
    scipy="1.17.0",
    python="3.13.1",
    blas=(Blas(library="openblas", version="0.3.30", kernel="SkylakeX"),),
    simd=("X86_V3", "X86_V4"),
    c_library="glibc 2.36",
    processor="A",
)
HASWELL = replace(ONE, blas=(replace(ONE.blas[0], kernel="Haswell"),))
# What counts, and how a refusal begins that names it.
COUNTS: dict[str, tuple[Any, str]] = {
    "lamsearch": ("1.3.0", "lamsearch 1.2.0, got 1.3.0"),
    "numpy": ("2.5.0", "NumPy 2.4.0, got 2.5.0"),
    "scipy": ("1.18.0", "SciPy 1.17.0, got 1.18.0"),
    "blas": (HASWELL.blas, "BLAS openblas 0.3.30 (SkylakeX), got openblas 0.3.30 (Haswell)"),
    "simd": (("X86_V3",), "NumPy's SIMD extensions X86_V3 and X86_V4, got X86_V3"),
    "c_library": ("glibc 2.41", "C library glibc 2.36, got glibc 2.41"),
    "device": ("cuda", "device cpu, got cuda"),
}


def test_this_process_names_all_that_computes_in_it() -> None:
    """The record of this process has a text everywhere, NumPy's and SciPy's BLAS with kernels."""
    found = here()
    assert all(found.text_of(name) for name in asdict(found))
    assert found.blas
    assert all(one.kernel and one.version for one in found.blas)
    assert here() is found


@pytest.mark.parametrize("name", asdict(ONE))
def test_what_counts_is_compared_and_nothing_else(name: str) -> None:
    """A difference in what could change bits is named, of installed versions against those that
    were planned with, of the machine against the first worker's; no other difference is."""
    other, said = COUNTS.get(name, ("another", None))
    changed = replace(ONE, **{name: other})
    expected = [] if said is None else [said]
    assert differences(changed, planned=ONE, first=ONE) == expected
    installed = name in ("lamsearch", "numpy", "scipy")
    assert differences(changed, planned=ONE, first=None) == (expected if installed else [])
    assert differences(changed, planned=None, first=ONE) == expected
    assert differences(changed, planned=changed, first=ONE) == ([] if installed else expected)
    assert differences(changed, planned=None, first=None) == []


def test_a_worker_of_other_versions_is_refused_or_admitted_by_a_word(
    database: Database, window: Window, small_study: Build
) -> None:
    """Who computes with another kernel than the first worker is refused in one sentence with the
    ways out, and nothing is changed; by the word it is admitted, and its trials are counted."""
    planned(database, small_study(), environment=replace(ONE, blas=(), simd=()))
    assert join(database, "small", ONE, mixed=False) == 1
    assert join(database, "small", replace(ONE, processor="B"), mixed=False) == 2
    before = window.tables()
    with pytest.raises(StudyStateError) as caught:
        join(database, "small", HASWELL, mixed=False)
    assert str(caught.value) == (
        "versions: a worker of 'small' must have BLAS openblas 0.3.30 (SkylakeX), got openblas "
        "0.3.30 (Haswell): numbers could differ from those of the others in their last digits. Use "
        "the same, or admit it by --mixed-versions, which the report then says, or start over: "
        "lamsearch delete small"
    )
    assert caught.value.exit_code == 2
    assert window.tables() == before
    assert not findings.versions.is_mixed(read_study(database, "small"))
    assert join(database, "small", HASWELL, mixed=True) == 3
    assert join(database, "small", HASWELL, mixed=True) == 3
    assert join(database, "small", ONE, mixed=False) == 1
    with pytest.raises(StudyStateError, match="BLAS"):
        join(database, "small", HASWELL, mixed=False)
    work(Leases(database, "small", owner="a", seconds=20.0, environment=1), until="fine")
    work(Leases(database, "small", owner="b", seconds=20.0, environment=3), until="finalists")
    record = read_study(database, "small")
    assert {one.environment for one in record.stages["coarse"].trials} == {1}
    assert {one.environment for one in record.stages["fine"].trials} == {3}
    found = findings.versions.document(record)
    assert found is not None
    assert (found["mixed"], found["numpy"], found["blas"]) == (True, "2.4.0", [asdict(ONE.blas[0])])
    assert [(one["trials"], one["mixed"]) for one in found["workers"]] == [
        (5, False), (0, False), (4, True)
    ]  # fmt: skip
    assert findings.warnings(record)[-1] == (
        "4 trials were computed with other versions, admitted by --mixed-versions (BLAS openblas "
        "0.3.30 (SkylakeX), got openblas 0.3.30 (Haswell)): numbers may differ in their last "
        "digits from those of a run with one version"
    )


def test_workers_that_join_at_once_agree_on_who_was_first(url: str, small_study: Build) -> None:
    """Of four workers of two kinds that join at the same moment, those of one kind are in."""
    database = Database(url)
    planned(database, small_study())
    database.close()
    gate, joined = threading.Barrier(4), list[tuple[str, int | None]]()

    def join_one(one: Environment) -> None:
        mine = Database(url)
        gate.wait(60)
        try:
            joined.append((one.blas[0].kernel, join(mine, "small", one, mixed=False)))
        except StudyStateError:
            joined.append((one.blas[0].kernel, None))
        mine.close()

    threads = [threading.Thread(target=join_one, args=(e,)) for e in (ONE, HASWELL, ONE, HASWELL)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(number or 0 for _, number in joined) == [0, 0, 1, 1]
    assert len({kernel for kernel, number in joined if number}) == 1


def test_a_deleted_study_leaves_no_environment_and_a_gone_one_takes_none(
    database: Database, window: Window, small_study: Build
) -> None:
    """Deleting a study deletes what its workers computed with; none joins what is not there."""
    planned(database, small_study(), environment=ONE)
    join(database, "small", ONE, mixed=False)
    assert window.counts()["lamsearch_environment"] == 1
    store.delete(database, "small")
    assert "lamsearch_environment" not in window.counts()
    with pytest.raises(StudyStateError, match="it was deleted"):
        join(database, "small", ONE, mixed=False)


@pytest.mark.usefixtures("long_up")
def test_a_study_whose_versions_nobody_recorded_goes_on_and_says_so(
    tmp_path: Path, open_database: Open
) -> None:
    """The second version's storage is upgraded; any worker may join a study of it, the next ones
    are compared with that, and the report says whose trials have no versions."""
    url = f"sqlite:///{tmp_path / 'version-2.db'}"
    connection = sqlite3.connect(tmp_path / "version-2.db")
    connection.executescript(DUMP.read_text(encoding="utf-8"))
    connection.close()
    database = open_database(url)
    assert database.upgraded == f"storage: upgraded from schema version 2 to {schema.VERSION}"
    assert findings.versions.document(read_study(database, "half")) is None
    assert findings.warnings(read_study(database, "half")) == []
    assert join(database, "half", ONE, mixed=False) == 1
    with pytest.raises(StudyStateError, match="BLAS"):
        join(database, "half", HASWELL, mixed=False)
    work(Leases(database, "half", owner="b", seconds=20.0, environment=1))
    record = read_study(database, "half")
    assert record.finished
    assert findings.warnings(record)[-1].startswith(
        "3 trials were computed by an earlier lamsearch, which did not record its versions: "
    )
    found = findings.versions.document(record)
    assert found is not None
    assert (found["planned"], found["mixed"], found["lamsearch"]) == (None, False, "1.2.0")


@pytest.mark.parametrize(
    "value", ["[]", "1", "{}", '{"numpy": 1}', '{"blas": [{"library": 1}]}', '"x"']
)
def test_a_damaged_record_of_versions_is_one_sentence(
    value: str, database: Database, window: Window, small_study: Build
) -> None:
    """What lamsearch did not write where versions are recorded is said, and no worker joins."""
    stored: PlannedStudy = planned(database, small_study(), environment=ONE)
    join(database, "small", ONE, mixed=False)
    for statement in (
        "UPDATE lamsearch_environment SET facts = :value",
        "UPDATE lamsearch_study SET environment = :value",
    ):
        window.execute(statement, value=value)
        with pytest.raises(StorageError, match="did not write"):
            read_study(database, "small")
        with pytest.raises(StorageError, match="did not write"):
            join(database, "small", ONE, mixed=False)
    assert store.load(database, "small").id == stored.id
