"""Durations, rates and counts as people read them."""

from __future__ import annotations

import dataclasses
import io
import math
from typing import Any

import pytest
from pseudo_terminal import status
from rich.console import Console

from lamsearch.results import QueuedStudy, Selected, StudyState
from lamsearch.space import LAMBDA, Dimension, Scale, Space
from lamsearch.terminal.glyphs import ASCII, UNICODE
from lamsearch.terminal.layout import Layout, chosen_of, clock, left_of, timing
from lamsearch.terminal.live import Screen, _Speed
from lamsearch.terminal.overview import Overview


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (-0.4, "0:00"), (-10_815.0, "0:00"), (75.9, "1:15"), (3_661, "1:01:01"),
     (359_999, "99:59:59"), (360_000, "4 days"), (8_640_000, "100 days"),
     (8.64e9, "100,000 days"), (math.inf, "for ever"), (math.nan, "for ever")],
)  # fmt: skip
def test_a_duration_is_never_negative_and_never_endless_digits(seconds: float, text: str) -> None:
    """A clock that was set back gives 0:00, and a hundred hours and more are days."""
    assert clock(seconds) == text


@pytest.mark.parametrize(
    ("rate", "text"),
    [(None, ""), (0.0, ""), (-3.0, ""), (math.nan, ""), (0.004, "0.004 updates/s"),
     (0.37, "0.37 updates/s"), (9.96, "10 updates/s"), (12.3, "12 updates/s"),
     (12_345.6, "12346 updates/s")],
)  # fmt: skip
def test_a_slow_rate_is_not_nought(rate: float | None, text: str) -> None:
    """A rate below ten has two digits; what is no rate is left out."""
    assert timing(rate) == text


def test_what_takes_for_ever_is_not_said_to_be_left() -> None:
    """Where the rate is next to nothing there is no time left to tell."""
    assert left_of(math.inf) == ""
    assert left_of(None) == ""
    assert left_of(61.0) == "  1:01 left"


def test_the_time_left_is_the_studys(monkeypatch: pytest.MonkeyPatch) -> None:
    """What later stages still need is in it, though they are not planned yet."""
    now = [0.0]
    monkeypatch.setattr("lamsearch.terminal.live.time.monotonic", lambda: now[0])
    speed, first = _Speed(), status(0, done=0)
    whole = sum(stage.total for stage in first.stages) + 50_000
    for seconds, done in ((0.0, 0), (10.0, 1000)):
        now[0] = seconds
        shown = dataclasses.replace(status(0, done=done), expected_updates=float(whole))
        speed.look(shown)
    rest = whole - sum(stage.updates for stage in shown.stages)
    assert speed.seconds_left(shown) == pytest.approx(rest / 100)
    older = dataclasses.replace(shown, expected_updates=0.0)
    assert speed.seconds_left(older) == pytest.approx((rest - 50_000) / 100)


def test_a_stage_that_is_not_over_is_not_at_100_percent() -> None:
    """99.99 % of the updates is 99 %, in a line and in a figure."""
    shown = status(0, done=13_799)
    stream = io.StringIO()
    console = Console(file=stream, width=80, height=24)
    Screen(console).show(shown)
    console.print(Layout(status=shown))
    assert "fine: 99 % of 16 trials" in stream.getvalue()
    assert stream.getvalue().count("100 %") == 2  # coarse's


def queued(name: str, state: StudyState, **changes: Any) -> QueuedStudy:
    """A study of a queue."""
    values: dict[str, Any] = {
        "name": name, "id": "0" * 32, "state": state, "priority": 0, "created": 0.0,
        "started": None, "age": 61.0, "finished_trials": 3, "planned_trials": 12, "progress": 0.25,
        "workers": 0, "selected": None,
    }  # fmt: skip
    return QueuedStudy(**{**values, **changes})


def drawn(overview: Overview, *, width: int = 80, height: int = 24) -> list[str]:
    """The lines that a console of that size shows."""
    console = Console(file=io.StringIO(), width=width, height=height)
    text = "".join(one.text for one in console.render(overview))
    return [line.rstrip() for line in text.splitlines()]


