"""The answer of `studies/digits.toml` is the one that earlier versions gave, to the last bit."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from pathlib import Path
from typing import Any

import forked
import pytest

ROOT = Path(__file__).parents[2]
STUDY = ROOT / "studies" / "digits.toml"
# By the kernel that OpenBLAS chose, which settles the order of sums; those of a row sum alike.
ANSWERS = {
    ("SkylakeX", "Cooperlake"): "81967d37b30007e95b0156f4a569d2210bede81e4b3f32ff686b54f231275c9a",
    ("Haswell", "Zen"): "ba6cf848722be7a79e65c408aaa858061f338b22cf04ece678b672dd0412229a",
    ("Sandybridge", "Nehalem"): "436b04a2cda9e4d3eefb2d9f290e52e5ffc38bb13a734ce74e5ecba6d8c390de",
}
KNOWN = {kernel: digest for kernels, digest in ANSWERS.items() for kernel in kernels}
ON_INTEL = platform.machine() in ("x86_64", "AMD64")


@pytest.mark.skipif(not ON_INTEL, reason="no answers are stored for this kind of processor")
@pytest.mark.parametrize("kernel", [None, "Nehalem"], ids=["this machine's kernel", "Nehalem"])
def test_the_table_is_bit_for_bit_that_of_earlier_versions(
    tmp_path: Path, kernel: str | None
) -> None:
    """Every λ, score and loss, the choice and the test accuracies have the stored digest of the
    kernel that computed them; Nehalem's runs on every such machine."""
    environment = {
        key: value for key, value in os.environ.items()
        if not key.startswith(("LAMSEARCH_", "OPENBLAS_"))
    }  # fmt: skip
    document = _answer(tmp_path, environment | ({} if kernel is None else _forced(kernel)))
    ran = {blas["kernel"] for blas in document["environment"]["blas"]}
    if not ran <= KNOWN.keys():  # a newer processor: the oldest kernel's answer is the other test
        pytest.skip(f"no answer is stored for {' and '.join(sorted(ran))}")
    if kernel is not None:
        assert ran == {kernel}
    assert {KNOWN[one] for one in ran} == {_digest(document)}


def _forced(kernel: str) -> dict[str, str]:
    return {"OPENBLAS_CORETYPE": kernel, "PYTHONPATH": str(ROOT / "tests/undrawn")}


def _answer(directory: Path, environment: dict[str, str]) -> dict[str, Any]:
    run = forked.run(
        [*forked.COMMAND, "run", str(STUDY), "--json", "--workers", "2",
         "--storage", f"sqlite:///{directory / 'digits.db'}", "--output", str(directory / "out")],
        cwd=directory, env=forked.UNDRAWN | environment, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return dict(json.loads(run.stdout))


def _digest(document: dict[str, Any]) -> str:
    """The SHA-256 of all numbers that follow from the arithmetic."""
    found: dict[str, Any] = json.loads(json.dumps(document))
    stages, selected, final = found["stages"], found["selected"], found["final"]
    keys = ("candidate", "replicate", "state", "log10_lambda", "validation_accuracy",
            "validation_loss")  # fmt: skip
    rows = [
        [stage["name"], *(trial[key] for key in keys)]
        for stage in stages for trial in stage["trials"]
    ]  # fmt: skip
    text = json.dumps([
        rows, selected["log10_lambda"], final["test_accuracy"]["mean"],
        final["ensemble_test_accuracy"],
    ])  # fmt: skip
    return hashlib.sha256(text.encode()).hexdigest()
