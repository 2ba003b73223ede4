"""Who makes a run's report: a fork that has loaded what that takes, else the run itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_studies import SMALL
from study_processes import CALM, Place

from benchmarks.victims import until

_RUN = """
import os, sys
from lamsearch.__main__ import main
sys.argv = ["lamsearch", *sys.argv[1:]]
try:
    main()
finally:
    print("drew" if "matplotlib.figure" in sys.modules else "did not draw", file=sys.stderr)
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A place on SQLite."""
    found = Place(tmp_path, f"sqlite:///{tmp_path / 'studies.db'}")
    yield found
    found.close()


@pytest.mark.skipif(sys.platform != "linux", reason="forks are of Linux alone")
def test_a_run_loads_nothing_that_draws(tmp_path: Path) -> None:
    """Its report has all figures, and is what `report` makes of the study, to the byte."""
    (tmp_path / "small.toml").write_text(SMALL.format(name="small"), encoding="utf-8")
    environment = {**os.environ, "LAMSEARCH_STORAGE": f"sqlite:///{tmp_path / 'studies.db'}"}

    def ran(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", _RUN, *words], cwd=tmp_path, env=environment, check=True,
            capture_output=True, text=True,
        )  # fmt: skip

    made = ran("run", "small.toml", "--workers", "1", "--output", "one", "--json")
    again = ran("report", "small", "--output", "two", "--json")
    assert (made.stderr.splitlines()[-1], again.stderr.splitlines()[-1]) == ("did not draw", "drew")
    assert made.stdout == again.stdout
    files = {path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*")}
    assert {Path("figures/learning_curves.svg"), Path("index.html")} < files
    assert files == {path.relative_to(tmp_path / "two") for path in (tmp_path / "two").rglob("*.*")}
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_run_makes_the_report_itself_where_nobody_else_does(place: Place) -> None:
    """Of a fork that was killed nothing is said."""
    run = place.run(workers=2, timing=CALM)
    workers = until(lambda: len(found := place.holders()) == 2 and found)
    (maker,) = set(run.children) - set(workers)
    os.kill(maker, signal.SIGKILL)
    assert run.wait() == 0, run.said
    assert "report: " in run.said
    assert "Error" not in run.said
    assert json.loads((place.output / "results.json").read_text())["state"] == "done"


def test_what_a_fork_could_not_write_is_one_sentence(place: Place) -> None:
    """A directory that others write into since the run began is refused as by `report`."""
    run = place.run(workers=2, timing=CALM)
    until(place.holders)
    place.output.mkdir()
    (place.output / "thesis.tex").touch()
    assert run.wait() == 2, run.said
    assert run.said.count("Error: ") == 1
    assert "thesis.tex" in run.said.splitlines()[-1]
    assert [one.name for one in place.output.iterdir()] == ["thesis.tex"]
