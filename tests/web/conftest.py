"""Finished studies, made without training, and dashboards that look at them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from web_process import Dashboard
from web_studies import finish_study

from lamsearch.study import Study


@pytest.fixture(scope="session")
def finished_file(
    tmp_path_factory: pytest.TempPathFactory, small_study: Callable[..., Study]
) -> Path:
    """An SQLite storage with a finished study; to be copied."""
    path = tmp_path_factory.mktemp("finished") / "studies.db"
    finish_study(f"sqlite:///{path}", small_study())
    return path


@pytest.fixture(scope="session")
def finished_url(finished_file: Path) -> str:
    """The finished study's storage, for those who do not write."""
    return f"sqlite:///{finished_file}"


@pytest.fixture(scope="session")
def dashboard(finished_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """A dashboard as it is by default: loopback, read-only, no password."""
    with Dashboard(finished_url, tmp_path_factory.mktemp("dashboard")) as running:
        yield running


@pytest.fixture
def own_url(finished_file: Path, tmp_path: Path) -> str:
    """A copy of the finished study's storage."""
    shutil.copy(finished_file, tmp_path / "own.db")
    return f"sqlite:///{tmp_path / 'own.db'}"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Dashboard]]:
    """Start dashboards that are ended at the end."""
    running: list[Dashboard] = []

    def start_one(url: str, *options: object, fresh: bool = False, **environment: str) -> Dashboard:
        running.append(Dashboard(url, tmp_path, *options, fresh=fresh, **environment))
        return running[-1]

    yield start_one
    for one in running:
        one.__exit__(None, None, None)
