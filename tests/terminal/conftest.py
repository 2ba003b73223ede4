"""A pseudo-terminal in a world that says it is a common one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from pseudo_terminal import Pseudo


@pytest.fixture
def open_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Pseudo]]:
    """Open pseudo-terminals of a width and a height, which are closed at the end."""
    for name in ("CI", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TTY_COMPATIBLE",
                 "TTY_INTERACTIVE", "JPY_PARENT_PID"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    opened: list[Pseudo] = []

    def open_one(*size: int) -> Pseudo:
        opened.append(Pseudo(*size))
        return opened[-1]

    yield open_one
    for one in opened:
        one.all()


@pytest.fixture
def terminal(open_terminal: Callable[..., Pseudo]) -> Pseudo:
    """A pseudo-terminal of 80 × 24."""
    return open_terminal()
