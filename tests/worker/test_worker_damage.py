"""Models and checkpoints that are not as they were saved, or were saved by another training."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from worker_bench import Bench

from lamsearch import trials
from lamsearch.results import StudyRecord
from lamsearch.trials import Claim, Leases

MakeBench = Callable[..., Bench]
FINAL: dict[str, Any] = {
    "coarse": None, "fine": None, "finalists": None, "final": {"log10_lambda": -3.0}
}  # fmt: skip


def until_the_test(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work until the final's models are saved and the test is next."""
    real = Leases.claim

    def stop_there(self: Leases) -> Any:
        claim = real(self)
        if isinstance(claim, Claim) and claim.tests:
            self.give_back(claim)
            return None
        return claim

    with monkeypatch.context() as patched:
        patched.setattr(Leases, "claim", stop_there)
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
    with one.database.write() as unit:
        unit.execute(sa.update(trials.tables.curves).values(model_sha256=None))
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
    with one.database.write() as unit:
        unit.execute(sa.update(trials.tables.curves).values(model_sha256="0" * 64))
    model_file(one, 1).unlink()
    one.worker().run()
    assert digests(one.record()) == [
        hashlib.sha256(model_file(one, replicate).read_bytes()).hexdigest()
        for replicate in (0, 1)
    ]  # fmt: skip
