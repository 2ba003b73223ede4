"""Limits of a search in a study file: a time, a target."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lamsearch.errors import StudyFileError
from lamsearch.study import Limits, Study
from lamsearch.study.limits import seconds_of

Build = Callable[..., Study]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2h", 7200.0), ("90m", 5400.0), ("45s", 45.0), ("1d12h", 129_600.0), ("1h30m", 5400.0),
     ("366d", 366 * 86_400.0)],
)  # fmt: skip
def test_a_time_is_days_hours_minutes_seconds(text: str, seconds: float) -> None:
    """Each unit once, the largest first."""
    assert seconds_of(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "0h", "0s", "2", "2 h", "2H", "-1h", "1.5h", "h", "30m1h", "367d", "2h\n", "٣h"]
)
def test_what_is_no_time_is_refused(small_study: Build, text: str) -> None:
    """A time of another form, of nothing or of more than a year is one sentence with the value."""
    with pytest.raises(StudyFileError) as caught:
        small_study(time_limit=text)
    (issue,) = caught.value.issues
    assert str(issue) == (
        "study: time_limit: must be a time such as '2h', '90m' or '1d12h', of 366 days at most, "
        f"got {text!r}"
    )


def test_a_study_has_the_limits_of_its_file(small_study: Build) -> None:
    """None where it names none; and then there is nothing to look for."""
    assert small_study().limits == Limits()
    assert not small_study().limits
    limits = small_study(time_limit="2h", target=0.9).limits
    assert limits == Limits(time_limit="2h", seconds=7200.0, target=0.9)
    assert small_study(target=0.0).limits


def test_a_study_without_limits_keeps_its_fingerprint(small_study: Build) -> None:
    """The keys are left out of the canonical form where the file has none."""
    assert {"time_limit", "target"} & small_study().canonical().keys() == set()
    assert small_study(target=0.5).canonical()["target"] == 0.5
    assert small_study(target=0.5).fingerprint != small_study().fingerprint


def test_a_target_that_is_no_number_is_refused(small_study: Build) -> None:
    """NaN, infinity and text are none."""
    for value in (float("nan"), float("inf"), "0.9"):
        with pytest.raises(StudyFileError, match="target"):
            small_study(target=value)
