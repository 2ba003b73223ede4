"""Durations, rates and counts as people read them."""

from __future__ import annotations

import dataclasses
import io
import math

import pytest
from pseudo_terminal import status
from rich.console import Console

from lamsearch.terminal.layout import Layout, clock, left_of, timing
from lamsearch.terminal.live import Screen
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
    assert left_of(61.0) == "  1:01 left in stage"


def test_a_stage_that_is_not_over_is_not_at_100_percent() -> None:
    """99.99 % of the updates is 99 %, in a line and in a figure."""
    shown = status(0, done=13_799)
    stream = io.StringIO()
    console = Console(file=stream, width=80, height=24)
    Screen(console).show(shown)
    console.print(Layout(status=shown))
    assert "fine: 8/16 trials, 99 %" in stream.getvalue()
    assert stream.getvalue().count("100 %") == 2  # coarse's


@pytest.mark.parametrize("height", [4, 10, 30])
def test_an_overview_of_many_studies_fits(height: int) -> None:
    """A line per study in 80 columns, as many as there is room for; those at work come first."""
    many = [dataclasses.replace(status(name=f"study-{n}" * 4), state=("done", "running")[n % 2])
            for n in range(20)]  # fmt: skip
    console = Console(file=io.StringIO(), width=80, height=height)
    lines = [text.rstrip() for text in
             "".join(one.text for one in console.render(Overview(many))).splitlines()]  # fmt: skip
    assert len(lines) == min(20, height - 2) + (height < 22)
    assert all(len(line) <= 80 for line in lines)
    assert "running" in lines[0]
    if height < 22:
        assert lines[-1] == f"… {20 - (height - 2)} more studies"
    one_left = Console(file=io.StringIO(), width=80, height=3)
    assert "more stud" in "".join(one.text for one in one_left.render(Overview(many[:2])))
