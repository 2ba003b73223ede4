"""Text from outside made harmless: control characters are shown as escapes, not obeyed.

Enters: text from a database, a file, another process. Leaves: the same text, with escapes for what
a terminal would obey (control characters) or show in another place (marks of direction); cells
that a spreadsheet does not take for formulas. Refuses to know where the text goes.
"""

from __future__ import annotations

import unicodedata

_OBEYED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def visible(text: str, *, keep: str = "") -> str:
    """Return text in which nothing is obeyed by a terminal, but for the characters to keep."""
    if text.isprintable():
        return text
    return "".join(one if one in keep else _visible(one) for one in text)


def cell(text: str) -> str:
    """Return text as a cell of a CSV file that no spreadsheet takes for a formula."""
    said = visible(text, keep="\n")
    return f"'{said}" if text.lstrip().startswith(_FORMULA) or text[:1] in _FORMULA else said


def is_obeyed(letter: str) -> bool:
    """Whether a character is obeyed, not shown."""
    return unicodedata.category(letter) in _OBEYED


def _visible(letter: str) -> str:
    return letter.encode("unicode_escape").decode() if is_obeyed(letter) else letter
