"""Sizes follow from the number of examples by the documented formula."""

from __future__ import annotations

import pytest

from lamsearch.estimators.sizes import network_sizes


@pytest.mark.parametrize(
    ("examples", "hidden", "batch_size", "step_size"),
    [
        (100, 10, 10, 100),  # 200 updates: 20 epochs of 10
        (1_000, 32, 50, 100),  # 10 epochs of 20 batches
        (10_000, 100, 100, 500),  # 10 epochs of 100 batches
        (100_000, 100, 100, 1_000),  # 2,000 updates at most
    ],
)
def test_the_formula(examples: int, hidden: int, batch_size: int, step_size: int) -> None:
    """Worked by hand for sizes between 100 and 100,000."""
    found = network_sizes(examples)
    assert (found.hidden, found.batch_size, found.step_size) == ((hidden,), batch_size, step_size)


def test_what_is_set_is_kept() -> None:
    """Given sizes stand, but that a mini-batch has no more examples than there are."""
    found = network_sizes(6, hidden=(7, 5), batch_size=20, updates=1)
    assert (found.hidden, found.batch_size, found.step_size) == ((7, 5), 6, 1)
    assert network_sizes(6, hidden=()).hidden == ()
