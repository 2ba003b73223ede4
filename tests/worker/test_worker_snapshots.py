"""Snapshots of the final: what is tested, what becomes of them under kills, pauses and losses."""

from __future__ import annotations

import os
import signal
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import load_file
from scipy.special import softmax
from study_processes import Place
from test_worker_options import study_file, undisturbed
from worker_bench import Bench, leave_at, noted_openings

from benchmarks.victims import until
from lamsearch import data as datasets
from lamsearch.artifacts import Files, digest_of, files_of
from lamsearch.results import SnapshotScore
from lamsearch.study import parse_study
from lamsearch.trainers import Progress, TrainerFailedError
from lamsearch.trainers.network import NetworkTrainer
from lamsearch.web.studies import model_files

MakeBench = Callable[..., Bench]
FINAL = {"snapshots": True, "cycles": 3, "replicates": 2}  # of cycles 2 and 3, at updates 60 and 90


def snapshots(bench: Bench) -> SnapshotScore:
    """Return the scores over cycle ends of a study that is over."""
    final = bench.record().final
    assert final is not None
    assert final.snapshots is not None
    return final.snapshots


def paths(bench: Bench, pattern: str = "*") -> list[Path]:
    """Return the model files of a bench."""
    return sorted((bench.directory / "files").glob(f"*/models/final-{pattern}.safetensors"))


