"""Text from outside on one line. Enters: anything. Leaves: a line that obeys no markup of ours."""

from __future__ import annotations


def one_line(text: object) -> str:
    """Return text from outside on one line, without control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
