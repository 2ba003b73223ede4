"""The documents keep up with the code."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from lamsearch.metrics import METRICS
from lamsearch.study import (
    SOURCES,
    Augment,
    Coarse,
    Data,
    Final,
    Finalists,
    Fine,
    Network,
    Study,
    Training,
    parse_study,
    read_study,
)

ROOT = Path(__file__).parents[2]
TABLES = [SOURCES.get(name).table for name in SOURCES.builtin]
SECTIONS = (Study, Data, *TABLES, Network, Augment, Training, Coarse, Fine, Finalists, Final)


@pytest.mark.parametrize("section", SECTIONS, ids=lambda one: one.__name__)
def test_every_key_is_documented(section: type[BaseModel]) -> None:
    """Each key of a study file stands in docs/study-file.md."""
    text = (ROOT / "docs/study-file.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`\[?(\w+)\]?`", text))
    assert set(section.model_fields) <= named


def test_the_study_file_of_the_cifar10_page_is_the_real_one() -> None:
    """What docs/cifar10.md shows as a study file gives the same study as studies/cifar10.toml."""
    page = (ROOT / "docs/cifar10.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    real = read_study(ROOT / "studies/cifar10.toml")
    assert parse_study(tomllib.loads(shown)).fingerprint == real.fingerprint


def test_no_path_of_a_machine() -> None:
    """No tracked text names an absolute path of somebody's machine or a package index."""
    pattern = re.compile(r"(^|[\s\"'=(])/(home|root|Users|work)/|--index-url|extra-index", re.M)
    for directory in ("lamsearch", "studies", "docs", "tests", "benchmarks"):
        for path in (ROOT / directory).rglob("*"):
            if path.suffix in {".py", ".md", ".toml", ".json", ".jinja"} and path != Path(__file__):
                assert not pattern.search(path.read_text(encoding="utf-8")), path


def test_the_example_of_the_metrics_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """Its code prints macro F1 with its error, and how much that is above guessing."""
    text = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(compile(code, "docs/metrics.md", "exec"), {})  # noqa: S102  # it is this repository's
    first, second = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"78\.\d\d ± \d+\.\d\d %", first)
    assert re.fullmatch(r"\+\d\d\.\d\d points more than what no learning gets", second)


def test_every_metric_is_documented() -> None:
    """Each name stands in the tables of docs/metrics.md, with what no learning gets."""
    text = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    for name in METRICS.builtin:
        assert sum(f"`{name}`" in row for row in rows) >= 2, name
