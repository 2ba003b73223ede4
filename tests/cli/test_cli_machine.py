"""What of a machine the command line takes part in: the cohort that suits it, the device."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cli_studies import SMALL

from lamsearch import machine
from lamsearch.storage import Database, load


@pytest.fixture(autouse=True)
def _of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have two cores and 16 GB, whatever there is."""
    monkeypatch.setattr(machine, "cores", lambda _root=None: 2)
    monkeypatch.setattr(machine, "memory", lambda _root=None: 16e9)


def test_check_says_the_number_that_a_plan_then_has(desk: Any) -> None:
    """`check` of "auto" prints a number and its reason, also as JSON; `submit` stores that one."""
    text = SMALL.replace("{name}", "chosen")
    lines = [line for line in text.splitlines() if not line.startswith("cohort")]
    path = desk.write(text="\n".join(['cohort = "auto"', *lines]))
    found = json.loads(desk("check", path, "--json").stdout)
    number = found["cohort"]["models"]
    assert found["cohort"] | {"chosen": True, "suits": number, "workers": 2} == found["cohort"]
    assert f"cohort: {number}, chosen for this machine: " in desk("check", path).stdout
    assert desk("submit", path, "--storage", "sqlite:///a.db").exit_code == 0
    database = Database(f"sqlite:///{desk.directory}/a.db")
    stored = load(database, "chosen")
    database.close()
    assert (stored.study.cohort, stored.study.fingerprint) == (number, found["fingerprint"])


def test_a_device_that_the_trainer_does_not_know_plans_nothing(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`run` refuses one in a sentence before anything is there, by option and by environment."""
    path = desk.write()
    said = "device: trainer 'network' trains on the processor alone: must be cpu or auto"
    for given, named in ((["--device", "cuda"], "cuda"), ([], "cuda:1")):
        monkeypatch.setenv("LAMSEARCH_DEVICE", "cuda:1")
        result = desk("run", path, "--storage", "sqlite:///b.db", *given)
        assert (result.exit_code, result.stderr.strip()) == (2, f"Error: {said}, got '{named}'")
    assert not (desk.directory / "b.db").exists()
