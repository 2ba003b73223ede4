"""Another package adds one of each by its entry points alone, installed in a fresh environment; a
broken one does no harm.

The package is examples/own-trainer.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lamsearch.metrics import METRICS

HERE = Path(__file__).parent
EXAMPLE = HERE.parents[1] / "examples/own-trainer"
STUDY = """
name = "outside"
seed = 3
cohort = 2
[data]
source = "{source}"
train = 120
validation = 60
{more}
[network]
hidden = 4
[training]
batch_size = 20
step_size = 12
[coarse]
trials = 3
log10_lambda = [-5.0, -1.0]
[final]
replicates = 1
"""


def lamsearch(
    package: Path | str, directory: Path, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run lamsearch of an environment, or of ours where a package of a directory here is found.

    Reports of the environment have no figures.
    """
    ours = [sys.executable, "-P", "-m", "lamsearch"]
    path = os.pathsep.join([str(HERE / package), str(HERE.parents[1])])
    undrawn = str(HERE.parent / "undrawn")
    return subprocess.run(
        [*(ours if isinstance(package, str) else [str(package / "bin/lamsearch")]), *arguments],
        cwd=directory, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": path if isinstance(package, str) else undrawn,
             "LAMSEARCH_STORAGE": "sqlite:///outside.db"},
    )  # fmt: skip


def answer(directory: Path, outside: Path, name: str) -> dict[str, Any]:
    """What a study of that directory came to: all that no process and no clock changes."""
    shown = lamsearch(outside, directory, "report", name, "--json")
    assert shown.returncode == 0, shown.stderr
    document = json.loads(shown.stdout)
    keys = ("state", "metric", "stages", "selected", "final", "uncertainty")
    return {key: document[key] for key in keys}


def study(directory: Path, source: str, more: str = "") -> str:
    """Write a study of a source; return its file's name."""
    text = STUDY.replace("{source}", source).replace("{more}", more)
    (directory / "outside.toml").write_text(text, encoding="utf-8")
    return "outside.toml"


def test_a_study_of_another_package_s_source_runs_to_its_end(outside: Path, tmp_path: Path) -> None:
    """A study that names another package's source, with an option that this source alone knows, is
    trained by local workers to its final model."""
    run = lamsearch(outside, tmp_path, "run", study(tmp_path, "blobs", "centres = 4"),
                    "--workers", "1", "--json")  # fmt: skip
    assert run.returncode == 0, run.stderr
    document = json.loads(run.stdout)
    assert document["failure"] is None
    assert document["final"]["test_accuracy"]["mean"] > 0.5
    page = (tmp_path / "lamsearch-report/outside/report.md").read_text(encoding="utf-8")
    assert "centres = 4" in page
    listed = lamsearch(outside, tmp_path, "data", "list").stdout
    assert "Gaussian blobs" in listed
    verified = lamsearch(outside, tmp_path, "data", "verify", "blobs")
    assert verified.stdout.startswith("blobs: 240 examples and no test set, 5 features, 3 classes")


@pytest.mark.parametrize(
    ("source", "more", "line"),
    [
        ("blobs", "centres = 1", "data.centres: must be at least 2, got 1"),
        ("blobs", "centers = 4", "data.centers: unknown key; did you mean centres?"),
        ("blobs", "path = 'a.npz'", "data.path: is only for npz and table and idx and images, got"
         " 'a.npz'"),
        ("digits", "centres = 4", "data.centres: is only for blobs, got 4"),
        ("moons", "", "data.source: must be digits, cifar10, npz, table, idx, images, cifar100,"
         " svhn, blobs, or a path that ends in .npz, got 'moons'"),
        ("blobs_source:SOURCE", "", "data.source: must be digits, cifar10, npz, table, idx, images,"
         " cifar100, svhn, blobs, or a path that ends in .npz, got 'blobs_source:SOURCE'"),
    ],
)  # fmt: skip
def test_a_source_s_own_options_are_checked_by_itself(
    source: str, more: str, line: str, outside: Path, tmp_path: Path
) -> None:
    """Keys of [data] are checked by the source that it names, and one of another source is said to
    be that one's; a source is a registered name, never a module."""
    checked = lamsearch(outside, tmp_path, "check", study(tmp_path, source, more))
    assert checked.returncode == 2
    assert checked.stderr == f"Error: outside.toml: {line}\n"


def test_another_package_s_verb_is_listed_and_works(outside: Path, tmp_path: Path) -> None:
    """A verb that another package registers stands in the help, and does what it does."""
    listed = lamsearch(outside, tmp_path, "--help").stdout
    assert re.search(r"^  greet +Greet somebody by name\.$", listed, re.MULTILINE)
    greeted = lamsearch(outside, tmp_path, "greet", "you")
    assert (greeted.returncode, greeted.stdout, greeted.stderr) == (0, "hello you\n", "")


def test_broken_verbs_are_a_warning_each_and_nothing_more(tmp_path: Path) -> None:
    """Verbs that cannot be loaded are a sentence each on stderr of the help, which is whole without
    them; other verbs say nothing of them, and none replaces lamsearch's own."""
    shown = lamsearch("broken", tmp_path, "--help")
    assert shown.returncode == 0
    assert "Run a study to its report" in shown.stdout
    assert shown.stderr.splitlines() == [
        "Warning: lamsearch.verbs: 'leaves' of the package crooked cannot be used: SystemExit: "
        "goodbye for good",
        "Warning: lamsearch.verbs: 'number' of the package crooked cannot be used: it must be a "
        "click command, got int",
    ]
    asked = lamsearch("broken", tmp_path, "leaves")
    assert asked.returncode == 2
    assert "No such command 'leaves'" in asked.stderr
    assert "Traceback" not in asked.stderr
    assert lamsearch("broken", tmp_path, "gradcheck", "--help").stderr == ""


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("gone", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("number", "it must be a lamsearch.data.Source, got int"),
    ],
)
def test_a_broken_source_is_one_sentence(source: str, reason: str, tmp_path: Path) -> None:
    """A study of a source that cannot be loaded is refused in one sentence, which names the
    package."""
    sentence = f"lamsearch.sources: {source!r} of the package crooked cannot be used: {reason}"
    refused = lamsearch("broken", tmp_path, "create", study(tmp_path, source))
    assert refused.returncode == 2
    assert refused.stderr == f"Error: outside.toml: data.source: {sentence}\n"


