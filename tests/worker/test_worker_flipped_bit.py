"""One flipped bit in whatever lamsearch wrote, the database's file included."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.flipped_bits import STATES, Desk, database, files, kind_of, reach
from lamsearch.data import training

# A longer run, with a table: python -m benchmarks.flipped_bits
FLIPS = int(os.environ.get("LAMSEARCH_FLIPS", "36"))


@pytest.fixture(autouse=True)
def _every_split_is_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cache the splits of small studies too."""
    monkeypatch.setattr(training, "_WORTH_SHARING", 0)


def test_all_that_is_written_is_flipped(tmp_path: Path) -> None:
    """There are checkpoints, models, cached splits, what is remembered of the data, and the mark of
    a study's directory, for a bit to flip in."""
    kinds = set()
    for number, state in enumerate(STATES):
        desk = Desk(tmp_path / str(number))
        reach(desk, state)
        kinds |= {kind_of(path) for path in desk.written()}
    assert kinds == {"checkpoint", "model", "cached split", "data facts", "marker"}


def test_a_flipped_bit_is_noticed_or_without_effect(tmp_path: Path) -> None:
    """Whichever bit flips in a checkpoint, a model, a cached split or what is remembered of the
    data, a study that is half done, or done, ends with the undisturbed answer, to the bit."""
    verdicts: Counter[str] = sum(files(tmp_path, FLIPS).values(), Counter())
    assert set(verdicts) <= {"said, same numbers", "without effect"}
    assert verdicts.total() == FLIPS


def test_a_flipped_bit_of_the_database_is_noticed_or_without_effect(tmp_path: Path) -> None:
    """Whichever bit flips in the SQLite file of a study that is done, its report has the same
    numbers, or there is a sentence instead of it."""
    verdicts: Counter[str] = sum(database(tmp_path, 3 * FLIPS).values(), Counter())
    assert set(verdicts) <= {"refused in a sentence", "said, same numbers", "without effect"}
    assert verdicts.total() == 3 * FLIPS
