"""Other trainers than the built-in one at the worker: resumed, begun again, raising, unknown."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from study_processes import PACE, Place, optuna_trials
from worker_bench import Bench

from benchmarks.victims import until
from lamsearch import findings
from lamsearch import storage as store
from lamsearch.errors import InputError, InterruptedWorkError
from lamsearch.results import TrialState
from lamsearch.storage import Leases
from lamsearch.trainers.network import kind as network

MakeBench = Callable[..., Bench]
OUTSIDE = Path(__file__).parents[1] / "trainers" / "outside"
SEARCH: dict[str, Any] = {"network": None, "fine": None, "finalists": None, "final": None}
STUDY = """name = "lives"
seed = 3
cohort = 3
[data]
source = "digits"
train = 300
validation = 100
[trainer]
name = "centroids"
[training]
step_size = 10
[coarse]
values = [-3.0, -2.0, -1.0, 0.0]
"""


def scores(one: Bench) -> list[object]:
    """What the storage knows of each coarse trial."""
    return [
        (trial.state, trial.reason, trial.score, trial.validation_loss)
        for trial in one.record().stages["coarse"].trials
    ]


def test_a_trainer_of_another_package_is_searched_to_a_winner(bench: MakeBench) -> None:
    """A study that names an installed package's trainer is searched with halving and narrowing."""
    one = bench(trainer={"name": "softmax", "rate": 0.2}, network=None, final=None,
                coarse={"halving": True, "cycles": 2})  # fmt: skip
    one.worker().run()
    record = one.record()
    assert record.finished
    assert record.selected is not None
    assert record.selected.score is not None
    assert record.selected.score.mean > 0.6
    states = [trial.state.name for trial in record.stages["coarse"].trials]
    assert states.count("PRUNED") > 0
    assert states.count("COMPLETE") + states.count("PRUNED") == 5


