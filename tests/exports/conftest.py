"""What tests of exports share: a small study that was really run, a listener on the way out."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from small_study import document_of

import lamsearch
from lamsearch.exports import Export
from lamsearch.results import StudyRecord, StudyState, TrialState


@pytest.fixture(scope="session")
def record() -> StudyRecord:
    """Return a small study that is done, with curves; the last trial of fine has failed."""
    found = lamsearch.run(document_of(finalists=None)).record
    assert found is not None
    fine = found.stages["fine"]
    failed = replace(
        fine.trials[-1], state=TrialState.FAIL, reason="cost is | not\nfinite", updates=12,
        score=None, score_error=None, validation_loss=None, train_score=None, curve=None,
    )  # fmt: skip
    stages = {**found.stages, "fine": replace(fine, trials=(*fine.trials[:-1], failed))}
    return replace(found, stages=stages)


@pytest.fixture(scope="session")
def halfway(record: StudyRecord) -> StudyRecord:
    """Return the same study before its final."""
    stages = {name: stage for name, stage in record.stages.items() if name != "final"}
    return replace(
        record, stages=stages, selected=None, final=None, finished=False, state=StudyState.RUNNING
    )


@pytest.fixture
def export(record: StudyRecord, tmp_path: Path) -> Callable[..., Export]:
    """Return what makes an export of a record, with a report of few files."""
    report = tmp_path / "report"
    (report / "models").mkdir(parents=True)
    (report / "index.html").write_text("<title>λ for small", encoding="utf-8")
    (report / "models" / "final-0.safetensors").write_bytes(b"a model")
    return lambda given=record: Export(record=given, report=report)


@pytest.fixture
def calls_out(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Stand in for every proxy; return who called."""
    called: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, address)
            monkeypatch.setenv(name.lower(), address)
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("no_proxy", "")

        def listen() -> None:
            while True:
                try:
                    with server.accept()[0] as caller:
                        called.append(caller.recv(200).decode(errors="replace"))
                except OSError:
                    return

        threading.Thread(target=listen, daemon=True).start()
        yield called
        server.shutdown(socket.SHUT_RDWR)
