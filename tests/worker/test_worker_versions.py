"""Real workers of other versions and of another kernel: refused, or admitted by a word and said."""

from __future__ import annotations

import json
import platform
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from lamsearch.environment import here

Lamsearch = Callable[..., "CompletedProcess[str]"]
Write = Callable[..., Path]


def another_kernel() -> str:
    """A kernel of OpenBLAS' that this machine can run and does not choose by itself."""
    kernels = {one.kernel for one in here().blas if one.library == "openblas"}
    if platform.machine() != "x86_64" or not kernels:
        pytest.skip("OpenBLAS on x86-64 alone takes OPENBLAS_CORETYPE")
    return "Nehalem" if "Haswell" in kernels else "Haswell"


def report_of(lamsearch: Lamsearch, place: Path, name: str) -> tuple[dict[str, Any], list[str]]:
    """The result document, and the other faces of the report: Markdown, HTML and the summary."""
    output = place.parent / f"report-{place.name}"
    done = lamsearch("report", name, "--storage", f"sqlite:///{place}", "--output", output)
    assert done.returncode == 0, done.stderr
    pages = [(output / page).read_text("utf-8") for page in ("report.md", "index.html")]
    plain = " ".join(done.stdout.split())
    return json.loads((output / "results.json").read_text("utf-8")), [*pages, plain]


def test_a_worker_with_another_kernel_is_refused_or_admitted_by_a_word(
    lamsearch: Lamsearch, study_file: Write, tmp_path: Path
) -> None:
    """A worker whose BLAS runs another kernel than the first one's leaves with 2 and one sentence,
    and the study stays as it was; with --mixed-versions it works, and each face of the report says
    that it has."""
    kernel, place = another_kernel(), tmp_path / "studies.db"
    rest = ("--storage", f"sqlite:///{place}")
    path = study_file(name="mixed", coarse={"trials": 4}, cohort=2, fine=None, finalists=None)
    assert lamsearch("create", path, *rest).returncode == 0
    with (
        closing(sqlite3.connect(place)) as base,
        base,
    ):  # a first worker that did one cohort and went
        first = base.execute("SELECT environment FROM lamsearch_study").fetchone()[0]
        base.execute(
            "INSERT INTO lamsearch_environment SELECT id, 1, environment, 0, 0 FROM lamsearch_study"
        )
    other = {"OPENBLAS_CORETYPE": kernel}
    refused = lamsearch("worker", "mixed", *rest, env=other)
    assert refused.returncode == 2
    assert refused.stderr.startswith("Error: versions: a worker of 'mixed' must have BLAS openblas")
    assert f"({kernel})" in refused.stderr
    assert "--mixed-versions" in refused.stderr
    admitted = lamsearch("worker", "mixed", "--mixed-versions", "--quiet", *rest, env=other)
    assert (admitted.returncode, admitted.stderr) == (0, "")
    document, faces = report_of(lamsearch, place, "mixed")
    assert document["environment"]["mixed"] is True
    assert document["environment"]["planned"] == json.loads(first)
    assert [one["trials"] for one in document["environment"]["workers"]] == [0, 6]
    assert document["environment"]["workers"][1]["blas"][0]["kernel"] == kernel
    (said,) = [line for line in document["warnings"] if "other versions" in line]
    assert f"({kernel})" in said
    for face in faces:
        assert "6 trials were computed with other versions, admitted by" in face


def test_ones_own_study_after_an_upgrade_has_a_way_out(
    lamsearch: Lamsearch, study_file: Write, tmp_path: Path
) -> None:
    """A run of a study that an earlier lamsearch has planned ends with 2, the versions and the way
    out; that way leads to the report, which names what has computed it."""
    place = tmp_path / "studies.db"
    path = study_file(name="own", fine=None, finalists=None)
    rest = ("--storage", f"sqlite:///{place}", "--workers", "1")
    assert lamsearch("create", path, *rest[:2]).returncode == 0
    with closing(sqlite3.connect(place)) as base, base:
        base.execute(
            "UPDATE lamsearch_study SET environment = json_set(environment, '$.lamsearch', '0.0.9')"
        )
    refused = lamsearch("run", path, *rest)
    version = here().lamsearch
    assert refused.returncode == 2
    assert refused.stdout == ""
    assert refused.stderr.rpartition("Error: ")[2] == (
        f"versions: a worker of 'own' must have lamsearch 0.0.9, got {version}: numbers could "
        "differ from those of the others in their last digits. Use the same, or admit it by "
        "--mixed-versions, which the report then says, or start over: lamsearch delete own\n"
    )
    done = lamsearch("run", path, "--mixed-versions", *rest)
    assert done.returncode == 0, done.stderr
    document, faces = report_of(lamsearch, place, "own")
    found = document["environment"]
    assert (found["lamsearch"], found["planned"]["lamsearch"]) == (version, "0.0.9")
    assert found["processor"] == here().processor
    for face in faces:
        assert f"lamsearch 0.0.9, got {version}" in face
    assert f"NumPy {here().numpy}" in faces[0]
    assert f"NumPy {here().numpy}" in faces[1]


def test_workers_of_one_machine_are_of_one_kind(
    lamsearch: Lamsearch, study_file: Write, tmp_path: Path
) -> None:
    """A run of several workers here mixes nothing: all of its trials are of one environment."""
    place = tmp_path / "studies.db"
    path = study_file(name="one", fine=None, finalists=None)
    done = lamsearch("run", path, "--storage", f"sqlite:///{place}", "--workers", "2", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["environment"]
    assert found["mixed"] is False
    assert [one["trials"] for one in found["workers"]] == [7]