def test_a_resumable_trainer_goes_on_where_it_stopped(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in mid-cohort, a trainer with a state ends with the undisturbed scores."""
    changes = {**SEARCH, "trainer": {"name": "softmax"}, "coarse": {"cycles": 2}}
    right, one = bench(**changes), bench(**changes)
    right.worker().run()
    real = Leases.report

    def stop_then(self: Leases, *rest: Any) -> tuple[str, ...]:
        one.stop.set()
        return real(self, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(Leases, "report", stop_then)
        with pytest.raises(InterruptedWorkError, match="at update 31 of coarse cohort 0"):
            one.worker().run()
    one.stop.clear()
    one.worker().run()
    assert "coarse cohort 0 goes on at update 31" in one.said
    assert scores(one) == scores(right)


def test_progress_of_any_trainer_is_of_what_was_planned(bench: MakeBench) -> None:
    """A function, whose update is a whole trial, has done all planned updates when it is done."""
    one = bench(trainer={"name": "centroids"}, **SEARCH)
    one.worker().run()
    (coarse,) = store.read_status(one.database, one.study.name).stages
    assert coarse.updates == coarse.total > coarse.planned


def test_a_trainer_that_raises_fails_its_cohort_at_once_and_no_other(
    storage_url: str, bench: MakeBench
) -> None:
    """All trials of a cohort whose trainer raised are FAIL with the reason in one line, without
    retry, and the worker goes on with the next cohort."""
    values = [-4.0, 1.0, -2.0, -3.0, -1.0]
    one = bench(storage_url, **SEARCH, trainer={"name": "raising"},
                coarse={"values": values, "trials": None, "log10_lambda": None})  # fmt: skip
    one.worker().run()
    record = one.record()
    trials = record.stages["coarse"].trials
    assert [trial.state.name for trial in trials] == ["FAIL"] * 3 + ["COMPLETE"] * 2
    reason = "trainer raised ZeroDivisionError: a model of somebody's own"
    assert {(trial.reason, trial.updates) for trial in trials[:3]} == {(reason, 2)}
    assert record.selected is not None
    assert record.selected.point[0] in (-3.0, -1.0)
    assert f"coarse log10 λ 1 failed: {reason}" in one.said
    url = one.database.url.render_as_string(hide_password=False)
    assert len(optuna_trials(url, "small")["coarse"]) == len(values)


@pytest.mark.parametrize("where", ["__init__", "outcomes", "state", "run"])
def test_wherever_a_trainer_raises_the_study_ends(
    where: str, bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When it is made, trained, saved or asked for its outcomes, what it raises is the reason."""

    class Breaks(network.NetworkTrainer):
        pass

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no more")

    setattr(Breaks, where, broken)
    monkeypatch.setattr(network, "NetworkTrainer", Breaks)
    one = bench(coarse={"cycles": 2}, fine=None, finalists=None, final=None)
    one.worker().run()
    record = one.record()
    assert record.failure is not None
    for trial in record.stages["coarse"].trials:
        assert trial.state is TrialState.FAIL
        assert trial.reason == "trainer raised RuntimeError: no more"


def test_what_no_trainer_answers_is_a_failure_with_its_reason(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outcomes of other trials than were asked for fail the cohort instead of the worker."""
    monkeypatch.setattr(network.NetworkTrainer, "outcomes", lambda self: ())
    one = bench(fine=None, finalists=None, final=None)
    one.worker().run()
    reasons = {trial.reason for trial in one.record().stages["coarse"].trials}
    assert reasons == {f"trainer raised TypeError: it must answer {count} outcomes, got 0"
                       for count in (2, 3)}  # fmt: skip


def test_a_killed_trainer_without_a_state_begins_again(place: Place) -> None:
    """SIGKILL in the middle of a cohort whose trainer cannot be resumed: the same trials are
    trained from the beginning once its lease has run out, and each ends COMPLETE once."""
    place.study_file.write_text(STUDY, encoding="utf-8")
    log = place.directory / "log"
    own = {"PYTHONPATH": str(OUTSIDE)}
    assert place.start("create", place.study_file, environment=own).wait() == 0
    first = place.start("worker", "lives", *PACE, environment=own | {"CENTROIDS_LOG": str(log)})
    until(lambda: log.exists() and len(log.read_text().splitlines()) == 2)
    first.signal(signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL
    assert place.checkpoints() == []
    second = place.start("worker", "lives", *PACE, environment=own | {"CENTROIDS_LOG": str(log)})
    assert second.wait() == 0, second.said
    assert "goes on at update" not in second.said
    trained = log.read_text().splitlines()
    begun, again, others = ["-3.0", "-2.0"], ["-3.0", "-2.0"], ["-1.0", "0.0"]
    assert trained in ([*begun, *again, *others], [*begun, *others, *again])
    found = optuna_trials(place.url, "lives")["coarse"]
    assert [trial.state.name for trial in found] == ["COMPLETE"] * 4


def test_a_trainer_that_is_not_installed_is_bad_input_and_changes_nothing(
    sqlite_place: Place,
) -> None:
    """`create` and a worker without the trainer's package say so in one sentence, exit 2,
    and leave the study to workers that have it."""
    place = sqlite_place
    place.study_file.write_text(STUDY, encoding="utf-8")
    sentence = "trainer.name: must be one of network, sklearn, got 'centroids'"
    refused = place.start("create", place.study_file)
    assert (refused.wait(), sentence in refused.said) == (2, True)
    assert place.status() is None
    own = {"PYTHONPATH": str(OUTSIDE)}
    assert place.start("create", place.study_file, environment=own).wait() == 0
    worker = place.start("worker", "lives", *PACE)
    assert (worker.wait(), sentence in worker.said) == (2, True)
    assert {trial.state.name for trial in optuna_trials(place.url, "lives")["coarse"]} == {
        "WAITING"
    }


def test_the_report_says_what_a_trainer_does_not_promise(bench: MakeBench) -> None:
    """A trainer that declares its results not bit-reproducible is a warning; others are none."""
    warned = []
    for name in ("centroids", "softmax"):
        one = bench(**SEARCH, trainer={"name": name})
        one.worker().run()
        warned.append([text for text in findings.warnings(one.record()) if "trainer" in text])
    assert warned == [
        ["trainer 'centroids' does not promise the same numbers for the same study file: another "
         "run, or an interrupted one, may give others"], [],
    ]  # fmt: skip


def test_a_worker_refuses_a_study_that_its_trainer_would_not_accept(bench: MakeBench) -> None:
    """What stands in the database is checked by the trainer's own rules before anything is done."""
    one = bench(**SEARCH, trainer={"name": "softmax", "rate": -1.0})
    with pytest.raises(InputError, match=r"study small: trainer.rate: must be above 0, got -1.0"):
        one.worker()
    assert one.record().stages["coarse"].count(TrialState.WAITING) == 5
