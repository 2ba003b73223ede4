"""The verbs of the queue: what is asked of a study, and status without a name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lamsearch import storage as store
from lamsearch.storage import Database, Leases


def queue(desk: Any) -> list[tuple[str, str]]:
    """Names and states, in the order of the queue."""
    found = json.loads(desk.well("status", "--json").stdout)
    return [(one["name"], one["state"]) for one in found]


def test_a_study_is_submitted_paused_resumed_moved_and_cancelled(desk: Any) -> None:
    """Each verb says in one line what it did, and the queue shows it."""
    desk.well("submit", desk.write("first"))
    said = desk.well("submit", desk.write("second"), "--priority", 3).stdout
    assert said == "planned second; join with: lamsearch worker second\n"
    assert queue(desk) == [("second", "queued"), ("first", "queued")]
    assert desk.well("prioritize", "first", 9).stdout == "first has priority 9\n"
    assert queue(desk)[0] == ("first", "queued")
    assert desk.well("prioritize", "first", -1).stdout == "first has priority -1\n"
    assert desk.well("pause", "second").stdout == "paused second\n"
    assert queue(desk) == [("first", "queued"), ("second", "paused")]
    assert desk.well("resume", "second").stdout == "resumed second\n"
    assert desk.well("cancel", "second").stdout == "cancelled second\n"
    assert queue(desk) == [("first", "queued"), ("second", "cancelled")]
    lines = desk.well("status").stdout.splitlines()
    assert lines[0].split()[:4] == ["first", "queued", "0", "%"]
    assert "priority -1" in lines[0]


@pytest.mark.parametrize("verb", ["pause", "resume", "cancel", "finish", "prioritize"])
def test_a_verb_of_no_study_is_exit_code_2(desk: Any, verb: str) -> None:
    """A name that no study has is bad input, in one sentence."""
    Database(desk.url).close()
    more = [1] if verb == "prioritize" else []
    result = desk(verb, "nobody", *more, "--storage", desk.url)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "Error: study: no study 'nobody'; known: none\n"


def test_a_priority_beyond_all_bounds_plans_nothing(desk: Any) -> None:
    """It is refused before anything is written, a storage included."""
    result = desk("submit", desk.write(), "--priority", 10**9, "--storage", desk.url)
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: priority: must be between -1000000 and 1000000, got 1000000000\n"
    )
    assert not desk.database_file.exists()


def test_create_is_submit_by_its_older_name(desk: Any) -> None:
    """It plans the same study, priority and all."""
    desk.well("create", desk.write(), "--priority", 2)
    (found,) = json.loads(desk.well("status", "--json").stdout)
    assert (found["name"], found["priority"]) == ("small", 2)


def test_a_finished_search_is_said_in_the_report(desk: Any) -> None:
    """After finish the study has its final, and page and document say why the search ended, and
    how much of it was not trained."""
    desk.well("submit", desk.write())
    database = Database(desk.url)
    leases = Leases(database, "small", owner="a", seconds=60.0)
    claim = leases.claim()
    leases.give_back(claim)
    database.close()
    said = desk.well("finish", "small").stdout
    assert said == "the search of small has ended; finalists and final follow\n"
    result = desk("worker", "small", "--storage", desk.url)
    assert result.exit_code == 1  # nothing was complete
    assert "no trial was complete when searching ended: finish was asked for" in result.stderr
    document = json.loads(desk.well("report", "small", "--json", "--output", "out").stdout)
    assert (document["state"], document["search_ended"]) == ("failed", "finish was asked for")
    page = Path("out/report.md").read_text(encoding="utf-8")
    assert "The search ended early: finish was asked for; 5 of 5 trials of coarse were not" in page
    assert "and fine was not begun" in page
    assert "depends on the clock" in page


def test_a_cancelled_study_has_a_report(desk: Any) -> None:
    """Its page says that it was cancelled and how far it came, and nothing works on it again."""
    desk.well("submit", desk.write())
    desk.well("cancel", "small")
    document = json.loads(desk.well("report", "small", "--json", "--output", "out").stdout)
    assert document["state"] == "cancelled"
    page = Path("out/report.md").read_text(encoding="utf-8")
    assert "The study was cancelled: 0 of 5 trials of coarse have ended" in page
    result = desk("submit", "small.toml", "--storage", desk.url)
    assert result.exit_code == 2
    assert "was cancelled; start over with: lamsearch delete small" in result.stderr


def test_a_study_file_may_have_limits(desk: Any) -> None:
    """A time limit and a target are checked, planned, and said in the report."""
    path = desk.write()
    path.write_text('time_limit = "2h"\ntarget = 0.2\n' + path.read_text(), encoding="utf-8")
    document = desk.do(path)
    assert document["state"] == "done"
    assert document["search_ended"].startswith("the target 0.2 was reached by a score of 0.")
    coarse = document["stages"][0]
    assert coarse["complete"] + coarse["pruned"] == coarse["planned"] == 5
    assert coarse["pruned"] > 0
    assert {one["state"] for one in document["stages"][2]["trials"]} == {"COMPLETE"}
    assert not [one for one in document["warnings"] if "versions" in one]


def test_a_study_of_shares_is_stored_in_numbers(desk: Any) -> None:
    """`submit` plans 0.2 of the 1797 digits as 359, once: the same file is the same study, and so
    is the file with the number; another share is another study."""
    text = desk.write().read_text(encoding="utf-8")
    for train in ("0.2", "0.2", "359"):
        desk.well("submit", desk.write(text=text.replace("train = 300", f"train = {train}")))
    assert [name for name, _ in queue(desk)] == ["small"]
    stored = store.load(Database(desk.url), "small")
    assert (stored.study.data.train, stored.validation_images["coarse"]) == (359, 100)
    other = desk.write(text=text.replace("train = 300", "train = 0.3"))
    refused = desk("submit", other, "--storage", desk.url)
    assert refused.exit_code == 2
    assert "taken by another study file (data.train: 359 → 539)" in refused.stderr