@pytest.mark.parametrize("height", [4, 10, 30])
def test_an_overview_of_many_studies_fits(height: int) -> None:
    """A line per study in 80 columns, as many as there is room for, in the order of the queue."""
    states = [StudyState.RUNNING] * 10 + [StudyState.DONE] * 10
    many = [queued(f"study-{n}" * 4, state) for n, state in enumerate(states)]
    lines = drawn(Overview(many), height=height)
    assert len(lines) == min(20, height - 2) + (height < 22)
    assert all(len(line) <= 80 for line in lines)
    assert "running" in lines[0]
    if height < 22:
        assert lines[-1] == f"… {20 - (height - 2)} more studies"
    assert "more stud" in drawn(Overview(many[:2]), height=3)[-1]


def test_a_study_of_the_queue_says_what_people_ask_of_it() -> None:
    """Name, state, progress, age, priority, workers and the chosen λ; what none of them
    has takes no room."""
    chosen = Selected(point=(-2.5,), rule="best", score=None)
    lines = drawn(Overview([
        queued("digits", StudyState.RUNNING, priority=5, workers=2, progress=0.999),
        queued("cifar10", StudyState.DONE, finished_trials=12, progress=1.0, selected=chosen),
    ]))  # fmt: skip
    assert lines == [
        "digits   running   99 %  1:01  priority 5  2 workers",
        "cifar10  done     100 %  1:01                         λ = 0.00316",
    ]
    (line,) = drawn(Overview([queued("digits", StudyState.QUEUED)]))
    assert line == "digits  queued   25 %  1:01"


def test_a_chosen_point_is_named_by_all_its_values() -> None:
    """Where dimensions are several the queue and a study's status name every value, in letters that
    the terminal has."""
    rate = Dimension(name="eta_max", symbol="η_max", about="", scale=Scale.LOG)
    chosen = Selected(point=(-2.5, -1.0), rule="best", score=None)
    both = Space(dimensions=(LAMBDA, rate))
    lines = drawn(Overview([queued("cifar10", StudyState.DONE, selected=chosen, space=both)]))
    assert lines[0].endswith("λ = 0.00316, η_max = 0.1")
    shown = dataclasses.replace(status(0), selected=chosen, space=both)
    assert chosen_of(shown, UNICODE) == "given: λ = 0.00316, η_max = 0.1"
    assert chosen_of(shown, ASCII) == "given: lambda = 0.00316, η_max = 0.1"
    console = Console(file=io.StringIO(), width=80, height=24)
    text = "".join(one.text for one in console.render(Layout(status=shown)))
    assert "given: λ = 0.00316, η_max = 0.1" in text


def test_why_nobody_serves_a_study_is_below_the_queue() -> None:
    """Where all is shown, so are the reasons, on lines that hostile text cannot break."""
    study = queued("digits", StudyState.QUEUED, unable=("one\x1b[2J cannot serve it: no data",))
    lines = drawn(Overview([study], fitted=False))
    assert len(lines) == 2
    assert lines[1].startswith("digits: one")
    assert lines[1].endswith("cannot serve it: no data")
    assert "\x1b" not in lines[1]
    assert len(drawn(Overview([study]))) == 1


def test_a_study_s_status_says_why_nobody_serves_it_and_why_its_search_ended() -> None:
    """Both are below its stages; once a worker has a lease, what other hosts lack is left out."""
    reason = "one cannot serve it: trainer: 'mine' is not installed"
    waiting = dataclasses.replace(
        status(0), state=StudyState.QUEUED, unable=(reason,), search_ended="finish was asked for"
    )
    console = Console(file=io.StringIO(), width=80, height=24)
    text = "".join(one.text for one in console.render(Layout(status=waiting)))
    assert reason in text
    assert "the search ended early: finish was asked for" in text
    served = dataclasses.replace(waiting, state=StudyState.RUNNING)
    assert reason not in "".join(one.text for one in console.render(Layout(status=served)))
