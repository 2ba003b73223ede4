"""The verb worker: what it says, when it leaves, and with which code."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lamsearch import storage as store
from lamsearch.storage import Database

Lamsearch = Callable[..., subprocess.CompletedProcess[str]]


def test_a_worker_without_a_name_logs_each_event_and_leaves_when_idle(desk: Any) -> None:
    """With --exit-when-idle every study is done, and there is a line for each event; nothing is on
    standard output."""
    for name in ("one", "two"):
        desk.well("submit", desk.write(name))
    result = desk.well("worker", "--exit-when-idle")
    assert result.stdout == ""
    for event in ("waits for studies", "[one coarse/0] leased coarse cohort 0",
                  "[two coarse/0] coarse cohort 0 ends cycle 1", "[one test] leased the test",
                  "[two coarse/0] coarse cohort 0 is complete after", "[two] the study is done",
                  "leaves"):  # fmt: skip
        assert event in result.stderr
    assert desk.well("worker", "--exit-when-idle", "--quiet").stderr == ""


def test_a_log_of_documents_is_nothing_else(lamsearch: Lamsearch, tmp_path: Path) -> None:
    """With --log-format json each line on standard error is a document, an error's too."""
    done = lamsearch("worker", "--log-format", "json", "--storage", f"sqlite:///{tmp_path}/no.db")
    assert done.returncode == 2
    (line,) = map(json.loads, done.stderr.splitlines())
    assert line["level"] == "ERROR"
    assert line["message"].startswith("storage: no such file: ")


def test_several_names_restrict_a_worker(desk: Any) -> None:
    """A worker of two names leaves when both are over, with 1 where one has failed or was
    cancelled; a name that no study has is bad input."""
    for name in ("one", "two", "other"):
        desk.well("submit", desk.write(name))
    refused = desk("worker", "one", "three", "--storage", desk.url)
    assert refused.exit_code == 2
    assert refused.stderr.startswith("Error: study: no study 'three' in ")
    desk.well("cancel", "two")
    result = desk("worker", "one", "two", "--storage", desk.url)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == "Error: two: study: two was cancelled"
    database = Database(desk.url)
    states = {one.name: one.state for one in store.read_queue(database)}
    database.close()
    assert states == {"one": "done", "two": "cancelled", "other": "queued"}


def test_a_worker_of_one_cancelled_study_says_so(desk: Any) -> None:
    """A worker that is given a cancelled study alone leaves with 1 and a sentence."""
    desk.well("submit", desk.write("one"))
    desk.well("cancel", "one")
    result = desk("worker", "one", "--storage", desk.url)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == "Error: study: one was cancelled"


def test_a_paused_study_alone_is_left_when_idle(desk: Any) -> None:
    """With --exit-when-idle a worker of one paused study leaves; nothing of it is trained."""
    desk.well("submit", desk.write("one"))
    desk.well("pause", "one")
    desk.well("worker", "one", "--exit-when-idle")
    assert "0 % of 5 trials" in desk.well("status", "one").stdout


def test_a_worker_for_one_cohort_leaves_after_it(desk: Any) -> None:
    """With --once a worker trains one cohort; where there is none to claim it leaves at once."""
    desk.well("submit", desk.write("one"))
    database = Database(desk.url)
    (before,) = store.read_status(database, "one").stages
    desk.well("worker", "one", "--once")
    (after,) = store.read_status(database, "one").stages
    assert before.finished == 0
    assert 0 < after.finished < after.planned
    desk.well("pause", "one")
    desk.well("worker", "one", "--once")
    assert store.read_status(database, "one").stages == (after,)
    database.close()


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        (("--verbose", "--quiet"), "--verbose and --quiet exclude each other"),
        (("one", "--dask", "tcp://127.0.0.1:9"), "--dask serves every study until it is asked"),
        (("--log-format", "xml"), "Invalid value for '--log-format'"),
    ],
)
def test_options_that_mean_nothing_together_are_refused(
    desk: Any, options: tuple[str, ...], rule: str
) -> None:
    """What cannot be meant is a usage error."""
    result = desk("worker", *options)
    assert result.exit_code == 2
    assert rule in result.stderr


def test_a_cluster_that_is_not_there_is_said_in_the_log_s_form(desk: Any) -> None:
    """With --log-format json the last line is JSON too, as without --dask."""
    result = desk("worker", "--dask", "nonsense", "--log-format", "json")
    assert result.exit_code == 2
    assert "dask" in json.loads(result.stderr.splitlines()[-1])["message"]
