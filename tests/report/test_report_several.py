"""Reports of searches in several dimensions: pages, tables, documents; of one as before."""

from __future__ import annotations

import csv
import html
import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import several_records as several
import study_records as made

from lamsearch.findings import nearest_trained
from lamsearch.report import document, markdown, page, summary, to_json, trials_csv
from lamsearch.report.rendering import figures
from lamsearch.report.settings import settings_toml
from lamsearch.report.status import queued_document, status_document
from lamsearch.results import QueuedStudy, Score, ScoreKind, StageRecord, StudyState
from lamsearch.storage import Status
from lamsearch.web.documents import StudyDocument, study_json

RECORDS: dict[str, Callable[[], Any]] = {
    "plane": lambda: several.finished(several.PLANE),
    "three": several.finished,
    "five": lambda: several.finished(several.FIVE, coarse=40, fine=24),
    "unfinished": several.unfinished,
}


def plain(text: str) -> str:
    """Return a form's text without its markup and line ends."""
    return " ".join(html.unescape(text).replace("\\", "").split())


def forms(record: Any) -> list[str]:
    """Return the text of every form of a report."""
    return [plain(form) for form in (summary(record), markdown(record), page(record, []))]


def alike(record: Any, worse: tuple[float, ...]) -> Any:
    """Return the record with finalists that are right so much less often than half the time."""
    stage = record.stages["finalists"]
    rng = np.random.default_rng(0)
    rows = [rng.random(2000) < 0.5 - worse[one.candidate] for one in stage.trials]
    trials = tuple(
        replace(one, scores=row, score=float(row.mean()))
        for one, row in zip(stage.trials, rows, strict=True)
    )
    return replace(record, stages={**record.stages, "finalists": replace(stage, trials=trials)})


def test_the_chosen_point_is_in_every_form() -> None:
    """Every form names the chosen value of each parameter, a list among them."""
    record = several.finished()
    assert record.selected is not None
    values = record.space.named_values(record.selected.point)
    assert values.endswith("hidden = [400]")
    for form in forms(record):
        assert f"Chosen point: {values}" in form.replace("**", "") or (
            "Chosen point" in form and values in form
        )
    assert markdown(record).startswith("# λ for cifar10, with η\\_max and hidden\n")
    assert "<title>λ for cifar10, with η_max and hidden</title>" in page(record, [])


@pytest.mark.parametrize("name", RECORDS)
def test_a_summary_fits_80_columns(name: str) -> None:
    """What a terminal is shown has at most 80 columns, and where each stage's best is."""
    text = summary(RECORDS[name]())
    assert max(map(len, text.splitlines())) <= 80
    assert "Best of coarse: λ = " in text


def test_tables_have_a_column_for_each_parameter() -> None:
    """Candidates have a cell for each parameter with its value, and the head names them."""
    text = markdown(several.finished())
    finalists = text.split("### Finalists")[1].split("###")[0].strip().splitlines()
    assert finalists[0].startswith("| λ | η\\_max | hidden | validation accuracy |")
    cells = [cell.strip() for cell in finalists[2].split("|")[1:-1]]
    assert len(cells) == 3 + 4
    assert cells[2] == "\\[400\\]"
    searched = text.split("## What was searched")[1].split("###")[0].strip().splitlines()
    assert searched[0] == (
        "| parameter | chosen | scale | coarse from … to | fine from … to | best of coarse "
        "| best of fine | best of finalists |"
    )
    assert "| hidden | \\[400\\] | choice | \\[50\\], \\[100, 50\\] or \\[400\\] " in searched[4]
    assert "| λ | 0.001757 | logarithmic | 1e-05 … 0.1 |" in searched[2]


