"""The command line called in the tests' own process: quick, with standard output apart."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cli_studies import SMALL
from click.testing import CliRunner, Result

from lamsearch.cli import cli, options
from lamsearch.report import rendering, writing
from lamsearch.results import StudyRecord
from lamsearch.storage import Database


class Desk:
    """A directory with an SQLite storage in it, and verbs called there."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.database_file = directory / "lamsearch.db"
        self.url = f"sqlite:///{self.database_file}"

    def __call__(self, *arguments: object, **rest: Any) -> Result:
        """Call a verb as it is written."""
        return CliRunner().invoke(cli, list(map(str, arguments)), prog_name="lamsearch", **rest)

    def well(self, *arguments: object, **rest: Any) -> Result:
        """Call a verb on this desk's storage, which must go well."""
        result = self(*arguments, "--storage", self.url, **rest)
        assert result.exit_code == 0, result.stderr
        return result

    def write(self, name: str = "small", text: str = SMALL) -> Path:
        """Write a study file."""
        path = self.directory / f"{name}.toml"
        path.write_text(text.replace("{name}", name), encoding="utf-8")
        return path

    def do(self, path: Path) -> dict[str, Any]:
        """Create the study of a file, work it to its end, return its result document."""
        self.well("create", path)
        self.well("worker", path.stem)
        document = json.loads(self.well("report", path.stem, "--json").stdout)
        assert isinstance(document, dict)
        return document

    def listing(self) -> list[str]:
        """All that lies in the directory."""
        return sorted(
            path.relative_to(self.directory).as_posix() for path in self.directory.rglob("*")
        )


_DRAWN: dict[bytes, list[rendering.RenderedFigure]] = {}


@pytest.fixture(autouse=True)
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[bytes, list[rendering.RenderedFigure]]:
    """Draw the figures of equal records once: one and the same study is reported again and again,
    by tests that look at other things. Who looks at figures clears this dictionary before."""

    def figures(record: StudyRecord) -> list[rendering.RenderedFigure]:
        shown = replace(record, openings=(), seconds=None, workers=(), environment=None)
        key = pickle.dumps(shown)
        if key not in _DRAWN:
            _DRAWN[key] = rendering.figures(record)
        return _DRAWN[key]

    def drawing(record: StudyRecord) -> SimpleNamespace:
        return SimpleNamespace(finished=lambda: figures(record))

    monkeypatch.setattr(writing, "Drawing", drawing)
    return _DRAWN


@pytest.fixture(scope="session", autouse=True)
def _own_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the user's settings out, the caches in a directory of the tests, and close storages."""
    opened: list[Database] = []

    def opening(*arguments: Any, **rest: Any) -> Database:
        opened.append(Database(*arguments, **rest))
        return opened[-1]

    with pytest.MonkeyPatch.context() as patch:
        for variable in ("STORAGE", "DATA", "FILES"):
            patch.delenv(f"LAMSEARCH_{variable}", raising=False)
        patch.setenv("LAMSEARCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(options, "Database", opening)
        yield
    for one in opened:
        one.close()


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Return an empty desk that is also the working directory."""
    directory = tmp_path / "desk"
    directory.mkdir()
    monkeypatch.chdir(directory)
    return Desk(directory)


@pytest.fixture(scope="session")
def done_desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Return a desk whose study "small" is done; tests read it and leave it so."""
    desk = Desk(tmp_path_factory.mktemp("done"))
    desk.do(desk.write())
    return desk


@pytest.fixture
def refused() -> Callable[..., list[str]]:
    """Assert that a result is a refusal of bad input; return its lines."""

    def check(result: Result) -> list[str]:
        assert result.exit_code == 2, result.output
        assert isinstance(result.exception, SystemExit)
        assert result.stdout == ""
        assert "Traceback" not in result.stderr
        assert result.stderr.count("Error: ") == 1
        return result.stderr.partition("Error: ")[2].splitlines()

    return check