def probabilities(path: Path, x: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return what a model file says of raw examples, in NumPy alone."""
    a = load_file(path)
    hidden = np.maximum((x - a["mean"]) / a["std"] @ a["W1"] + a["b1"], 0)
    return np.asarray(softmax(hidden @ a["W2"] + a["b2"], axis=1))


def test_the_means_over_cycle_ends_are_those_of_the_saved_files(
    storage_url: str, bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scores of one training's snapshots, of all and of each cycle end are what NumPy makes of
    the files; all that is not of snapshots is as in a study without them."""
    one, plain = bench(storage_url, final=FINAL), bench(final={**FINAL, "snapshots": False})
    opened = noted_openings(monkeypatch)
    one.worker().run()
    (examples,) = opened
    x, y, found = np.asarray(examples.x, np.float32), examples.y, snapshots(one)
    assert [path.name for path in paths(one)] == [
        f"final-{replicate}{cycle}.safetensors"
        for replicate in (0, 1)
        for cycle in ("-cycle-2", "")
    ]
    says = np.array([probabilities(path, x) for path in paths(one)]).reshape(2, 2, len(y), -1)
    right = says.mean(axis=1).argmax(axis=-1) == y
    assert found.scores == tuple(right.mean(axis=1))
    assert found.members == pytest.approx((says.argmax(axis=-1) == y).mean(axis=(0, 2)))
    assert found.ensemble == (says.mean(axis=(0, 1)).argmax(axis=-1) == y).mean()
    assert (found.updates, found.n) == ((60, 90), 2)
    final = one.record().final
    assert final is not None
    assert found.gain == pytest.approx(found.mean - final.mean)
    assert one.record().openings[0].purpose.endswith("of the selected λ, at the ends of 2 cycles")
    plain.worker().run()
    without = plain.record().final
    assert without is not None
    assert without.snapshots is None
    assert (without.scores, without.ensemble) == (final.scores, final.ensemble)
    assert [path.name for path in paths(plain)] == ["final-0.safetensors", "final-1.safetensors"]


def test_all_models_can_be_had_by_their_digests(bench: MakeBench) -> None:
    """Page and report list every cycle end's file, each as it was evaluated."""
    one = bench(final=FINAL)
    one.worker().run()
    record = one.record()
    listed = model_files(record)
    assert listed == files_of(record.stages["final"].trials)
    assert sorted(listed) == [path.name for path in paths(one)]
    files = Files(one.stored.files, one.stored.id)
    for path in paths(one):
        known = listed[path.name]
        assert known.sha256 is not None
        content = files.read_model(known.replicate, known.sha256, known.cycle)
        assert content == path.read_bytes()


def test_who_leaves_at_a_cycle_end_has_saved_its_models(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that is asked to leave just where a snapshot is due saves it with the checkpoint;
    the next goes on from there, trains nothing twice, and ends with the same scores."""
    whole, left = bench(final=FINAL), bench(final=FINAL)
    whole.worker().run()
    leave_at(left, monkeypatch, "final", total=90, update=60)
    (early,) = paths(left)
    assert early.name == "final-0-cycle-2.safetensors"
    before = early.stat().st_mtime_ns
    left.worker().run()
    assert "final cohort 0 goes on at update 60" in left.said
    assert early.stat().st_mtime_ns == before
    assert left.record().final == whole.record().final
    assert not any("training it again" in line for line in left.said)


def test_snapshots_lost_before_the_test_are_trained_again(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A snapshot that is missing or damaged at the end is trained again to the same scores, and
    the models that are there stay."""
    whole, robbed = bench(final=FINAL), bench(final=FINAL)
    whole.worker().run()
    real = datasets.open_test
    kept: dict[str, bytes] = {}

    def robbing(*args: Any, **rest: Any) -> Any:
        first, second = paths(robbed, "*-cycle-2")
        first.unlink()
        second.write_bytes(second.read_bytes()[:-100])
        kept.update({path.name: path.read_bytes() for path in paths(robbed, "[01]")})
        return real(*args, **rest)

    monkeypatch.setattr(datasets, "open_test", robbing)
    robbed.worker().run()
    lines = [line for line in robbed.said if "training it again" in line]
    assert [line.partition(" is not in")[0] for line in lines] == [
        f"model of replicate {replicate} at the end of cycle 2" for replicate in (0, 1)
    ]
    assert robbed.record().final == whole.record().final
    assert {path.name: path.read_bytes() for path in paths(robbed, "[01]")} == kept
    files = Files(robbed.stored.files, robbed.stored.id)
    for known in model_files(robbed.record()).values():
        assert files.read_model(known.replicate, known.sha256, known.cycle) is not None


def test_a_replicate_whose_snapshot_cannot_be_had_again_counts_without_it(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where training again fails, the last model counts as ever, and means are of the others."""
    whole, robbed = bench(final=FINAL), bench(final=FINAL)
    whole.worker().run()
    real = datasets.open_test

    def failing(self: NetworkTrainer) -> Iterator[Progress]:
        raise TrainerFailedError("no more")
        yield

    def robbing(*args: Any, **rest: Any) -> Any:
        paths(robbed, "0-cycle-2")[0].unlink()
        monkeypatch.setattr(NetworkTrainer, "run", failing)
        return real(*args, **rest)

    monkeypatch.setattr(datasets, "open_test", robbing)
    robbed.worker().run()
    final, right = robbed.record().final, whole.record().final
    assert final is not None
    assert right is not None
    assert final.scores == right.scores
    assert snapshots(robbed).replicates == (1,)
    assert snapshots(robbed).scores == snapshots(whole).scores[1:]


# The search is short, for it is the final that is disturbed.
HIT: dict[str, Any] = {
    "network": {"hidden": [16, 12], "batch_norm": True, "dropout": 0.1},
    "training": {"step_size": 400, "cycles": 3},
    "coarse": {"trials": 2, "cycles": 1},
    "final": {"replicates": 2, "snapshots": 3},
}


@pytest.fixture(scope="module")
def right(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[dict[str, Any], object, list[Path]]:
    """The answer, the curves and the models of a training that nobody disturbed."""
    directory = tmp_path_factory.mktemp("right") / "undisturbed"
    study = parse_study(tomllib.loads(study_file(HIT)))
    answer, curves = undisturbed(directory, study)
    return answer, curves, sorted(directory.glob("files/*/models/*.safetensors"))


@pytest.fixture
def killed(tmp_path: Path, storage_url: str) -> Iterator[Place]:
    """Return an empty place on a storage of either kind, whose workers are to be killed."""
    directory = tmp_path / "killed"
    directory.mkdir()
    place = Place(directory, storage_url)
    yield place
    place.close()


def test_workers_killed_after_a_snapshot_end_with_the_same_bits(
    killed: Place, right: tuple[dict[str, Any], object, list[Path]]
) -> None:
    """Workers killed once a snapshot is saved, and with batch norm and dropout, leave all scores
    and all models of a training that nobody disturbed."""
    killed.study_file.write_text(study_file(HIT), encoding="utf-8")
    run = killed.run(workers=2)
    until(lambda: list(killed.files.glob("*/models/*-cycle-1.safetensors")))
    victims = until(killed.holders)
    for victim in victims:
        os.kill(victim, signal.SIGKILL)
    assert run.wait() == 0, run.said
    answer, curves, models = right
    assert killed.answer() == answer
    assert killed.curves() == curves
    assert answer["final"]["snapshots"]["updates"] == [800, 1600, 2400]
    written = sorted((killed.output / "models").iterdir())
    assert [one.name for one in written] == [one.name for one in models]
    assert len(written) == 6
    for one, other in zip(written, models, strict=True):
        found, expected = load_file(one), load_file(other)
        assert {name: array.tobytes() for name, array in found.items()} == {
            name: array.tobytes() for name, array in expected.items()
        }


def test_a_kill_between_a_snapshot_and_its_checkpoint_costs_nothing(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the worker dies with the snapshot written and the checkpoint not, the next trains that
    cycle again, writes the same model, and its file is the one that is tested."""
    whole, hit = bench(final=FINAL), bench(final=FINAL)
    whole.worker().run()
    real = Files.save_model

    def dying(self: Files, *arguments: Any) -> bytes:
        real(self, *arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Files, "save_model", dying)
        with pytest.raises(KeyboardInterrupt):
            hit.worker().run()
    (early,) = paths(hit)
    first = load_file(early)
    hit.worker().run()
    assert hit.record().final == whole.record().final
    assert not any("training it again" in line for line in hit.said)
    second = load_file(early)
    assert all(first[name].tobytes() == second[name].tobytes() for name in second)
    assert model_files(hit.record())[early.name].sha256 == digest_of(early.read_bytes())
