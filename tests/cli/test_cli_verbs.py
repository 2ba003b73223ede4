"""What the verbs do on studies that wait, run, are done or failed."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import forked
import numpy as np
import pytest

from lamsearch import storage as store
from lamsearch.diagnostics import gradcheck
from lamsearch.results import STAGES
from lamsearch.storage import Database, Heartbeat, Leases
from lamsearch.trainers.network import gradients

Refused = Callable[..., list[str]]
VERBS = [
    (), ("run",), ("worker",), ("create",), ("status",), ("report",), ("check",), ("gradcheck",),
    ("lr-range",), ("delete",), ("data",), ("data", "list"), ("data", "fetch"), ("data", "verify"),
]  # fmt: skip


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_verb_explains_itself(desk: Any, verb: tuple[str, ...]) -> None:
    """--help of every verb opens with a whole sentence and explains every option it has."""
    result = desk(*verb, "--help")
    assert result.exit_code == 0
    usage, text, *_ = result.stdout.split("\n\n")
    assert usage.startswith(f"Usage: lamsearch {' '.join(verb)}".rstrip())
    assert text.strip().endswith(".")
    assert len(text.split()) >= 4


@pytest.mark.parametrize(
    "verb", ["run", "worker", "create", "status", "report", "check", "lr-range"]
)
def test_the_help_of_a_verb_that_takes_a_study_has_an_example(desk: Any, verb: str) -> None:
    """A verb on a study shows one line to copy."""
    text = desk(verb, "--help").stdout
    assert "Example:" in text
    assert f"lamsearch {verb} " in text.partition("Example:")[2]


def test_run_prints_one_document_and_nothing_else(lamsearch: Any, study_file: Any) -> None:
    """`run --json` in a pipe puts the result document on stdout, plain progress on stderr."""
    result = lamsearch("run", study_file(fine=None, finalists=None), "--workers", "2", "--json")
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert [stage["name"] for stage in document["stages"]] == list(STAGES)
    assert document["final"]["test_accuracy"]["n"] == 2
    lines = result.stderr.splitlines()
    assert lines[0] == "coarse: 0 % of 5 trials"
    assert any(line.startswith("coarse: 100 % of 5 trials  best ") for line in lines)
    assert lines[-1] == "report: lamsearch-report/small"
    assert "\x1b" not in result.stderr
    assert "died" not in result.stderr


def test_a_done_study_is_run_again_at_once(done_desk: Any, tmp_path: Path) -> None:
    """`run` of a study that is done starts no worker and writes the same results again."""
    path = done_desk.directory / "small.toml"
    before = json.loads(done_desk.well("report", "small", "--json").stdout)
    begun = time.monotonic()
    again = done_desk.well("run", path, "--json", "--output", tmp_path / "again")
    assert time.monotonic() - begun < 20
    assert json.loads(again.stdout) == before


@pytest.fixture
def claimed(desk: Any) -> Any:
    """Return a desk where a worker (this one) holds coarse's first cohort."""
    desk.well("create", desk.write())
    database = Database(desk.url)
    leases = Leases(database, "small", owner="elsewhere:42:abc", seconds=60)
    claim = leases.claim()
    leases.renew(claim, Heartbeat(updates=12, per_second=340.0, best=0.5, best_at=(-2.0,)))
    yield desk, leases, claim
    database.close()


def test_status_of_a_queued_study(desk: Any) -> None:
    """A study that was only created is waiting, with its first stage planned."""
    desk.well("create", desk.write())
    result = desk.well("status", "small")
    assert "small  queued" in result.stdout
    assert "0 % of 5 trials" in result.stdout
    document = json.loads(desk.well("status", "small", "--json").stdout)
    assert document["state"] == "queued"
    assert document["workers"] == []
    assert [stage["name"] for stage in document["stages"]] == ["coarse"]


