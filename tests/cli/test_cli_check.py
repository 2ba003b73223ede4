"""`check` before any work: what cannot be is refused there, and what it accepts can be planned."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from cli_studies import SMALL
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from lamsearch.cli import check_plan, cli

Refused = Callable[..., list[str]]

KEYS = {
    "": ["name", "seed", "cohort", "data", "training", "coarse", "zzz"],
    "data": ["source", "path", "train", "validation", "test", "stratified", "components",
             "resplit", "folds", "groups", "weight", "train_batches", "validation_batches"],
    "network": ["hidden"],
    "training": ["batch_size", "schedule", "eta_min", "eta_max", "gamma", "step_size", "cycles",
                 "sample_every"],
    "coarse": ["trials", "log10_lambda", "sampler", "values", "halving", "components", "eta_max"],
    "fine": ["trials", "log10_lambda", "keep", "rounds", "extend", "values", "cycles"],
    "finalists": ["keep", "replicates", "extend", "rounds", "rule", "step_size"],
    "final": ["log10_lambda", "train", "validation", "replicates", "test_curves", "snapshots",
              "batch_size"],
}  # fmt: skip
NUMBERS = some.one_of(
    some.integers(-2, 400),
    some.sampled_from([2**31, 2**63, 10**12, 10**30, -(2**63)]),
    some.floats(),
    some.sampled_from([1e-308, 5e-324, 1e308, -30.0, 10.0, 1e-3, 0.999999]),
).map(lambda x: str(x).replace("e-", "e-") if math.isfinite(x) else {math.inf: "inf"}.get(x, "nan"))
VALUES = some.one_of(
    NUMBERS,
    some.lists(NUMBERS, max_size=4).map(lambda items: f"[{', '.join(items)}]"),
    some.sampled_from([
        "true", "''", "'digits'", "'cifar10'", "'own.npz'", "'a\\u0000.npz'", '"\\u0000.npz"',
        "'cycle'", "'epoch'", "'stratified'", "'tpe'", "'exp_range'", "'model'", "2020-01-02",
        "10:00:00", "{a = 1}", "[[1], [2]]", "[{a = 1}]", "[-3.0, -2.9999999999999996]",
        "[-4.0, -2.0]", "[1e-5, 1e-1]", f"'{'x' * 5000}.npz'",
    ]),
)  # fmt: skip
EDITS = some.lists(
    some.sampled_from([(table, key) for table, keys in KEYS.items() for key in keys]).flatmap(
        lambda place: VALUES.map(lambda value: (*place, value))
    ),
    min_size=1, max_size=3,
)  # fmt: skip


def edited(edits: list[tuple[str, str, str]]) -> str:
    """Return the small study file with keys replaced by TOML values."""
    tables: dict[str, dict[str, str]] = {"": {}}
    table = ""
    for line in SMALL.replace("{name}", "small").splitlines():
        if line.startswith("["):
            table = line.strip("[]")
            tables[table] = {}
        elif line:
            key, _, value = line.partition(" = ")
            tables[table][key] = value
    for table, key, value in edits:
        if table == "" and key in tables:
            tables.pop(key)
        tables.setdefault(table, {})[key] = value
    lines = []
    for table, pairs in tables.items():
        lines += [f"[{table}]"] * bool(table) + [f"{key} = {value}" for key, value in pairs.items()]
    return "\n".join(lines)


@given(EDITS)
@settings(
    max_examples=150, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
def test_check_accepts_or_refuses_whatever_it_is_given(
    desk: Any, monkeypatch: pytest.MonkeyPatch, edits: list[tuple[str, str, str]]
) -> None:
    """`check` of any document exits with 0 or with 2 and sentences, and never with a traceback;
    a small study that it accepts can be planned."""
    monkeypatch.setattr(check_plan, "_seconds", lambda *_: 1.0)
    path = desk.directory / "fuzz.toml"
    path.write_text(edited(edits), encoding="utf-8")
    result = CliRunner().invoke(cli, ["check", str(path), "--data-dir", str(desk.directory)])
    assert result.exit_code in (0, 2), (path.read_text(), result.output, result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    if result.exit_code == 2:
        assert result.stderr.startswith("Error: ")
        assert all(len(line) < 1000 for line in result.stderr.splitlines())
        return
    trials = int(result.stdout.splitlines()[2].split()[1])
    if trials <= 400 and "cifar10" not in path.read_text():
        planned = CliRunner().invoke(
            cli, ["create", str(path), "--storage", "sqlite:///fuzz.db", "--files", "files"]
        )  # fmt: skip
        assert planned.exit_code == 0, (path.read_text(), planned.output)
        (desk.directory / "fuzz.db").unlink()


def test_what_needs_more_memory_than_there_is_is_warned_of(desk: Any) -> None:
    """A network for a larger machine is no issue: `check` says so, and does not try it."""
    text = desk.write().read_text(encoding="utf-8")
    path = desk.write(text=text.replace("hidden = 8", "hidden = 2_000_000_000"))
    result = desk("check", path)
    assert result.exit_code == 0, result.stderr
    line = next(line for line in result.stdout.splitlines() if line.startswith("Warning: coarse"))
    assert "Warning: coarse needs about 4," in line
    assert " GB of memory in each worker; this machine has " in line
    assert "of training on one core" not in result.stdout


def test_memory_is_known_on_windows_too(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Python does not tell how much memory there is, psutil does."""
    told = SimpleNamespace(virtual_memory=lambda: SimpleNamespace(total=3_000))
    monkeypatch.delattr("os.sysconf", raising=False)
    monkeypatch.setitem(sys.modules, "psutil", told)
    result = desk("check", desk.write())
    assert "Warning: coarse needs about 0.0 GB of memory in each worker" in result.stdout


