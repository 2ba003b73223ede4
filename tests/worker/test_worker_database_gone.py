"""A database that is moved or deleted under a run is said; a run never ends well without one."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from study_processes import CALM, PACE, Place

from benchmarks.victims import Size, until


@pytest.mark.parametrize("how", ["deleted", "moved"])
@pytest.mark.parametrize("verb", ["run", "worker"])
def test_a_database_that_goes_ends_the_work_in_one_sentence(
    sqlite_place: Place, verb: str, how: str
) -> None:
    """A run, and a worker, whose SQLite file is deleted or moved ends soon with 1 and one sentence,
    without a report; a file that was moved goes on under its new name."""
    place = sqlite_place
    if verb == "worker":
        assert place.start("create", place.study_file, "--files", place.files).wait() == 0
        process = place.start("worker", "lives", *PACE)
    else:
        process = place.run(workers=2)
    until(place.checkpoints)
    path = place.directory / "studies.db"
    moved = place.directory / "moved.db"
    if how == "moved":
        path.rename(moved)
    else:
        for one in place.directory.glob("studies.db*"):
            one.unlink()
    assert process.wait() == 1, process.said
    (sentence,) = re.findall(r"^Error: (.*)$", process.said, re.MULTILINE)
    assert sentence.startswith(f"storage: {path} is no longer there: it was moved or deleted")
    assert "Traceback" not in process.said
    assert not place.output.exists()
    assert not path.exists()
    if how == "moved" and verb == "run":
        again = Place(place.directory, f"sqlite:///{moved}")
        report = again.directory / "report"
        run = again.start("run", again.study_file, "--files", place.files, "--workers", 1,
                          "--output", report, *CALM)  # fmt: skip
        assert run.wait() == 0, run.said
        assert json.loads((report / "results.json").read_text(encoding="utf-8"))["final"]
        again.close()


def test_a_finished_run_leaves_one_file_that_can_be_copied(sqlite_place: Place) -> None:
    """A run that is done leaves the SQLite file alone, with no log beside it that a copy would
    lack."""
    sqlite_place.study_file.write_text(Size(step_size=50).text("lives"), encoding="utf-8")
    run = sqlite_place.run(workers=2, timing=CALM)
    assert run.wait() == 0, run.said
    assert [path.name for path in Path(sqlite_place.directory).glob("studies.db*")] == [
        "studies.db"
    ]