def test_what_cannot_be_distinguished_is_said_of_points() -> None:
    """Finalists within noise are named by all their values, the nearest first; those that can be
    distinguished are not."""
    record = alike(several.finished(), (0.0, 0.0, 0.1, 0.1))
    close = {trial.candidate: trial.point for trial in record.stages["finalists"].trials}[1]
    said = (
        "The chosen point cannot be distinguished from 1 of the other 3 points of its stage, "
        f"({record.space.named_values(close)}): 0 lies in the 95 % intervals"
    )
    for form in forms(record):
        assert said in form
    apart = alike(several.finished(), (0.0, 0.1, 0.1, 0.1))
    assert "The chosen point is distinguishable from every other one" in plain(markdown(apart))
    found = document(record)["uncertainty"]
    assert found["compared_params"] == document(record)["selected"]["params"]
    assert [one["distinguishable"] for one in found["differences"]].count(False) == 1
    assert set(found["differences"][0]["params"]) == {"log10_lambda", "eta_max", "hidden"}


def test_the_nearest_trained_point_is_by_distance_in_the_scaled_space() -> None:
    """A prediction is set beside the trained point that is nearest in units of each dimension, and
    the distance is said: a tenth of dropout counts as a decade."""
    space = several.Space(dimensions=(several.LAMBDA, several.DROPOUT))
    record = several.finished(space)
    stage = record.stages["finalists"]
    points = {0: (-3.0, 0.1), 1: (-2.2, 0.32), 2: (-4.5, 0.3), 3: (-1.5, 0.3)}
    trials = tuple(replace(one, point=points[one.candidate]) for one in stage.trials)
    chosen = replace(
        record.selected, point=(-3.0, 0.3), score=Score(mean=0.5, se=0.01, n=0,
                                                        kind=ScoreKind.PREDICTED),
    )  # fmt: skip
    moved = StageRecord(name="finalists", bounds=None, trials=trials)
    record = replace(record, selected=chosen, stages={"finalists": moved})
    near = nearest_trained(record)
    assert near is not None
    assert near.point == (-2.2, 0.32)
    for form in forms(record):
        assert "no model was trained at this point in the search; the nearest trained, " in form
        assert "λ = 0.00631, dropout = 0.32 (distance 0.8), has" in form
    assert document(record)["selected"]["nearest_trained"]["params"] == {
        "log10_lambda": -2.2, "dropout": 0.32,
    }  # fmt: skip


def test_what_was_dropped_is_said_by_ranges() -> None:
    """Dropped points that cannot be excluded are counted, with where they lie in each dimension."""
    record = several.finished()
    rng = np.random.default_rng(2)
    stages = dict(record.stages)
    for name in ("coarse", "fine"):
        trials = tuple(
            one if one.score is None else replace(one, scores=rng.random(1000) < one.score)
            for one in stages[name].trials
        )
        stages[name] = replace(stages[name], trials=trials)
    text = plain(markdown(replace(record, stages=stages)))
    (said,) = [line for line in text.split(" > ") if "cannot be excluded" in line]
    assert "points that coarse and fine dropped after one run cannot be excluded: λ " in said
    assert " to " in said
    assert "; hidden [" in said


def test_importances_are_said_with_what_they_rest_on() -> None:
    """Every form has the shares, of how many trials of which stages; where trials are few, why
    there are none."""
    for form in forms(several.finished()):
        assert "44 " in form
        assert "coarse and fine" in form
        assert "97.5 %" in form
    for form in forms(several.unfinished()):
        assert (
            "There are no importances: at least 15 complete trials are needed for 3 dimensions, "
            "got 13 trials of coarse." in form
        )
    found = document(several.finished())["importances"]
    assert (found["stages"], found["trials"], found["why_none"]) == (["coarse", "fine"], 44, None)
    assert [one["evaluator"] for one in found["evaluators"]] == ["fANOVA", "PED-ANOVA"]
    assert set(found["evaluators"][0]["shares"]) == {"log10_lambda", "eta_max", "hidden"}