def test_lamsearch_s_own_sources_work_beside_broken_ones(tmp_path: Path) -> None:
    """The list of sources says what is wrong with those, and a study of one of ours is planned."""
    listed = lamsearch("broken", tmp_path, "data", "list")
    assert listed.returncode == 0
    assert "no_such_module" in listed.stdout
    assert lamsearch("broken", tmp_path, "create", study(tmp_path, "digits")).returncode == 0


def test_a_study_of_another_package_s_metric_and_sampler_runs_to_its_end(
    outside: Path, tmp_path: Path
) -> None:
    """Candidates that another package draws are ranked, chosen and tested by its metric."""
    name = study(tmp_path, "digits")
    text = (tmp_path / name).read_text(encoding="utf-8")
    text = text.replace("cohort = 2", 'cohort = 2\nmetric = "spherical"')
    text = text.replace("[coarse]", '[coarse]\nsampler = "halton"')
    (tmp_path / name).write_text(text, encoding="utf-8")
    run = lamsearch(outside, tmp_path, "run", name, "--workers", "1", "--json")
    assert run.returncode == 0, run.stderr
    document = json.loads(run.stdout)
    assert document["metric"] == "spherical"
    trials = document["stages"][0]["trials"]
    assert all(-2 < trial["score"] < 0 and trial["validation_accuracy"] is None for trial in trials)
    best = max(trials, key=lambda trial: float(trial["score"]))
    assert document["selected"]["params"] == best["params"]
    assert 0 < document["final"]["test_accuracy"]["mean"] < 1  # beside it: nothing was chosen by it
    assert -2 < document["final"]["test_score"]["mean"] < 0
    page = (tmp_path / "lamsearch-report/outside/report.md").read_text(encoding="utf-8")
    assert "Test spherical loss: " in page
    assert lamsearch(outside, tmp_path, "status", "outside").stdout.count("spherical loss") >= 1


def test_what_is_not_installed_is_no_metric_and_no_sampler(tmp_path: Path) -> None:
    """Without the package, names of its metric and sampler are refused with those that are."""
    name = study(tmp_path, "digits")
    text = (tmp_path / name).read_text(encoding="utf-8")
    text = text.replace("cohort = 2", 'cohort = 2\nmetric = "spherical"')
    text = text.replace("[coarse]", '[coarse]\nsampler = "halton"')
    (tmp_path / name).write_text(text, encoding="utf-8")
    run = lamsearch("nothing", tmp_path, "check", name)
    assert run.returncode == 2
    known = ", ".join(METRICS.builtin)
    assert f"metric: must be one of {known}, got 'spherical'" in run.stderr
    assert "coarse.sampler: must be 'random', 'stratified' or 'tpe', got 'halton'" in run.stderr


def test_the_package_s_own_tests_pass_where_it_is_installed(outside: Path, tmp_path: Path) -> None:
    """Its trainer keeps each rule of the protocol, under the name of its entry point."""
    shutil.copytree(EXAMPLE / "tests", tmp_path / "tests")
    done = subprocess.run(
        [outside / "bin/python", "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": "", "PYTEST_ADDOPTS": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_the_pool_comes_to_the_answer_of_a_run(outside: Path, tmp_path: Path) -> None:
    """A study of the package's source, trainer, metric and sampler comes to the same bits from a
    run on its own and from a pool that serves whatever is queued."""
    run, pool = tmp_path / "run", tmp_path / "pool"
    for directory in (run, pool):
        directory.mkdir()
        shutil.copy(EXAMPLE / "study.toml", directory)
    done = lamsearch(outside, run, "run", "study.toml", "--workers", "1", "--json")
    assert done.returncode == 0, done.stderr
    submitted = lamsearch(outside, pool, "submit", "study.toml")
    assert submitted.returncode == 0, submitted.stderr
    served = lamsearch(outside, pool, "worker", "--exit-when-idle")
    assert served.returncode == 0, served.stderr
    found = answer(run, outside, "own")
    ended = {stage["name"]: {trial["state"] for trial in stage["trials"]}
             for stage in found["stages"]}  # fmt: skip
    assert ended == {"coarse": {"COMPLETE", "PRUNED"}, "fine": set(), "finalists": {"COMPLETE"},
                     "final": {"COMPLETE"}}  # fmt: skip
    assert (found["state"], found["metric"]) == ("done", "spherical")
    assert -0.2 < found["final"]["test_score"]["mean"] < 0
    assert answer(pool, outside, "own") == found


def test_what_the_package_s_trainer_does_not_follow_is_refused(
    outside: Path, tmp_path: Path
) -> None:
    """A key of [training] that a trainer says it does not read is bad input, not left out."""
    text = (EXAMPLE / "study.toml").read_text(encoding="utf-8")
    text = text.replace("batch_size = 20", 'batch_size = 20\noptimiser = "adam"')
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    checked = lamsearch(outside, tmp_path, "check", "study.toml")
    assert (checked.returncode, checked.stderr) == (
        2,
        "Error: study.toml: training.optimiser: is not followed by trainer 'softmax', got 'adam'\n",
    )
