"""[final] snapshots: which cycle ends it means, and that a study without it stays the same one."""

from __future__ import annotations

from typing import Any

import pytest
from study_documents import changed

from lamsearch.study import Study, parse_study


def built(changes: dict[str, Any]) -> Study:
    """Return the small study with changes."""
    return parse_study(changed(changes))


@pytest.mark.parametrize(
    ("asked", "cycles", "averaged"),
    [(False, 3, ()), (True, 2, (1, 2)), (True, 3, (2, 3)), (True, 5, (2, 3, 4, 5)),
     (2, 5, (4, 5)), (3, 3, (1, 2, 3))],
)  # fmt: skip
def test_which_cycle_ends_are_averaged(
    asked: bool | int, cycles: int, averaged: tuple[int, ...]
) -> None:
    """True is all but the first cycle's end (of two both), a number so many of the last."""
    study = built({"final": {"snapshots": asked, "cycles": cycles, "step_size": 5}})
    assert study.snapshot_cycles == averaged


def test_without_snapshots_a_study_is_the_same_file_as_before() -> None:
    """The default leaves the canonical form, and so the fingerprint, as they were; a rule alters
    both."""
    plain, said = built({"final": {}}), built({"final": {"snapshots": False}})
    assert said.fingerprint == plain.fingerprint
    assert "snapshots" not in plain.canonical()["final"]
    asked = built({"final": {"snapshots": 2}})
    assert asked.canonical()["final"]["snapshots"] == 2
    assert asked.fingerprint != plain.fingerprint
