"""Law 1 at the worker: the winner and the record of the opening first, then the test set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
import threadpoolctl
from worker_bench import Bench

from lamsearch import data as datasets
from lamsearch.errors import DataError, InterruptedWorkError
from lamsearch.results import STAGES, Model, Trained, TrialState
from lamsearch.storage.tables import cohorts
from lamsearch.trainers.network import NetworkTrainer, kind

MakeBench = Callable[..., Bench]


def test_a_failed_opening_leaves_record_and_winner_committed(
    storage_url: str, bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where reading the test set fails, winner and record are committed, and are used again."""
    one = bench(storage_url)
    given: list[Any] = []

    def broken(*_: object, **__: object) -> None:
        raise DataError("the disk is gone")

    real = datasets.open_test
    monkeypatch.setattr(datasets, "open_test", broken)
    with pytest.raises(DataError, match="the disk is gone"):
        one.worker().run()
    before = one.record()
    assert before.selected is not None
    assert len(before.openings) == 1
    assert before.final is None
    assert not before.finished

    def noting(study: Any, directory: Any, opening: Any, **rest: Any) -> Any:
        given.append(opening)
        return real(study, directory, opening, **rest)

    monkeypatch.setattr(datasets, "open_test", noting)
    one.worker().run()
    after = one.record()
    assert after.finished
    assert after.final is not None
    assert given == list(before.openings) == list(after.openings)
    assert after.selected == before.selected
    assert after.stages.keys() == before.stages.keys()


