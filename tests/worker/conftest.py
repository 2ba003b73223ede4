"""What the tests of the worker share: the undisturbed answer, places to work in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from study_processes import ANSWER, Place, undisturbed_place
from worker_bench import Bench

from lamsearch.study import Study


@pytest.fixture
def place(tmp_path: Path, storage_url: str) -> Iterator[Place]:
    """Return an empty place on a storage of either kind."""
    found = Place(tmp_path, storage_url)
    yield found
    found.close()


@pytest.fixture
def sqlite_place(tmp_path: Path, ready_sqlite: Callable[[Path], str]) -> Iterator[Place]:
    """Return an empty place on SQLite."""
    found = Place(tmp_path, ready_sqlite(tmp_path / "studies.db"))
    yield found
    found.close()


@pytest.fixture(scope="session")
def undisturbed(shared_directory: Path) -> Iterator[Place]:
    """Return the place of a study that one worker on SQLite has run without any disturbance."""
    place = undisturbed_place(shared_directory)
    yield place
    place.close()


@pytest.fixture(scope="session")
def right_answer(undisturbed: Place) -> dict[str, Any]:
    """Return the results table of the undisturbed study, as results.json has it."""
    document = json.loads((undisturbed.output / "results.json").read_text(encoding="utf-8"))
    return {key: document[key] for key in ANSWER}


@pytest.fixture
def bench(
    tmp_path: Path, small_study: Callable[..., Study], ready_sqlite: Callable[[Path], str]
) -> Iterator[Callable[..., Bench]]:
    """Plan the small study, with changes, on SQLite or where it is told."""
    made: list[Bench] = []

    def plan(url: str | None = None, **changes: Any) -> Bench:
        url = url or ready_sqlite(tmp_path / f"{len(made)}.db")
        directory = tmp_path / f"bench-{len(made)}"
        directory.mkdir()
        made.append(Bench(directory, url, small_study(**changes)))
        return made[-1]

    yield plan
    for one in made:
        one.close()
