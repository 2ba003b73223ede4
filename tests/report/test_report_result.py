import csv
import io
import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import study_records as made

from lamsearch.report import document, to_json, trials_csv
from lamsearch.results import STAGES, StudyRecord, TrialState

RECORDS: dict[str, Callable[[], StudyRecord]] = {
    "finished": made.finished, "unfinished": made.unfinished, "planned": made.planned_only,
    "final only": made.final_only, "sixty": made.many, "hostile": made.hostile,
}  # fmt: skip
TRIAL_KEYS = {"candidate", "replicate", "cohort", "log10_lambda", "params", "state", "score",
              "validation_accuracy", "validation_loss", "train_accuracy"}  # fmt: skip


def number(value: Any) -> bool:
    """Whether ``value`` is a plain JSON number."""
    return type(value) in (int, float)


@pytest.mark.parametrize("name", RECORDS)
def test_document_has_the_interfaces_keys_and_types(name: str) -> None:
    """The document of any record has the interface's keys, all four stages, and their types."""
    found = document(RECORDS[name]())
    assert {"study", "seed", "fingerprint", "stages", "selected", "final"} <= set(found)
    assert type(found["seed"]) is int
    assert set(found["fingerprint"]) == {"study", "data"}
    assert [stage["name"] for stage in found["stages"]] == list(STAGES)
    for stage in found["stages"]:
        assert {"name", "interval", "planned", "complete", "failed", "trials"} <= set(stage)
        assert stage["interval"] is None or list(map(type, stage["interval"])) == [float, float]
        assert stage["planned"] == len(stage["trials"])
        for trial in stage["trials"]:
            assert set(trial) - {"reason"} == TRIAL_KEYS
            assert ("reason" in trial) is (trial["state"] in ("FAIL", "PRUNED"))
            scores = [
                trial[k] for k in ("validation_accuracy", "validation_loss", "train_accuracy")
            ]
            if trial["state"] == "PRUNED":  # it left with scores, unmeasured on the training split
                assert list(map(number, scores)) == [True, True, False]
                continue
            complete = trial["state"] == "COMPLETE"
            assert all(number(score) if complete else score is None for score in scores)


def test_document_of_a_finished_study() -> None:
    """A finished study's numbers stand where the interface says."""
    found = document(made.finished())
    assert found["stages"][0]["interval"] == [-5.0, -1.0]
    assert found["stages"][0]["search_space"] == {"log10_lambda": {"low": -5.0, "high": -1.0}}
    assert found["stages"][0]["model_updates"] == found["stages"][0]["updates"]
    counts = [(s["planned"], s["complete"], s["failed"], s["pruned"]) for s in found["stages"]]
    assert counts == [(15, 13, 1, 1), (15, 15, 0, 0), (20, 20, 0, 0), (5, 5, 0, 0)]
    assert found["selected"] == {
        "log10_lambda": -2.5, "lambda": 10**-2.5, "weight_decay": 2 * 10**-2.5,
        "params": {"log10_lambda": -2.5},
        "score": {"mean": 0.5383, "se": 0.0013, "n": 5, "kind": "measured"},
        "rule": "highest mean validation accuracy of the finalists over 5 replicates",
        "validation_accuracy": {"mean": 0.5383, "se": 0.0013, "n": 5, "kind": "measured"},
    }  # fmt: skip
    assert found["final"]["test_accuracy"] == {
        "mean": 0.5274, "sd": 0.0031, "n": 5, "interval95": [0.5172, 0.5376],
    }  # fmt: skip
    assert found["final"]["ensemble_test_accuracy"] == 0.5452
    assert found["test_openings"][0]["owner"] == "host-1:4242"
    assert found["failure"] is None
    assert found["stages"][0]["trials"][3]["reason"] == "cost is no longer finite at update 412"


def test_what_is_not_known_is_null() -> None:
    """An unfinished study has neither λ nor final score; stages not planned have no trials."""
    found = document(made.unfinished())
    assert found["selected"] is None
    assert found["final"] is None
    assert found["stages"][3] == {
        "name": "final", "interval": None, "planned": 0, "complete": 0, "failed": 0, "pruned": 0,
        "updates": None, "model_updates": None, "search_space": None, "trials": [],
    }  # fmt: skip
    waiting = found["stages"][1]["trials"][-1]
    assert (waiting["state"], waiting["log10_lambda"]) == ("WAITING", None)


