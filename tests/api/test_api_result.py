"""A result says what the report says."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_study import document_of

import lamsearch
from lamsearch.errors import InputError, OutputError
from lamsearch.report import document


@pytest.fixture(scope="module")
def result() -> lamsearch.Result:
    """The small study, done."""
    return lamsearch.run(document_of())


@pytest.fixture(scope="module")
def report(result: lamsearch.Result, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its report."""
    return result.report(tmp_path_factory.mktemp("report") / "small")


def test_values_are_those_of_the_document(result: lamsearch.Result) -> None:
    """λ, score, test score, trials and warnings are what the result document has."""
    assert result.record is not None
    told: Any = document(result.record)
    assert result.document == told
    assert result.best_params == {"lambda": told["selected"]["lambda"]}
    assert result.best_lambda == pytest.approx(10**result.best_log10_lambda)
    assert result.score is not None
    assert (result.score.mean, result.score.n) == (told["selected"]["score"]["mean"], 2)
    assert result.test is not None
    assert list(result.test.interval95) == told["final"]["test_score"]["interval95"]
    planned = sum(stage["planned"] for stage in told["stages"])
    assert len(result.trials) == planned
    assert {one["stage"] for one in result.trials} == {"coarse", "fine", "finalists", "final"}
    assert list(result.warnings) == told["warnings"]


def test_indistinguishable_are_the_differences_that_are_not(result: lamsearch.Result) -> None:
    """They are the λs whose paired difference from the chosen one may be 0."""
    found = result.document["uncertainty"]["differences"]
    close = {10 ** one["log10_lambda"] for one in found if not one["distinguishable"]}
    assert set(result.indistinguishable) == close
    assert result.best_lambda not in result.indistinguishable


def test_a_result_cannot_be_changed(result: lamsearch.Result) -> None:
    """Its fields are frozen."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.record = None  # type: ignore[misc]


def test_a_report_that_was_written_is_read_again(result: lamsearch.Result, report: Path) -> None:
    """From results.json come the same answer and the same models."""
    for source in (report, report / "results.json", str(report)):
        found = lamsearch.load_results(source)
        assert found.document == json.loads(json.dumps(result.document))
        assert repr(found) == repr(result)
    images = np.arange(128, dtype=np.float32).reshape(2, 64) % 16
    assert (found.models.predict_proba(images) == result.models.predict_proba(images)).all()
    with pytest.raises(InputError, match="must be of a study"):
        found.report(report)


def test_a_report_goes_nowhere_else(result: lamsearch.Result, tmp_path: Path) -> None:
    """A directory that holds something else is refused, as on the command line."""
    (tmp_path / "thesis.tex").write_text("…", encoding="utf-8")
    with pytest.raises(OutputError, match=r"thesis\.tex"):
        result.report(tmp_path)


def test_the_repr_is_the_answer(result: lamsearch.Result) -> None:
    """The plain repr has the study, λ, and both scores in the metric's words."""
    assert result.test is not None
    text = repr(result)
    assert text.startswith("Result(study='small', state='done', lambda=")
    assert f"test='{100 * result.test.mean:.2f} %'" in text


def test_a_notebook_shows_the_answer_and_its_figure(result: lamsearch.Result, report: Path) -> None:
    """The HTML has the figure inline and every value escaped, of a report that was read too."""
    for found in (result, lamsearch.load_results(report)):
        html = found._repr_html_()
        assert f"{found.best_lambda:.4g}<" in html
        assert "src='data:image/" in html
        assert f"{100 * found.test.mean:.2f} %" in html  # type: ignore[union-attr]
    hostile = dataclasses.replace(
        lamsearch.load_results(report),
        document={**result.document, "study": "<script>x</script>", "warnings": ["<b>"]},
    )
    html = hostile._repr_html_()
    assert "<script" not in html
    assert "<b>" not in html


def test_trials_are_a_data_frame(result: lamsearch.Result) -> None:
    """`to_frame` has a row for each trial, with λ and score as columns."""
    frame = result.to_frame()
    assert len(frame) == len(result.trials)
    assert frame["lambda"].tolist() == [one["lambda"] for one in result.trials]
    assert frame["score"].max() <= 1


def test_without_pandas_there_is_a_sentence(
    result: lamsearch.Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A DataFrame without pandas is refused with what to install."""
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        result.to_frame()


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({}, "needs a report's path"),
        ({"source": "a", "name": "b"}, "needs a report's path"),
        ({"source": "gone"}, "cannot be read"),
        ({"source": "a", "storage": "sqlite:///x.db"}, "go with name="),
        ({"name": "small", "storage": "sqlite:///gone.db"}, "no such file"),
    ],
)
def test_what_is_no_result_gets_one_sentence(arguments: dict[str, str], rule: str) -> None:
    """Whatever is given in place of a result is refused by the rule that it breaks."""
    with pytest.raises(InputError, match=rule):
        lamsearch.load_results(**arguments)


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b'{"study": "small"}'])
def test_foreign_documents_get_one_sentence(content: bytes, tmp_path: Path) -> None:
    """A file that is no result document is refused by its name."""
    path = tmp_path / "results.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match="must be a report's results"):
        lamsearch.load_results(path)


def test_nothing_is_chosen_in_a_study_that_failed(result: lamsearch.Result) -> None:
    """What is not known is refused with the reason, or None."""
    failed = dataclasses.replace(
        result,
        document={**result.document, "selected": None, "final": None, "failure": "no luck"},
    )
    with pytest.raises(InputError, match="nothing is chosen: the study failed: no luck"):
        failed.best_lambda  # noqa: B018
    assert failed.score is None
    assert failed.test is None
    assert "lambda" not in repr(failed)
