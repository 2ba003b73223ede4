"""When a lease has run out, as the database asks it and as a row that was read is asked."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from lamsearch.storage.expiry import holds, lease_holds
from lamsearch.storage.tables import LEASED, cohorts

NOW = 1000.0
# expires, renewed, lease_seconds, whether it holds
CASES = [
    (1020.0, 1000.0, 20.0, True),
    (NOW, 980.0, 20.0, False),  # it ends now
    (1000.5, 980.5, 20.0, True),
    (999.5, 979.5, 20.0, False),
    (1021.0, 1001.0, 20.0, True),  # renewed by a clock that is a second ahead
    (1021.5, 1001.5, 20.0, False),  # as long as it would have if it were renewed in the future
    (5000.0, 4980.0, 20.0, False),
    # of a version that did not store how long leases are: it follows from the renewal
    (1020.0, 1000.0, None, True),
    (1001.0, 1000.5, None, True),
    (1002.5, 1001.0, None, True),
    (1002.6, 1001.1, None, False),
    (1021.5, 1020.0, None, False),
]


@pytest.mark.parametrize(("expires", "renewed", "length", "expected"), CASES)
def test_a_lease_holds_until_it_ends_and_no_longer_than_it_can(
    expires: float, renewed: float, length: float | None, expected: bool
) -> None:
    """By either way to ask; one that ends beyond a renewal just now has run out."""
    row: Any = {"expires": expires, "renewed": renewed, "lease_seconds": length}
    assert lease_holds(row, NOW) is expected
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        cohorts.create(connection)
        blank = {"replicate": 0, "trials": [], "state": LEASED, "token": 1, "takeovers": 0,
                 "updates": 0, "total": 1, "per_second": 0.0}  # fmt: skip
        key = {"study": "one", "stage": "coarse", "number": 0}
        connection.execute(sa.insert(cohorts).values(key | blank | row))
        found = connection.scalar(sa.select(sa.func.count()).select_from(cohorts).where(holds(NOW)))
    engine.dispose()
    assert found == int(expected)