def test_splits_of_replicates_are_counted(desk: Any) -> None:
    """With resplit `check` says whose splits are redrawn and how many there are; else nothing."""
    text = desk.write().read_text(encoding="utf-8")
    assert "split of its own" not in desk("check", desk.write(text=text)).stdout
    result = desk("check", desk.write(text=text.replace("[data]", "[data]\nresplit = true")))
    assert result.exit_code == 0, result.stderr
    said = "each replicate of finalists and final has a split of its own: 4 of them\n"
    assert said in result.stdout


def test_folds_and_shares_are_said_in_numbers(desk: Any) -> None:
    """`check` of a study whose test set is a share says how many examples a fold has."""
    text = desk.write().read_text(encoding="utf-8")
    for key in ("train = 300\n", "validation = 100\n", "train = 350\n", "validation = 50\n"):
        text = text.replace(key, "")
    text = text.replace("test = 200", "test = 0.2\nfolds = 2")
    result = desk("check", desk.write(text=text))
    assert result.exit_code == 0, result.stderr
    assert (
        "each replicate of finalists and final validates with one of 2 folds of 719 examples and "
        "trains on the other 719\n"
    ) in result.stdout


def test_the_memory_of_the_largest_network_that_is_searched_is_warned_of(desk: Any) -> None:
    """Whatever [network] itself says: some candidate may have it."""
    text = desk.write().read_text(encoding="utf-8")
    space = "[coarse.space]\nhidden = {choice = [[8], [1_000_000, 1_000_000]]}\n"
    result = desk("check", desk.write(text=f"{text}\n{space}"))
    assert result.exit_code == 0, result.stderr
    assert re.search(r"Warning: coarse needs about \d+,\d{3} GB", result.stdout)


@pytest.mark.parametrize("verb", ["check", "create", "run"])
def test_a_caution_is_said_by_every_verb_that_reads_a_study(desk: Any, verb: str) -> None:
    """λ given where its logarithm is meant is said in one line, and the study goes on."""
    text = desk.write().read_text(encoding="utf-8").replace("[-5.0, -1.0]", "[1e-5, 1e-1]")
    arguments = ("--workers", "1") if verb == "run" else ()
    if verb == "run":
        text = text[: text.index("[fine]")]
    path = desk.write(text=text)
    result = desk(verb, path, *arguments)
    assert result.exit_code == 0, result.stderr
    caution = "Warning: coarse.log10_lambda takes logarithms: λ = 1e-05 is written"
    assert [line.startswith(caution) for line in result.output.splitlines()].count(True) == 1


@pytest.mark.parametrize("verb", ["check", "create", "run"])
def test_more_components_than_features_are_refused_at_once(
    desk: Any, refused: Refused, verb: str
) -> None:
    """Of people's own arrays, too, more principal components than features are bad input."""
    rng = np.random.default_rng(3)
    np.savez(desk.directory / "own.npz", X=rng.normal(size=(450, 5)), y=np.arange(450) % 3)
    text = desk.write().read_text(encoding="utf-8").replace('"digits"', '"own.npz"')
    text = text.replace("test = 200", "test = 20").replace(
        "keep = 2\nrep", "components = 6\nkeep = 2\nrep"
    )
    path = desk.write(text=text)
    lines = refused(desk(verb, path))
    assert lines == ["finalists.components: must be at most the 5 features of own.npz, got 6"]


BOUNDS = {
    ("run", "small.toml", "--workers", "100000"): "Invalid value for '--workers': 100000 is not in",
    ("run", "small.toml", "--lease-seconds", "1e308"): "Invalid value for '--lease-seconds'",
    ("worker", "small", "--checkpoint-seconds", "1e7"): "Invalid value for '--checkpoint-seconds'",
    ("check", "small.toml", "--data-dir", "small.toml"): "Invalid value for '--data-dir'",
    ("lr-range", "small.toml", "--to", "1e308"): "Invalid value for '--to'",
}  # fmt: skip


@pytest.mark.parametrize("arguments", BOUNDS, ids=" ".join)
def test_options_beyond_sense_are_refused(
    desk: Any, refused: Refused, arguments: tuple[str, ...]
) -> None:
    """A number of workers, seconds or rates that no machine has is said with its range."""
    desk.write()
    assert refused(desk(*arguments))[0].startswith(BOUNDS[arguments])
    assert desk.listing() == ["small.toml"]


def test_an_empty_variable_is_none(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """LAMSEARCH_STORAGE and LAMSEARCH_DATA that are set to nothing are as if they were not."""
    monkeypatch.setenv("LAMSEARCH_STORAGE", "")
    monkeypatch.setenv("LAMSEARCH_DATA", "")
    result = desk("create", desk.write())
    assert result.exit_code == 0, result.stderr
    assert Path("lamsearch.db").is_file()
