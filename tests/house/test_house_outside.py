"""Another package adds a source and a verb by its entry points alone; a broken one does no harm."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lamsearch.metrics import METRICS

HERE = Path(__file__).parent
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


def lamsearch(package: str, directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run lamsearch where a package of that directory is installed."""
    path = os.pathsep.join([str(HERE / package), str(HERE.parents[1])])
    return subprocess.run(
        [sys.executable, "-P", "-m", "lamsearch", *arguments],
        cwd=directory, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": path, "LAMSEARCH_STORAGE": "sqlite:///outside.db"},
    )  # fmt: skip


def study(directory: Path, source: str, more: str = "") -> str:
    """Write a study of a source; return its file's name."""
    text = STUDY.replace("{source}", source).replace("{more}", more)
    (directory / "outside.toml").write_text(text, encoding="utf-8")
    return "outside.toml"


def test_a_study_of_another_package_s_source_runs_to_its_end(tmp_path: Path) -> None:
    """A study that names another package's source, with an option that this source alone knows, is
    trained by local workers to its final model."""
    run = lamsearch("outside", tmp_path, "run", study(tmp_path, "blobs", "centres = 4"),
                    "--workers", "1", "--json")  # fmt: skip
    assert run.returncode == 0, run.stderr
    document = json.loads(run.stdout)
    assert document["failure"] is None
    assert document["final"]["test_accuracy"]["mean"] > 0.5
    page = (tmp_path / "lamsearch-report/outside/report.md").read_text(encoding="utf-8")
    assert "centres = 4" in page
    listed = lamsearch("outside", tmp_path, "data", "list").stdout
    assert "Gaussian blobs" in listed
    verified = lamsearch("outside", tmp_path, "data", "verify", "blobs")
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
    source: str, more: str, line: str, tmp_path: Path
) -> None:
    """Keys of [data] are checked by the source that it names, and one of another source is said to
    be that one's; a source is a registered name, never a module."""
    checked = lamsearch("outside", tmp_path, "check", study(tmp_path, source, more))
    assert checked.returncode == 2
    assert checked.stderr == f"Error: outside.toml: {line}\n"


def test_another_package_s_verb_is_listed_and_works(tmp_path: Path) -> None:
    """A verb that another package registers stands in the help, and does what it does."""
    listed = lamsearch("outside", tmp_path, "--help").stdout
    assert re.search(r"^  greet +Greet somebody by name\.$", listed, re.MULTILINE)
    greeted = lamsearch("outside", tmp_path, "greet", "you")
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
    package; lamsearch's own sources work beside it."""
    sentence = f"lamsearch.sources: {source!r} of the package crooked cannot be used: {reason}"
    refused = lamsearch("broken", tmp_path, "create", study(tmp_path, source))
    assert refused.returncode == 2
    assert refused.stderr == f"Error: outside.toml: data.source: {sentence}\n"
    listed = lamsearch("broken", tmp_path, "data", "list")
    assert listed.returncode == 0
    assert "no_such_module" in listed.stdout
    assert lamsearch("broken", tmp_path, "create", study(tmp_path, "digits")).returncode == 0


def test_a_study_of_another_package_s_metric_and_sampler_runs_to_its_end(tmp_path: Path) -> None:
    """Candidates that another package draws are ranked, chosen and tested by its metric."""
    name = study(tmp_path, "digits")
    text = (tmp_path / name).read_text(encoding="utf-8")
    text = text.replace("cohort = 2", 'cohort = 2\nmetric = "spherical"')
    text = text.replace("[coarse]", '[coarse]\nsampler = "halton"')
    (tmp_path / name).write_text(text, encoding="utf-8")
    run = lamsearch("outside", tmp_path, "run", name, "--workers", "1", "--json")
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
    assert lamsearch("outside", tmp_path, "status", "outside").stdout.count("spherical loss") >= 1


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
