"""A cohort whose state is none that lamsearch writes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from storage_stub import Window, planned

from lamsearch.errors import StorageError
from lamsearch.storage import Database, Leases
from lamsearch.study import Study


@pytest.mark.timeout(120)
def test_a_state_that_lamsearch_does_not_write_is_said(
    database: Database, window: Window, small_study: Callable[..., Study]
) -> None:
    """A worker of a study whose cohorts can neither be claimed nor are done is refused in one
    sentence, where it would ask for ever."""
    planned(database, small_study())
    window.execute("UPDATE lamsearch_cohort SET state = 7")
    with pytest.raises(StorageError, match="a cohort's state must be 0, 1 or 2, got 7"):
        Leases(database, "small", owner="a", seconds=1.0).claim()
