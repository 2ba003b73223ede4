"""What a line of the log has, and what it never has."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator

import pytest

from lamsearch import logs

URL = "postgresql://lam:pa55-word@db/lam"


@pytest.fixture(autouse=True)
def unconfigured() -> Iterator[None]:
    """Put the logger back as it was."""
    yield
    logs.reset()


def log() -> logging.Logger:
    """A logger as modules have one."""
    return logging.getLogger("lamsearch.somewhere")


def test_a_line_of_text_has_time_level_study_and_cohort(capsys: pytest.CaptureFixture[str]) -> None:
    """A line names its study and cohort where they are known, and the message is its end."""
    logs.configure()
    with logs.about(study="digits"):
        with logs.about(cohort="fine/3"):
            log().warning("took over %s", "it")
        log().info("done")
    log().info("nothing")
    first, second, third = capsys.readouterr().err.splitlines()
    assert first[10:11] == "T"
    assert first.partition(" ")[2] == "WARNING [digits fine/3] took over it"
    assert second.partition(" ")[2] == "INFO    [digits] done"
    assert third.partition(" ")[2] == "INFO    nothing"


def test_a_line_of_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    """A JSON line has the same facts, and those given with the record itself are the record's."""
    logs.configure(format="json")
    with logs.about(study="digits"):
        log().error("line\nbreak", extra={"study": "other", "cohort": "fine/3"})
    (line,) = capsys.readouterr().err.splitlines()
    found = json.loads(line)
    assert found.pop("time").endswith("Z")
    assert found == {
        "level": "ERROR", "study": "other", "cohort": "fine/3", "message": "line\\nbreak",
    }  # fmt: skip


@pytest.mark.parametrize("format_", logs.FORMATS)
def test_nothing_secret_and_nothing_obeyed_is_in_a_line(
    format_: logs.Format, capsys: pytest.CaptureFixture[str]
) -> None:
    """Passwords of URLs, and the storage's wherever it stands, are hidden; letters that a terminal
    obeys are shown."""
    logs.configure(format=format_, secret=URL)
    log().info("at %s or s3://key:53cret@host/x, password pa55-word \x1b[2J", URL)
    said = capsys.readouterr().err
    assert "pa55-word" not in said
    assert "53cret" not in said
    assert "\x1b" not in said


def test_quiet_and_verbose_choose_levels(capsys: pytest.CaptureFixture[str]) -> None:
    """Quiet leaves warnings, verbose adds what helps to find a fault."""
    for options, expected in (({}, 2), ({"quiet": True}, 1), ({"verbose": True}, 3)):
        logs.configure(**options)  # type: ignore[arg-type]
        for level in (logging.DEBUG, logging.INFO, logging.WARNING):
            log().log(level, "line")
        assert len(capsys.readouterr().err.splitlines()) == expected


def test_what_a_thread_is_about_is_its_own() -> None:
    """Another thread's study is not this one's."""
    seen: list[str | None] = []
    with logs.about(study="mine"):
        thread = threading.Thread(target=lambda: seen.append(logs.study()))
        thread.start()
        thread.join()
        assert logs.study() == "mine"
    assert seen == [None]
    assert logs.study() is None
