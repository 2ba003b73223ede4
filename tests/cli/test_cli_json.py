"""Documents that verbs print: one, and nothing else, of objects with names."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from cli_studies import SMALL

SPACE = """
[coarse.space]
eta_max = {log = [0.01, 0.2]}
[final]"""


def alone(result: Any) -> Any:
    """Return the one document on standard output of a verb that went well and said nothing else."""
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    return json.loads(result.stdout)


def test_check_prints_the_plan_as_a_document(desk: Any) -> None:
    """Each stage has its numbers by name, and what is known is what the table says."""
    path = desk.write()
    found, text = alone(desk("check", path, "--json")), desk("check", path).stdout
    assert [one["name"] for one in found["stages"]] == ["coarse", "fine", "finalists", "final"]
    coarse, fine, _, final = found["stages"]
    assert coarse["search_space"] == {"log10_lambda": {"low": -5.0, "high": -1.0}}
    assert (coarse["trials"], coarse["cohorts"], coarse["cohort_sizes"]) == (5, 2, [3, 2])
    assert (coarse["updates"], coarse["model_updates"]) == (30, 150)
    assert fine["search_space"] is None
    assert fine["candidates"] == "span of coarse's best"
    assert final["model_updates"] == 2 * final["updates"]
    assert found["estimated_seconds"] > 0
    assert re.search(r"coarse +5 +2 of 3 and 2 +30 +150 ", text)
    assert [f"Warning: {one}" for one in found["warnings"]] == [
        line for line in text.splitlines() if line.startswith("Warning: ")
    ]


def test_several_dimensions_are_named(desk: Any) -> None:
    """Each dimension of the space has its bounds as an object."""
    path = desk.write(text=SMALL.replace("[final]", SPACE.lstrip()))
    coarse = alone(desk("check", path, "--json"))["stages"][0]
    assert coarse["search_space"] == {
        "log10_lambda": {"low": -5.0, "high": -1.0},
        "eta_max": {"low": 0.01, "high": pytest.approx(0.2)},
    }


def test_a_file_that_is_wrong_leaves_no_document(desk: Any, refused: Any) -> None:
    """With --json a refusal is the same sentence on standard error, and no document."""
    path = desk.write(text=SMALL.replace("trials = 5", "trials = 0"))
    (line,) = refused(desk("check", path, "--json"))
    assert "trials" in line


def test_data_list_prints_the_sources_as_a_document(desk: Any) -> None:
    """Each data set says whether it is here, and where."""
    found = alone(desk("data", "list", "--json", "--data-dir", desk.directory))
    by_name = {one.pop("name"): one for one in found["sources"]}
    assert by_name["digits"]["present"] is True
    assert by_name["cifar10"]["present"] is False
    assert {key for one in by_name.values() for key in one} == {"present", "description", "path"}


def test_the_best_candidate_is_named(done_desk: Any) -> None:
    """What status has as a pair it has as an object too."""
    found = alone(done_desk("status", "small", "--json", "--storage", done_desk.url))
    at, score = found["best"]
    assert found["best_candidate"] == {"log10_lambda": at, "score": score}