def test_status_of_a_running_study(claimed: Any) -> None:
    """A study that is worked on is running, with who holds what, how far, how fast."""
    desk, leases, claim = claimed
    text = desk.well("status", "small").stdout
    assert "small  running" in text
    assert "best 50.00 % at log10 λ -2.000" in text
    (line,) = [line for line in text.splitlines() if line.startswith("elsewhere")]
    assert line.split()[1:6] == ["42", "coarse", "0", "12/30", "340"]
    assert line.endswith(" s ago")
    document = json.loads(desk.well("status", "small", "--json").stdout)
    assert document["state"] == "running"
    assert document["workers"][0]["owner"] == "elsewhere:42:abc"
    leases.give_back(claim)
    assert json.loads(desk.well("status", "small", "--json").stdout)["state"] == "queued"


def test_status_of_a_done_study(done_desk: Any) -> None:
    """A study that is over is done, with every stage at its planned number."""
    text = done_desk.well("status", "small").stdout
    assert "small  done" in text
    document = json.loads(done_desk.well("status", "small", "--json").stdout)
    assert document["state"] == "done"
    assert all(stage["finished"] == stage["planned"] for stage in document["stages"])
    assert document["selected"]["log10_lambda"] is not None


def test_status_without_a_name_lists_all_studies(desk: Any) -> None:
    """Without a name, all studies are shown, oldest first; --json is then an array."""
    for name in ("second", "first"):
        desk.well("create", desk.write(name))
    text = desk.well("status").stdout
    assert text.index("second") < text.index("first")
    document = json.loads(desk.well("status", "--json").stdout)
    assert [one["name"] for one in document] == ["second", "first"]


def test_status_of_an_empty_storage_says_so(desk: Any) -> None:
    """A storage without studies is no error: stdout stays empty, --json is an empty array."""
    Database(desk.url).close()
    result = desk.well("status")
    assert (result.stdout, result.stderr) == ("", "no studies\n")
    assert json.loads(desk.well("status", "--json").stdout) == []


def test_status_where_no_study_was_ever_planned_says_what_to_type(desk: Any) -> None:
    """Without a name, and without a storage named, there are none yet, and nothing is made."""
    result = desk("status")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.startswith("no studies yet; to start one: lamsearch run STUDY.toml; ")
    assert json.loads(desk("status", "--json").stdout) == []
    assert desk.listing() == []
    assert desk("status", "--storage", "sqlite:///other.db").exit_code == 2


def test_status_of_an_unknown_study_lists_those_there_are(desk: Any) -> None:
    """The error names the studies of the storage, the latest first."""
    for name in ("one", "two"):
        desk.well("create", desk.write(name))
    result = desk("status", "nope", "--storage", desk.url)
    assert result.exit_code == 2
    assert result.stderr == "Error: study: no study 'nope'; known: two, one\n"


def test_watch_ends_with_the_study(claimed: Any) -> None:
    """`status --watch` goes on until the study is over."""
    desk, leases, claim = claimed
    leases.give_back(claim)
    watched: list[Any] = []
    thread = threading.Thread(
        target=lambda: watched.append(desk("status", "small", "--watch", "--storage", desk.url))
    )
    thread.start()
    assert thread.is_alive()
    # click's runner takes over the whole process's streams, so the work is done without it
    work(desk)
    thread.join(30)
    assert watched[0].exit_code == 0
    assert "small  done" in watched[0].stdout


def work(desk: Any) -> None:
    """Do all of the study "small" in this process."""
    from lamsearch.worker import Settings, StudyWorker

    database = Database(desk.url)
    settings = Settings(data_directory=desk.directory)
    stored = store.load(database, "small")
    StudyWorker(database, stored, settings, stop=threading.Event(), say=lambda _: None).run()
    database.close()


