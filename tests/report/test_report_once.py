"""What a report costs: each statistic once, whatever is made of it."""

from __future__ import annotations

import gc
import os
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from drawn_figures import Drawn, InPlaceOf, undrawn
from study_records import finished

from lamsearch import report
from lamsearch.findings import uncertainty
from lamsearch.report import writing
from lamsearch.report.parallel import Pieces
from lamsearch.results import once
from lamsearch.statistics import scores


def test_each_statistic_is_worked_out_once_for_all_forms(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A summary, a directory and a document of one record score each stage's candidates once, and
    resample their differences once."""
    record, called = finished(), Counter[str]()

    def counting(module: Any, name: str) -> None:
        counted = getattr(module, name)

        def call(*arguments: Any, **options: Any) -> Any:
            called[name] += 1
            return counted(*arguments, **options)

        monkeypatch.setattr(module, name, call)

    model = import_module("lamsearch.statistics.deciding_curve")  # its function has its name
    for module, name in (
        (scores, "score_candidates"), (uncertainty, "differences"), (uncertainty, "bias"),
        (model, "_deciding"),
    ):  # fmt: skip
        counting(module, name)
    report.summary(record)
    report.write(record, tmp_path / "out")
    with monkeypatch.context() as patch:
        patch.setattr(writing, "Drawing", InPlaceOf(undrawn))
        report.write(record, tmp_path / "again")
    report.to_json(record)
    assert called == {
        "score_candidates": len(record.stages), "differences": 1, "bias": 1, "_deciding": 1,
    }  # fmt: skip


def test_nothing_is_remembered_of_a_record_that_is_gone() -> None:
    """What was worked out of a record goes with it, and another one has its own."""
    gc.collect()  # the records of tests before this one
    before = len(once._FOUND)
    record = finished()
    assert report.summary(record) == report.summary(finished())
    assert len(once._FOUND) == before + 1
    del record
    gc.collect()
    assert len(once._FOUND) == before


def test_a_report_is_the_same_without_forks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, drawn: Drawn
) -> None:
    """Every file of a report has the same bytes, whether forks draw or this process alone."""
    with monkeypatch.context() as patch:  # by forks, whoever came first
        patch.setattr(writing, "Drawing", InPlaceOf(drawn))
        report.write(finished(), tmp_path / "forked")
    monkeypatch.setattr("lamsearch.report.parallel.may_fork", lambda: False)
    report.write(finished(), tmp_path / "alone")
    files = sorted(path.relative_to(tmp_path / "alone") for path in (tmp_path / "alone").rglob("*"))
    assert len(files) > 8
    for name in files:
        one, other = tmp_path / "forked" / name, tmp_path / "alone" / name
        assert one.is_dir() or one.read_bytes() == other.read_bytes(), name


def test_what_a_fork_cannot_do_is_done_here() -> None:
    """Pieces come back in their order, those of a fork that dies too; an error is raised here."""
    here = os.getpid()

    def piece(number: int) -> int:
        if number % 2 and os.getpid() != here:
            os._exit(1)
        return number

    found = Pieces([lambda number=number: piece(number) for number in range(9)]).finished()
    assert found == list(range(9))
    with pytest.raises(ZeroDivisionError):
        Pieces([lambda: 1, lambda: 1 // 0]).finished()
