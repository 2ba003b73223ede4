"""A run whose study somebody pauses, resumes or cancels meanwhile."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from study_processes import PACE, Place, promised

from benchmarks.victims import until
from lamsearch import storage as store
from lamsearch.storage import Database, Mode


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A place on SQLite."""
    found = Place(tmp_path, f"sqlite:///{tmp_path / 'studies.db'}")
    yield found
    found.close()


def test_a_run_waits_while_its_study_is_paused_and_ends_when_it_is_cancelled(place: Place) -> None:
    """A pause is said once and empties the workers' hands; after it is resumed and then cancelled,
    the run writes the report of what there is and leaves with 1 and a sentence."""
    run = place.run(workers=2)
    until(place.holders)
    database = Database(place.url, Mode.WORK)
    store.pause(database, "lives")
    begun = time.monotonic()
    until(lambda: not place.status().workers)
    # a renewal, and two seconds
    assert time.monotonic() - begun < promised(float(PACE[1]) / 4 + 2)
    until(lambda: "lives is paused: workers wait until it is resumed\n" in run.said)
    store.resume(database, "lives")
    until(place.holders)
    until(lambda: "lives is resumed\n" in run.said)
    store.cancel(database, "lives")
    database.close()
    assert run.wait() == 1, run.said
    assert run.said.splitlines()[-1] == "Error: study: lives was cancelled"
    assert run.said.count("lives is paused") == 1
    document = json.loads((place.output / "results.json").read_text(encoding="utf-8"))
    assert document["state"] == "cancelled"
    assert place.checkpoints() == []
