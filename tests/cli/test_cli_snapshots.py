"""Snapshots on the command line: check prints which cycle ends, a report has their files."""

from __future__ import annotations

import json
from typing import Any


def test_check_prints_the_cycle_ends_and_a_report_has_their_models(
    desk: Any, study_file: Any
) -> None:
    """The rule is said before anything is trained; the report's document and directory follow."""
    path = study_file(final={"snapshots": True, "cycles": 3})
    checked = desk("check", path)
    assert checked.exit_code == 0, checked.stderr
    assert (
        "final's models at the ends of its last 2 cycles, at updates 60 and 90, are kept and "
        "averaged for the test" in " ".join(checked.stdout.split())
    )
    output = desk.directory / "out"
    ran = desk("run", path, "--output", output, "--workers", 1, "--json")
    assert ran.exit_code == 0, ran.stderr
    found = json.loads(ran.stdout)["final"]["snapshots"]
    assert found["updates"] == [60, 90]
    assert sorted(one.name for one in (output / "models").iterdir()) == [
        f"final-{replicate}{cycle}.safetensors"
        for replicate in (0, 1)
        for cycle in ("-cycle-2", "")
    ]
    assert desk("report", "small", "--output", output).exit_code == 0