def test_the_document_has_every_parameter_by_name() -> None:
    """Trials and the choice have what a study file gives each parameter; today's keys stay."""
    record = several.finished()
    found = json.loads(to_json(record))
    assert found == document(record)
    trial = found["stages"][0]["trials"][0]
    point = record.stages["coarse"].trials[0].point
    assert point is not None
    assert trial["log10_lambda"] == trial["params"]["log10_lambda"] == point[0]
    assert trial["params"]["eta_max"] == pytest.approx(10 ** point[1], rel=1e-12)
    assert trial["params"]["hidden"] == [[50], [100, 50], [400]][int(point[2])]
    assert record.selected is not None
    assert found["selected"]["lambda"] == 10 ** record.selected.point[0]
    assert found["selected"]["params"]["hidden"] == [400]
    assert found["stages"][1]["bounds"]["hidden"] == [[100, 50], [400]]
    assert found["stages"][0]["bounds"]["log10_lambda"] == [-5.0, -1.0]
    assert found["stages"][0]["interval"] == [-5.0, -1.0]
    assert found["stages"][0]["trials"][2]["reason"].startswith("cost is no longer finite")


def test_the_csv_has_a_column_for_each_parameter() -> None:
    """Beside today's columns each further parameter has one, whose values read back."""
    record = several.finished()
    rows = list(csv.DictReader(io.StringIO(trials_csv(record))))
    points = [one.point for stage in record.stages.values() for one in stage.trials]
    assert len(rows) == len(points)
    assert list(rows[0])[-3:] == ["score", "eta_max", "hidden"]
    for row, point in zip(rows, points, strict=True):
        assert float(row["log10_lambda"]) == point[0]
        assert float(row["eta_max"]) == pytest.approx(10 ** point[1], rel=1e-12)
        assert json.loads(row["hidden"]) == [[50], [100, 50], [400]][int(point[2])]


def test_one_dimension_is_as_it_was() -> None:
    """A search of λ alone has no column, key or sentence of several dimensions."""
    record = made.finished()
    found = document(record)
    assert "importances" not in found
    assert "bounds" not in found["stages"][0]
    assert "compared_params" not in found["uncertainty"]
    assert trials_csv(record).splitlines()[0].endswith(",reason,score")
    for form in forms(record):
        assert "mportance" not in form
        assert "What was searched" not in form


def test_settings_of_a_space_read_back() -> None:
    """The table of what is searched stands in the settings that a page shows."""
    import tomllib

    record = several.finished()
    assert tomllib.loads(settings_toml(record.settings)) == record.settings


def test_status_documents_have_every_parameter() -> None:
    """A study's status and its line in the queue have what was chosen of each parameter, and no
    key more than those of a search of λ alone."""
    record = several.finished()
    assert record.selected is not None
    both = {"selected": record.selected, "space": record.space}
    line = QueuedStudy(
        name="cifar10", id="0", state=StudyState.DONE, priority=0, created=0.0, started=None,
        age=1.0, finished_trials=1, planned_trials=1, progress=1.0, workers=0, **both,
    )  # fmt: skip
    status = Status(
        name="cifar10", state=StudyState.DONE, stages=(), workers=(), takeovers=0, recovered=(),
        best=None, failure=None, elapsed=1.0, **both,
    )  # fmt: skip
    for found in (queued_document(line), status_document(status)):
        assert "space" not in found
        assert found["selected"]["params"] == document(record)["selected"]["params"]
        assert found["selected"]["log10_lambda"] == record.selected.point[0]
        assert "eta_max" not in found["selected"]
        assert json.loads(json.dumps(found, allow_nan=False)) is not None
    assert StudyDocument.model_validate(json.loads(study_json(status))).selected is not None


def test_a_figure_that_is_not_drawn_is_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where half of the candidates tie at the best there is no surface, and no link to one."""
    # the figures are made, and not written as pictures: what is asked is which there are
    monkeypatch.setattr("lamsearch.report.rendering.render", lambda figure, target, form: None)
    record = several.finished(several.PLANE)
    stages = {
        name: replace(
            stage,
            trials=tuple(
                replace(one, score=None if one.score is None else 0.5 if index else 0.4)
                for index, one in enumerate(stage.trials)
            ),
        )
        for name, stage in record.stages.items()
    }
    tied = replace(record, stages=stages)
    names = {one.name for one in figures(tied)}
    assert "accuracy_over_two" in {one.name for one in figures(record)}
    assert "accuracy_over_two" not in names
    assert "accuracy_over_two" not in markdown(tied)
    assert "accuracy_over_two" in markdown(record)
