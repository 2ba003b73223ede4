"""Models and checkpoints that are not as they were saved, or were saved by another training."""

from __future__ import annotations

import hashlib
import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from worker_bench import Bench, no_test

from lamsearch import storage as store
from lamsearch.artifacts import Files
from lamsearch.errors import InterruptedWorkError
from lamsearch.results import StudyRecord
from lamsearch.storage import Leases

MakeBench = Callable[..., Bench]
FINAL: dict[str, Any] = {
    "coarse": None, "fine": None, "finalists": None, "final": {"log10_lambda": -3.0}
}  # fmt: skip


def until_the_test(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work until the final's models are saved and the test is next."""
    with no_test(monkeypatch):
        bench.worker().run()


def model_file(bench: Bench, replicate: int) -> Path:
    """Where the model of a replicate is."""
    return Path(bench.stored.files) / bench.stored.id / f"models/final-{replicate}.safetensors"


def flip(path: Path, place: int) -> None:
    """Flip the highest bit but one of a byte: a float32 changes by orders of magnitude."""
    content = bytearray(path.read_bytes())
    content[place] ^= 0x40
    path.write_bytes(content)


def digests(record: StudyRecord) -> list[str | None]:
    """The digests of the final's models as the storage has them."""
    return [trial.model_sha256 for trial in record.stages["final"].trials]


def test_a_model_damaged_before_the_test_is_trained_again(
    storage_url: str, bench: MakeBench, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """Bits flipped in a saved model do not reach the test accuracy: its digest stands with its
    trial, the damage is said, and the same model is trained again."""
    right, one = bench(**FINAL), bench(storage_url, **FINAL)
    right.worker().run()
    until_the_test(one, monkeypatch)
    path = model_file(one, 1)
    assert digests(one.record()) == [
        hashlib.sha256(model_file(one, replicate).read_bytes()).hexdigest()
        for replicate in (0, 1)
    ]  # fmt: skip
    flip(path, -1)  # in the last of the tensors: whole in itself
    one.worker().run()
    assert one.record().final == right.record().final
    assert [line for line in caplog.messages if "damaged" in line] == [
        "model of replicate 1 is damaged: its SHA-256 is not the one that was recorded with its "
        "trial"
    ]
    assert [line for line in one.said if "model of replicate" in line] == [
        f"model of replicate 1 is not in {one.stored.files}, or not as it was saved: "
        "training it again"
    ]
    assert digests(one.record())[1] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_models_of_studies_without_digests_are_taken(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A study of an earlier version, which wrote no digests down, is tested with its models."""
    one = bench(**FINAL)
    until_the_test(one, monkeypatch)
    with one.database.write() as transaction:
        transaction.execute(sa.update(store.tables.curves).values(model_sha256=None))
    one.worker().run()
    assert one.record().finished
    assert caplog.messages == []
    assert not any("training it again" in line for line in one.said)


def test_the_digest_is_of_the_model_that_was_evaluated(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a model had to be trained again on a machine that gives other bits, the digest of what
    was evaluated is recorded with the test accuracy."""
    one = bench(**FINAL)
    until_the_test(one, monkeypatch)
    model_file(one, 0).unlink()
    with one.database.write() as transaction:
        transaction.execute(sa.update(store.tables.curves).values(model_sha256="0" * 64))
    model_file(one, 1).unlink()
    one.worker().run()
    assert digests(one.record()) == [
        hashlib.sha256(model_file(one, replicate).read_bytes()).hexdigest()
        for replicate in (0, 1)
    ]  # fmt: skip


SEARCH: dict[str, Any] = {
    "fine": None, "finalists": None, "final": None, "coarse": {"trials": 5, "cycles": 2}
}  # fmt: skip


def interrupted(one: Bench, cohort: int, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work until a cycle has ended in a cohort of coarse; return its newest checkpoint."""
    real: Any = Leases.report

    def stopping(self: Leases, claim: Any, *rest: Any) -> Any:
        if claim.number == cohort:
            one.stop.set()
        return real(self, claim, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(Leases, "report", stopping)
        with pytest.raises(InterruptedWorkError):
            one.worker().run()
    one.stop.clear()
    one.said.clear()
    directory = checkpoints(one, cohort)
    return sorted(directory.glob("*.npz"))[-1]


def checkpoints(one: Bench, cohort: int) -> Path:
    """Where the checkpoints of a cohort of coarse are."""
    return Path(one.stored.files) / one.stored.id / f"checkpoints/coarse-{cohort}"


def table(record: StudyRecord) -> list[tuple[Any, ...]]:
    """What is known of each trial, curves to the bit."""
    return [
        (one.point[0], one.score, one.validation_loss, one.train_score,
         None if one.curve is None else one.curve.values["validation_loss"].tobytes())
        for stage in record.stages.values() for one in stage.trials
    ]  # fmt: skip


def unused(one: Bench) -> list[str]:
    """The lines that say that a checkpoint is not used."""
    return [line for line in one.said if line.endswith(": it is not used")]


def changed(path: Path, **arrays: Any) -> None:
    """Change arrays of a checkpoint, with a checksum that is right."""
    with np.load(io.BytesIO(path.read_bytes()[32:])) as archive:
        state = dict(archive) | arrays
    buffer = io.BytesIO()
    np.savez(buffer, **{name: array for name, array in state.items() if array is not None})
    path.write_bytes(hashlib.sha256(buffer.getvalue()).digest() + buffer.getvalue())


def rewrite(path: Path, body: bytes) -> None:
    """Write a checkpoint's content, with a checksum that is right."""
    path.write_bytes(hashlib.sha256(body).digest() + body)


STRANGE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "of an earlier version": (
        lambda path: changed(path, identity=None), "does not say which training it is of"
    ),
    "of no known training": (
        lambda path: changed(path, identity=np.array("[" * 9999)), "does not say which training"
    ),
    "without weights": (lambda path: changed(path, V=None), "cannot be restored (must hold"),
    "of other nets": (lambda path: changed(path, b2=np.zeros(3)), "cannot be restored (b2: must"),
    "with a future": (
        lambda path: changed(path, updates=np.array(10**6)), "cannot be restored (updates: must"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("damage", "words"), STRANGE.values(), ids=STRANGE)
def test_a_checkpoint_that_cannot_be_gone_on_from_is_said_and_left(
    damage: Callable[[Path], Any], words: str, bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint that is no state of this training is named in one line, the older one or the
    start is used instead, and the answer is the undisturbed one."""
    right, one = bench(**SEARCH), bench(**SEARCH)
    right.worker().run()
    path = interrupted(one, 0, monkeypatch)
    for other in path.parent.glob("*.npz"):
        damage(other)
    count = len(list(path.parent.glob("*.npz")))
    one.worker().run()
    assert len(unused(one)) == count
    assert f"checkpoint {path.name} of coarse cohort 0 {words}" in unused(one)[0]
    assert not any("goes on at update" in line for line in one.said)
    assert table(one.record()) == table(right.record())


def test_a_checkpoint_of_another_cohort_is_not_adopted(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint copied from another cohort, whose λs are others, is not gone on from."""
    changes = SEARCH | {"coarse": {"trials": 6, "cycles": 2}}
    right, one = bench(**changes), bench(**changes)
    right.worker().run()
    first = interrupted(one, 0, monkeypatch)
    kept = first.parent.parent / "kept"
    shutil.copytree(first.parent, kept)
    interrupted(one, 1, monkeypatch)
    shutil.rmtree(checkpoints(one, 1))
    kept.rename(checkpoints(one, 1))
    one.worker().run()
    assert unused(one)[0].endswith("cohort 1 is of another training (cohort): it is not used")
    assert table(one.record()) == table(right.record())


def test_a_checkpoint_of_other_candidates_is_not_adopted(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a restored backup a sampler may have drawn other λs: what the old ones were trained to
    is not taken for theirs."""
    one = bench(**SEARCH)
    interrupted(one, 0, monkeypatch)
    with one.database.write() as transaction:
        cohorts = store.tables.cohorts
        query = sa.select(cohorts.c.trials).where(cohorts.c.number == 0)
        trials = transaction.connection.execute(query).scalar_one()
        moved = [[trial, candidate, [value[0] + 1e-12]] for trial, candidate, value in trials]
        transaction.execute(sa.update(cohorts).where(cohorts.c.number == 0).values(trials=moved))
        for trial, _, value in moved:
            transaction.execute(
                sa.text("UPDATE trial_params SET param_value = :value WHERE trial_id = :trial")
                .bindparams(value=value[0], trial=trial)
            )  # fmt: skip
    one.worker().run()
    assert unused(one)[0].endswith("is of another training (candidates): it is not used")
    assert one.record().finished


def test_a_checkpoint_goes_on_where_it_fits(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint of this very training is gone on from, to the undisturbed answer; where the
    newest is none, the one before is."""
    right, one = bench(**SEARCH), bench(**SEARCH)
    right.worker().run()
    path = interrupted(one, 0, monkeypatch)
    older = path.with_name("000000000001.npz")
    for other in path.parent.glob("*.npz"):
        if other != path:
            other.unlink()
    path.rename(older)
    rewrite(path, older.read_bytes()[32:-40])
    files = Files(one.stored.files, one.stored.id)
    assert next(files.checkpoints("coarse", 0), None) is not None
    assert [file.name for file in path.parent.glob("*.npz")] == [older.name]
    one.worker().run()
    assert sum("goes on at update" in line for line in one.said) == 1
    assert unused(one) == []
    assert table(one.record()) == table(right.record())
