"""A line of a study's answer. Enters: texts. Leaves: a fact. Refuses to know markup."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One line of the answer: what it is, the number people quote, and how it was come by.

    A ``wide`` one is more than a number: it may take a whole line, and break.
    """

    label: str
    value: str
    detail: str = ""
    wide: bool = False
