"""The API by its own description: no request is a server error, nor is an answer undescribed."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.mark.filterwarnings("default::DeprecationWarning")  # of the libraries that make requests
def test_no_server_error_and_no_undocumented_answer(tmp_path: Path) -> None:
    """A few requests to each operation, right and wrong ones, are all answered as described."""
    pytest.importorskip("schemathesis")
    from benchmarks import api_fuzz  # two seconds, which no other test needs

    server = api_fuzz.Server(tmp_path)
    try:
        statuses, failures = api_fuzz.fuzz(server, examples=16)
    finally:
        server.close()
    assert failures == []
    assert len(statuses) == 10
    answers = {status for counts in statuses.values() for status in counts}
    assert {200, 204, 404, 409, 422} <= answers
    assert server.lines == []