def test_document_counts_updates() -> None:
    """Planned are all of all trials; trained those that ended took, at their stage's schedule."""
    stages = document(made.finished())["stages"]
    # coarse: 2 · 900 · 3 each, but one failed at 412 and one left after the first cycle of 1800
    assert stages[0]["updates"] == {"planned": 15 * 5400, "trained": 13 * 5400 + 412 + 1800}
    assert stages[1]["updates"] == {"planned": 15 * 3600, "trained": 15 * 3600}
    assert stages[2]["updates"] == {"planned": 20 * 11760, "trained": 20 * 11760}
    half_way = document(made.unfinished())["stages"]
    assert half_way[1]["updates"] == {"planned": 15 * 3600, "trained": 4 * 3600}


def test_updates_that_are_not_known_are_null() -> None:
    """A failed trial whose updates were not told makes the sum unknown, not smaller."""
    record = made.finished()
    trials = tuple(replace(one, updates=None) for one in record.stages["coarse"].trials)
    coarse = replace(record.stages["coarse"], trials=trials)
    found = document(replace(record, stages={"coarse": coarse}))["stages"]
    assert found[0]["updates"] is None
    assert document(replace(record, settings={}))["stages"][1]["updates"] is None


def test_given_lambda_has_no_validation_accuracy() -> None:
    """Where λ was given, selected holds it without an accuracy it was selected by."""
    assert document(made.final_only())["selected"]["validation_accuracy"] is None


def test_trials_are_in_order() -> None:
    """Trials are sorted by candidate, then replicate, whatever order the record has them in."""
    record = made.finished()
    shuffled = replace(
        record.stages["finalists"], trials=tuple(reversed(record.stages["finalists"].trials))
    )
    record = replace(record, stages={**record.stages, "finalists": shuffled})
    trials = document(record)["stages"][2]["trials"]
    assert [(t["candidate"], t["replicate"]) for t in trials] == [
        (c, r) for c in range(4) for r in range(5)
    ]
    assert to_json(record) == to_json(made.finished())
    assert trials_csv(record) == trials_csv(made.finished())


def test_json_is_strict() -> None:
    """A number that is none becomes null: the text has no NaN and no Infinity."""
    record = made.finished()
    stage = record.stages["coarse"]
    odd = replace(stage.trials[0], validation_loss=math.inf, train_score=math.nan)
    record = replace(record, stages={"coarse": replace(stage, trials=(odd, *stage.trials[1:]))})

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    text = to_json(record)
    trial = json.loads(text, parse_constant=refuse)["stages"][0]["trials"][0]
    assert trial["validation_loss"] is None
    assert trial["train_accuracy"] is None
    assert text.endswith("}\n")


def test_json_reads_back_to_the_document() -> None:
    """The JSON text reads back to the very document, λ included."""
    record = made.finished()
    assert json.loads(to_json(record)) == document(record)


def test_csv_reads_back_to_the_same_floats() -> None:
    """Each trial has one row, and its floats read back to the same bits."""
    record = made.finished()
    rows = list(csv.DictReader(io.StringIO(trials_csv(record))))
    trials = [(name, t) for name in STAGES for t in record.stages[name].trials]
    assert len(rows) == len(trials) == 55
    for row, (name, trial) in zip(rows, trials, strict=True):
        assert (row["stage"], int(row["candidate"])) == (name, trial.candidate)
        assert (int(row["replicate"]), int(row["cohort"])) == (trial.replicate, trial.cohort)
        assert float(row["log10_lambda"]) == trial.point[0]
        assert float(row["lambda"]) == 10 ** trial.point[0]
        assert row["state"] == trial.state.value
        if trial.state is TrialState.COMPLETE:
            assert float(row["validation_accuracy"]) == trial.score
            assert float(row["validation_loss"]) == trial.validation_loss
            assert float(row["train_accuracy"]) == trial.train_score
        else:
            pruned = trial.state is TrialState.PRUNED  # it left with a score
            assert row["validation_accuracy"] == (str(trial.score) if pruned else "")
            assert row["train_accuracy"] == ""
            assert row["reason"] == trial.reason


def test_csv_takes_any_reason() -> None:
    """A reason with commas, quotes and line breaks stays one field; a formula is disarmed."""
    for reason, expected in (('a,"b"\nc', 'a,"b"\nc'), ("=1+1", "'=1+1")):
        record = made.finished(
            stages={"coarse": made.stage("coarse", [-1.0], lost={0: (TrialState.FAIL, reason)})}
        )
        (row,) = csv.DictReader(io.StringIO(trials_csv(record)))
        assert row["reason"] == expected


def test_warnings_are_gathered_once() -> None:
    """The document's warnings are those of the stages and of the selection, each once."""
    record = made.finished()
    assert record.selected is not None
    stages = {n: replace(s, warnings=("few trials",)) for n, s in record.stages.items()}
    record = replace(
        record, stages=stages, selected=replace(record.selected, warnings=("at the edge",))
    )
    assert document(record)["warnings"] == ["few trials", "at the edge"]
