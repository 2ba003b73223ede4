"""Text from outside, made harmless."""

from __future__ import annotations

import csv
import io
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamsearch.cli.echo import Visible
from lamsearch.visible import cell, is_obeyed, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("λ = 0.1 – ±, 漢字 🙂", "λ = 0.1 – ±, 漢字 🙂"),
        ("a\x1b[31mred\x07", "a\\x1b[31mred\\x07"),
        ("a\x9b31m\x7f\0", "a\\x9b31m\\x7f\\x00"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("user\u202egnp.exe\u2066", "user\\u202egnp.exe\\u2066"),
        ("a\u2028b\u200b\ufeff", "a\\u2028b\\u200b\\ufeff"),
        ("\udc80", "\\udc80"),
    ],
)
def test_what_is_obeyed_is_shown(text: str, shown: str) -> None:
    """Control characters and marks of direction become escapes; letters stay."""
    assert visible(text) == shown
    assert visible(text, keep="\n") == shown.replace("\\n", "\n")


@given(st.text(st.characters()))
def test_nothing_is_obeyed(text: str) -> None:
    """Whatever the text, nothing in it is obeyed, and doing it twice changes nothing."""
    assert not any(map(is_obeyed, visible(text)))
    assert visible(visible(text)) == visible(text)


@given(st.text(st.characters(), max_size=6), st.sampled_from("=+-@\t\r＝＋－＠"))
def test_no_cell_is_a_formula(text: str, start: str) -> None:
    """A cell that begins as a formula, also after white space, begins with an apostrophe."""
    gaps = ("",) if start.isspace() else ("", "  ", "\u00a0\n")
    for given_text in (f"{gap}{start}{text}" for gap in gaps):
        out = io.StringIO(newline="")
        csv.writer(out).writerow([cell(given_text)])
        ((read,),) = csv.reader(io.StringIO(out.getvalue(), newline=""))
        assert read.startswith("'")
        assert not any(map(is_obeyed, read.replace("\n", "")))
    assert cell("plain -1") == "plain -1"


def test_what_is_logged_is_harmless() -> None:
    """A logged line is formatted without control characters."""
    record = logging.makeLogRecord({"msg": "%s is damaged", "args": ("\x1b[2J",)})
    assert Visible().format(record) == "\\x1b[2J is damaged"
