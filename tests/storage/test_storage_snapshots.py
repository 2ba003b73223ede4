"""Digests of snapshots' files, and their scores, as a storage of either kind keeps them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from storage_stub import BEAT, FINAL, Window, claimed, outcomes, planned, work

from lamsearch import storage as store
from lamsearch.errors import StorageError
from lamsearch.results import SnapshotScore
from lamsearch.storage import Database, Leases
from lamsearch.study import Study

SCORE = SnapshotScore(
    updates=(30, 60), replicates=(0, 1), mean=0.92, sd=0.01, n=2, interval95=(0.86, 0.96),
    gain=0.02, gain_interval95=(0.01, 0.03), ensemble=0.93, scores=(0.91, 0.93),
    members=(0.85, 0.9),
)  # fmt: skip
A, B, C = (letter * 64 for letter in "abc")
Build = Callable[..., Study]


@pytest.fixture
def leases(database: Database, small_study: Build) -> Leases:
    """A worker of the small study with snapshots, whose final is next."""
    stored = planned(database, small_study(final={"snapshots": True, "cycles": 2}))
    found = Leases(database, stored.study.name, owner="a", seconds=60.0)
    work(found, until="final")
    return found


def train_final(leases: Leases) -> None:
    """Complete the final's cohorts, each with the digest of one snapshot."""
    for known in (A, B):
        claim = claimed(leases)
        results = [replace(one, snapshot_sha256={1: known}) for one in outcomes(claim)]
        leases.complete(claim, results, BEAT, 1.5)


def digests(database: Database) -> list[dict[int, str]]:
    """Return those of the final's trials, by replicate."""
    trials = store.read_study(database, "small").stages["final"].trials
    return [dict(one.snapshot_sha256) for one in trials]


def test_digests_are_kept_and_those_of_what_was_tested_take_their_place(
    database: Database, leases: Leases
) -> None:
    """A trial's digests by cycle are read as completed, and then as they were evaluated."""
    train_final(leases)
    assert digests(database) == [{1: A}, {1: B}]
    assert [one.snapshot_sha256 for one in leases.trained().values()] == [{1: A}, {1: B}]
    claim = claimed(leases)
    leases.open_test(claim, "a test")
    final = replace(FINAL, snapshots=SCORE)
    leases.complete_test(claim, final, {}, {0: {1: C}, 1: {}})
    assert leases.claim() is None
    assert digests(database) == [{1: C}, {1: B}]
    assert store.read_study(database, "small").final == final


def test_a_changed_snapshot_score_is_not_reported(
    database: Database, leases: Leases, window: Window
) -> None:
    """The scores of snapshots are under the digest of the final score."""
    train_final(leases)
    claim = claimed(leases)
    leases.open_test(claim, "a test")
    leases.complete_test(claim, replace(FINAL, snapshots=SCORE))
    window.execute(
        "UPDATE lamsearch_study SET final = replace(CAST(final AS TEXT), '0.93', '0.98')"
        if "postgresql" not in window.url
        else "UPDATE lamsearch_study SET final = "
        "CAST(replace(CAST(final AS TEXT), '0.93', '0.98') AS JSON)"
    )
    with pytest.raises(StorageError, match="final score of study"):
        store.read_study(database, "small")


@pytest.mark.parametrize(
    "found", ["7", "[1]", '{"x": "a"}', '{"-1": "a"}', '{"1": 5}', '"../../x"', "null"]
)
def test_what_nobody_wrote_names_no_file(
    database: Database, leases: Leases, window: Window, found: str
) -> None:
    """Where others wrote into the attribute, there is no snapshot: it is trained again."""
    train_final(leases)
    window.execute(
        "UPDATE trial_system_attributes SET value_json = :found WHERE key = 'lamsearch:snapshots'",
        found=found,
    )
    assert digests(database) == [{}, {}]


def test_a_final_without_snapshots_is_written_as_before(
    database: Database, small_study: Build, window: Window
) -> None:
    """Its document has no key for them, and no trial an attribute."""
    stored = planned(database, small_study())
    work(Leases(database, stored.study.name, owner="a", seconds=60.0))
    (text,) = window.rows("SELECT CAST(final AS TEXT) FROM lamsearch_study")
    assert "snapshots" not in text[0]
    keys = {row[0] for row in window.rows("SELECT key FROM trial_system_attributes")}
    assert "lamsearch:snapshots" not in keys