def test_nothing_opens_the_test_set_before_the_record_of_it(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the test set is read, every trial is told, the winner chosen, the opening committed."""
    one = bench()
    seen: list[Any] = []
    real = datasets.open_test

    def noting(study: Any, directory: Any, opening: Any, **rest: Any) -> Any:
        seen.append((opening, one.record()))
        return real(study, directory, opening, **rest)

    monkeypatch.setattr(datasets, "open_test", noting)
    one.worker().run()
    assert len(seen) == 1
    opening, record = seen[0]
    assert record.openings == (opening,)
    assert opening.study == "small"
    assert opening.study_id == one.stored.id
    assert record.selected is not None
    states = {trial.state for stage in record.stages.values() for trial in stage.trials}
    assert states == {TrialState.COMPLETE}


def test_a_study_without_a_final_never_opens_the_test_set(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A study that ends at its search is done with a winner, no record, no reading."""

    def never(*_: object, **__: object) -> None:
        raise AssertionError("the test set was read")

    monkeypatch.setattr(datasets, "open_test", never)
    one = bench(final=None)
    one.worker().run()
    record = one.record()
    assert record.finished
    assert record.selected is not None
    assert record.openings == ()
    assert record.final is None


def test_no_earlier_stage_draws_test_curves(bench: MakeBench) -> None:
    """A study that selects has no test curve in any trial, those of its final included."""
    one = bench()
    one.worker().run()
    curves = [trial.curve for stage in one.record().stages.values() for trial in stage.trials]
    assert curves
    assert all(curve is not None and "test_accuracy" not in curve.values for curve in curves)


def test_test_curves_are_drawn_after_the_opening_is_recorded(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A study that selects nothing draws test curves, its one opening recorded before training."""
    one = bench(coarse=None, fine=None, finalists=None,
                final={"log10_lambda": -3.0, "test_curves": True})  # fmt: skip
    updates: list[int] = []
    real = datasets.open_test

    def noting(study: Any, directory: Any, opening: Any, **rest: Any) -> Any:
        assert one.record().openings == (opening,)
        with one.database.read() as transaction:
            updates.append(transaction.connection.scalar(sa.select(sa.func.sum(cohorts.c.updates))))
        return real(study, directory, opening, **rest)

    monkeypatch.setattr(datasets, "open_test", noting)
    one.worker().run()
    record = one.record()
    assert updates[0] == 0  # nothing was trained at the first opening
    assert len(record.openings) == 1
    assert record.selected is not None
    assert record.selected.score is None
    assert record.final is not None
    for trial, accuracy in zip(record.stages["final"].trials, record.final.scores, strict=True):
        assert trial.curve is not None
        assert "test_accuracy" in trial.curve.values
        assert trial.curve.values["test_accuracy"][-1] == pytest.approx(accuracy)


def test_models_lost_before_the_test_are_trained_again(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model file that is missing or damaged at the end is trained again to the same bits."""
    whole, robbed = bench(), bench()
    whole.worker().run()
    real = datasets.open_test
    taken: dict[str, bytes] = {}

    def robbing(*args: Any, **rest: Any) -> Any:
        first, second = sorted((robbed.directory / "files").glob("*/models/*.safetensors"))
        taken[first.name] = first.read_bytes()
        first.unlink()
        second.write_bytes(second.read_bytes()[:-100])
        return real(*args, **rest)

    monkeypatch.setattr(datasets, "open_test", robbing)
    robbed.worker().run()
    lines = [line for line in robbed.said if "training it again" in line]
    assert len(lines) == 2
    assert robbed.record().final == whole.record().final
    again = next((robbed.directory / "files").glob("*/models/final-0.safetensors"))
    first = taken["final-0.safetensors"]
    header = int.from_bytes(first[:8], "little")  # metadata stand there in no fixed order
    assert again.read_bytes()[8 + header :] == first[8 + header :]


def test_a_replicate_that_failed_has_no_model_and_is_not_trained_again(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch, lamsearch: Any
) -> None:
    """Where one replicate of the final failed, the test scores the others' models at once, and
    neither worker nor report misses a model of it."""
    one, begun = bench(), list[int]()

    class FailsOnce(NetworkTrainer):
        def __init__(self, *arguments: Any, seed: Any, **rest: Any) -> None:
            super().__init__(*arguments, seed=seed, **rest)
            self.fails = tuple(seed[1:]) == (STAGES.index("final"), 0)
            begun.append(seed[1])

        def outcomes(self) -> tuple[Trained, ...]:
            found = super().outcomes()
            return (Trained(state=TrialState.FAIL, reason="why"),) if self.fails else found

        def models(self) -> tuple[Model | None, ...]:
            return (None,) if self.fails else super().models()

    monkeypatch.setattr(kind, "NetworkTrainer", FailsOnce)
    one.worker().run()
    record = one.record()
    assert [trial.state.name for trial in record.stages["final"].trials] == ["FAIL", "COMPLETE"]
    assert record.final is not None
    assert record.final.n == 1
    assert begun.count(STAGES.index("final")) == 2
    assert not [line for line in one.said if "training it again" in line]
    url = one.database.url.render_as_string(hide_password=False)
    result = lamsearch(
        "report",
        "small",
        "--storage",
        url,
        "--files",
        one.directory / "files",
        "--output",
        one.directory / "out",
    )
    assert result.returncode == 0, result.stderr
    assert "not in" not in result.stderr
    assert [path.name for path in (one.directory / "out/models").iterdir()] == [
        "final-1.safetensors"
    ]


def test_ctrl_c_while_a_model_is_trained_again_is_obeyed(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker told to leave during the evaluation leaves, and the next one makes the same."""
    whole, one = bench(), bench()
    whole.worker().run()
    real = datasets.open_test

    def robbing(*args: Any, **rest: Any) -> Any:
        for path in (one.directory / "files").glob("*/models/*"):
            path.unlink()
        one.stop.set()
        return real(*args, **rest)

    monkeypatch.setattr(datasets, "open_test", robbing)
    with pytest.raises(InterruptedWorkError, match="run again to go on"):
        one.worker().run()
    monkeypatch.setattr(datasets, "open_test", real)
    one.stop.clear()
    one.worker().run()
    assert one.record().final == whole.record().final
    assert one.record().openings != ()


def test_a_worker_computes_with_one_thread(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inside a worker every BLAS has one thread, for thread counts change last bits."""
    counts: set[int] = set()
    real = datasets.open_test

    def noting(*args: Any, **rest: Any) -> Any:
        counts.update(pool["num_threads"] for pool in threadpoolctl.threadpool_info()
                      if pool["user_api"] == "blas")  # fmt: skip
        return real(*args, **rest)

    monkeypatch.setattr(datasets, "open_test", noting)
    bench(coarse={"trials": 2}, fine=None, finalists=None).worker().run()
    assert counts == {1}
