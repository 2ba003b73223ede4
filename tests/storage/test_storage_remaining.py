"""What is left of a study's cohorts, as whoever starts workers reads it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from storage_stub import Window, claimed, finish, planned

from lamsearch.storage import Database, Leases, Remaining, read_remaining
from lamsearch.study import Study


@pytest.mark.usefixtures("long_up")
def test_what_is_left_and_what_updates_take(
    database: Database, window: Window, small_study: Callable[..., Study]
) -> None:
    """Cohorts in work come first, then those that wait in their order; an update's time is that of
    the fastest that was done in one go, else of those in work."""
    planned(database, small_study(name="one", cohort=2))
    planned(database, small_study(name="other", cohort=2))
    leases = Leases(database, "one", owner="a", seconds=60.0)
    whole, measured = read_remaining(database, "one", 99)
    assert [one.leased for one in whole] == [False] * len(whole)
    assert len(whole) >= 2
    assert measured == {}
    claim = claimed(leases)
    assert claim.number == 0
    window.execute(
        "UPDATE lamsearch_cohort SET updates = 5, total = 12, per_second = 4"
        " WHERE study = 'one' AND number = 0"
    )
    found, measured = read_remaining(database, "one", 99)
    assert found[0] == Remaining(models=len(claim.trials), updates=7, leased=True)
    assert found[1:] == whole[1:]
    assert measured == {len(claim.trials): 0.25}
    assert read_remaining(database, "one", 1)[0] == found[:1]
    finish(leases, claim)
    window.execute(
        "UPDATE lamsearch_cohort SET seconds = 6, updates = 12 WHERE study = 'one' AND number = 0"
    )
    assert read_remaining(database, "one", 99) == (whole[1:], {len(claim.trials): 0.5})
    finish(leases, second := claimed(leases))
    assert len(second.trials) == len(claim.trials)
    for seconds, resumed, expected in ((9, "NULL", 0.5), (3, "NULL", 0.25), (3, "5", 0.5)):
        window.execute(
            f"UPDATE lamsearch_cohort SET seconds = {seconds}, updates = 12,"  # noqa: S608
            f" resumed_update = {resumed} WHERE study = 'one' AND number = 1"
        )
        assert read_remaining(database, "one", 99)[1] == {len(claim.trials): expected}
