"""How many workers `run` has."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

run = import_module("lamsearch.cli.run")


@pytest.mark.parametrize(
    ("given", "uses_network", "expected"),
    [(None, True, True), (2, True, False), (None, False, False)],
)
def test_a_number_that_was_asked_for_is_not_exceeded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: int | None, uses_network: bool,
    expected: bool,
) -> None:  # fmt: skip
    """The last trainings have workers of their own beside the others where nobody said how many
    there are to be, and where it is known how little memory they take."""
    made: list[dict[str, Any]] = []
    monkeypatch.setattr(run, "LocalPool", lambda *_, **options: made.append(options))
    study = SimpleNamespace(name="small", modelled=False, uses_network=uses_network)
    setup = SimpleNamespace(
        database=None, data_dir=None, options=[], environment={}, forks=None,
        stored=SimpleNamespace(study=study, files=str(tmp_path), id="a" * 32),
    )  # fmt: skip
    run._local_pool(setup, given, SimpleNamespace(say=print, show=print))
    assert [one["fills_up"] for one in made] == [expected]