def test_a_worker_outlives_whoever_listened(desk: Any) -> None:
    """A worker whose standard error nobody reads any more does its work all the same."""
    desk.well("create", desk.write())
    database = Database(desk.url)
    Leases(database, "small", owner="elsewhere:42:abc", seconds=-1.0).claim()  # expired at once
    reading, writing = os.pipe()
    os.close(reading)
    worker = forked.Popen(
        [*forked.COMMAND, "worker", "small", "--storage", desk.url],
        stderr=writing, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(writing)
    worker.wait(60)
    found = store.read_status(database, "small")
    database.close()
    assert found.takeovers == 1  # which it has tried to say
    assert found.state == "done"


def test_a_report_is_written_twice_to_the_same_bytes(
    done_desk: Any, drawn: dict[bytes, Any], tmp_path: Path
) -> None:
    """Reporting twice gives the same files with the same bytes."""
    for name in ("one", "two"):
        drawn.clear()
        done_desk.well("report", "small", "--output", tmp_path / name)
    ones, twos = (
        {p.relative_to(tmp_path / name): p.read_bytes()
         for p in (tmp_path / name).rglob("*") if p.is_file()}
        for name in ("one", "two")
    )  # fmt: skip
    assert ones.keys() == twos.keys()
    assert [str(name) for name in ones if ones[name] != twos[name]] == []


def test_a_report_with_json_alone_writes_nothing(done_desk: Any) -> None:
    """`report --json` without --output prints the document and leaves the disk alone."""
    before = done_desk.listing()
    document = json.loads(done_desk.well("report", "small", "--json").stdout)
    assert document["study"] == "small"
    assert done_desk.listing() == before


def test_an_unfinished_study_has_a_report(desk: Any) -> None:
    """What is not known yet is null, and all four stages are listed."""
    desk.well("create", desk.write())
    result = desk.well("report", "small", "--output", "out", "--json")
    document = json.loads(result.stdout)
    assert document == json.loads((desk.directory / "out/results.json").read_text(encoding="utf-8"))
    assert document["selected"] is None
    assert document["final"] is None
    assert [stage["name"] for stage in document["stages"]] == list(STAGES)
    assert [stage["planned"] for stage in document["stages"]] == [5, 0, 0, 0]
    assert {trial["state"] for trial in document["stages"][0]["trials"]} == {"WAITING"}


def test_a_report_goes_to_a_directory_of_its_own_by_default(desk: Any) -> None:
    """Without --output the report of a study is in lamsearch-report/NAME."""
    desk.well("create", desk.write())
    result = desk.well("report", "small")
    assert (desk.directory / "lamsearch-report/small/results.json").is_file()
    assert result.stderr == "report: lamsearch-report/small\n"
    assert "Study small (seed 7)" in result.stdout


def test_delete_asks_first(desk: Any) -> None:
    """Without --yes `delete` asks on stderr, and a no leaves everything as it was."""
    desk.well("create", desk.write())
    for answer in ("n\n", ""):
        result = desk("delete", "small", "--storage", desk.url, input=answer)
        assert result.exit_code != 0
        assert "Delete the study 'small' with all its results?" in result.stderr
        assert result.stdout == ""
    assert "small  queued" in desk.well("status", "small").stdout
    desk.well("delete", "small", input="y\n")
    assert desk.well("status").stderr == "no studies\n"


def test_delete_refuses_while_a_worker_lives(claimed: Any, refused: Refused) -> None:
    """A study on which a worker holds a lease is not deleted; after it left, it is."""
    desk, leases, claim = claimed
    (line,) = refused(desk("delete", "small", "--yes", "--storage", desk.url))
    assert line == "study: 'small' is being worked on by elsewhere:42:abc; stop it first"
    leases.give_back(claim)
    desk.well("delete", "small", "--yes")


def test_delete_removes_files_too_and_frees_the_name(desk: Any) -> None:
    """After `delete --yes` rows and files of that study alone are gone, and its name is free."""
    path, other = desk.write(), desk.write("other")
    desk.well("create", other)
    desk.do(path)
    database = Database(desk.url)
    found = store.load(database, "small")
    assert (desk.directory / "lamsearch-files" / found.id).is_dir()
    desk.well("delete", "small", "--yes")
    assert not (desk.directory / "lamsearch-files" / found.id).exists()
    assert store.names(database) == ["other"]
    database.close()
    path.write_text(path.read_text().replace("seed = 7", "seed = 8"), encoding="utf-8")
    assert desk.do(path)["seed"] == 8
    assert "other  queued" in desk.well("status", "other").stdout


def test_a_deleted_study_ends_its_worker_with_a_sentence(desk: Any, refused: Refused) -> None:
    """A worker of a study that is gone says that there is none of that name."""
    desk.well("create", desk.write())
    desk.well("delete", "small", "--yes")
    (line,) = refused(desk("worker", "small", "--storage", desk.url))
    assert line.startswith("study: no study 'small'")


def test_check_prints_the_plan(desk: Any) -> None:
    """`check` lists every stage with trials, cohorts and updates, and estimates the time."""
    result = desk("check", desk.write())
    assert result.exit_code == 0
    assert "small: the file is right" in result.stdout
    rows = {line.split()[0]: line.split() for line in result.stdout.splitlines() if line.strip()}
    assert rows["coarse"][1:] == ["5", "2", "of", "3", "and", "2", "30", "150", "-5", "to", "-1"]
    assert rows["fine"][1:4] == ["4", "2", "of"]
    assert rows["finalists"][1] == "4"
    assert rows["final"][1] == "2"
    assert "seconds of training on one core of this machine" in result.stdout
    assert desk.listing() == ["small.toml"]  # it looks, and makes nothing


def test_check_counts_rounds_and_what_halving_spares(desk: Any) -> None:
    """`check` plans every round, leaves out the updates of nets that halving lets go, and says
    which stages may grow."""
    changes = {
        "cohort = 3": "cohort = 4",
        "trials = 5": "trials = 8\nhalving = true",
        "-1.0]\ncycles = 1": "-1.0]\ncycles = 4",
        "trials = 4": "trials = 4\nrounds = 3\nextend = true",
    }
    text = desk.write().read_text(encoding="utf-8")
    for old, new in changes.items():
        text = text.replace(old, new)
    result = desk("check", desk.write(text=text))
    assert result.exit_code == 0, result.stderr
    rows = {line.split()[0]: line.split() for line in result.stdout.splitlines() if line.strip()}
    # two cohorts of 4 + 2 + 1 + 1 nets in cycles of 30 updates
    assert rows["coarse"][1:7] == ["8", "2", "of", "4", "120", "480"]
    # three rounds of two cohorts of 2, for 30 updates
    assert rows["fine"][1:7] == ["12", "6", "of", "2", "30", "360"]
    assert "\nmore where fine is extended\n" in result.stdout


def test_check_reads_the_sizes_of_peoples_arrays(desk: Any) -> None:
    """`check` of a study on an .npz file needs the file, and says so where it is not there."""
    text = desk.write().read_text(encoding="utf-8").replace('"digits"', '"own.npz"')
    path = desk.directory / "small.toml"
    path.write_text(text.replace("test = 200", "test = 20"), encoding="utf-8")
    result = desk("check", path)
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: check: the plan needs the data: ")
    rng = np.random.default_rng(3)
    np.savez(desk.directory / "own.npz", X=rng.normal(size=(450, 5)), y=np.arange(450) % 3)
    result = desk("check", path)
    assert result.exit_code == 0, result.stderr
    assert "small: the file is right" in result.stdout


@pytest.mark.parametrize("name", ["digits", "cifar10"])
def test_the_studies_that_always_exist_are_right(desk: Any, name: str) -> None:
    """`check` finds studies/digits.toml and studies/cifar10.toml right."""
    result = desk("check", Path(__file__).parents[2] / "studies" / f"{name}.toml")
    assert result.exit_code == 0, result.stderr


def test_gradcheck_passes(desk: Any) -> None:
    """`gradcheck` on the code as it is exits 0 and shows every array."""
    result = desk("gradcheck")
    assert result.exit_code == 0, result.stderr
    assert {line.split()[0] for line in result.stdout.splitlines()} >= {"W1", "b1", "W2", "b2"}
    assert "FAILED" not in result.stdout


def test_gradcheck_checks_the_network_of_a_study(desk: Any, tmp_path: Path) -> None:
    """With a study file the layers are the study's, and what stands between them; a study of
    another trainer is refused."""
    text = (
        'name = "deep"\nseed = 1\n[data]\nsource = "digits"\ntrain = 300\nvalidation = 100\n'
        "[training]\nstep_size = 5\n[coarse]\ntrials = 2\nlog10_lambda = [-3.0, -1.0]\n"
    )
    path = tmp_path / "deep.toml"
    path.write_text(f"{text}[network]\nhidden = [3, 2]\nbatch_norm = true\ndropout = 0.2\n")
    result = desk("gradcheck", str(path))
    assert result.exit_code == 0, result.stderr
    arrays = [line.split()[0] for line in result.stdout.splitlines()]
    assert {"W1", "b1", "gamma1", "W2", "b2", "gamma2", "W3", "b3"} <= set(arrays)
    path.write_text(f'{text}[trainer]\nname = "softmax"\n')
    result = desk("gradcheck", str(path))
    assert result.exit_code == 2
    assert "trainer.name: must be 'network', whose gradients are known, got 'softmax'" in (
        result.stderr
    )


def test_gradcheck_fails_on_a_broken_gradient(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a gradient that forgot its factor 2 somewhere, `gradcheck` exits 1 with a sentence."""

    def broken(*arguments: Any) -> Any:
        right = gradients(*arguments)
        return right | {"W1": right["W1"] / 2}

    monkeypatch.setattr(gradcheck, "check", functools.partial(gradcheck.check, broken))
    result = desk("gradcheck")
    assert result.exit_code == 1
    assert result.stderr == "Error: gradcheck: a gradient is past its tolerance\n"
    failed = {line.split()[0] for line in result.stdout.splitlines() if line.endswith("FAILED")}
    assert failed == {"W1"}


def test_data_list_says_what_is_here(desk: Any) -> None:
    """`data list` names the sources, which are here, and people's arrays in the directory."""
    np.savez(desk.directory / "own.npz", X=np.ones((3, 2)), y=np.arange(3))
    result = desk("data", "list", "--data-dir", desk.directory)
    assert result.exit_code == 0
    rows = {line.split()[0]: line.split()[1] for line in result.stdout.splitlines()[1:]
            if not line.startswith(" ")}  # fmt: skip
    assert (rows["digits"], rows["cifar10"]) == ("yes", "no")
    assert rows["own.npz"] == "yes"


def test_data_verify_of_a_missing_directory(desk: Any, refused: Refused) -> None:
    """`data verify` of data that are not there, or of no known name, is refused."""
    (line,) = refused(desk("data", "verify", "cifar10", "--data-dir", desk.directory / "nowhere"))
    assert "nowhere" in line
    (line,) = refused(desk("data", "verify", "mnist"))
    assert line == "data source: must be one of digits, cifar10, cifar100, svhn, got 'mnist'"


def test_data_verify_of_other_values_is_exit_1(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values that are not the published ones are said, with exit code 1; one's own arrays are 0."""
    from lamsearch.data.sources import digits

    monkeypatch.setattr(digits, "FINGERPRINT", "of the published ones")
    result = desk("data", "verify", "digits")
    assert result.exit_code == 1
    assert "the values are not the published ones" in result.stdout
    assert result.stderr == "Error: digits: the values are not the published ones\n"
    np.savez(desk.directory / "own.npz", X=np.eye(4), y=[0, 1, 0, 1])
    assert desk("data", "verify", "own.npz", "--data-dir", desk.directory).exit_code == 0


def test_data_verify_of_digits(desk: Any) -> None:
    """`data verify digits` says that the values are the published ones."""
    result = desk("data", "verify", "digits")
    assert result.exit_code == 0
    assert "the values are the published ones" in result.stdout


def test_a_study_that_fails_exits_with_1_and_a_sentence(desk: Any) -> None:
    """Where every trial diverges, `worker` and `run` exit 1 with one sentence; a report stands."""
    path = desk.write()
    text = path.read_text(encoding="utf-8").replace("[-5.0, -1.0]", "[8.0, 9.0]")
    path.write_text(text, encoding="utf-8")
    desk.well("create", path)
    worked = desk("worker", "small", "--storage", desk.url)
    ran = desk("run", path, "--storage", desk.url, "--json")
    for result in (worked, ran):
        assert result.exit_code == 1
        assert result.stderr.count("Error: ") == 1
        assert result.stderr.splitlines()[-1].startswith("Error: coarse: nothing to select from")
        assert "(the first failed: " in result.stderr.splitlines()[-1]
        assert "Traceback" not in result.stderr
    document = json.loads(ran.stdout)
    assert document["failure"].startswith("coarse: nothing to select from")
    assert document["stages"][0]["failed"] == 5
    assert all("no longer finite" in trial["reason"] for trial in document["stages"][0]["trials"])
    assert "small  failed" in desk.well("status", "small").stdout
