"""How many files may be open, where a system has a limit and where it has none."""

from __future__ import annotations

import sys

import pytest

from lamsearch import open_files


def test_a_system_without_limits_lacks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no module of limits, no number of files is too many, and a server has room
    for as many sockets as Windows can wait for."""
    monkeypatch.setitem(sys.modules, "resource", None)
    assert open_files.lacking(10**9) is None
    assert open_files.most() == 512


@pytest.mark.posix
def test_a_limit_is_what_the_system_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server has as much room as the soft limit gives, and room for many where there is none."""
    import resource

    assert open_files.most() == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY,) * 2)
    assert open_files.most() > 100_000
