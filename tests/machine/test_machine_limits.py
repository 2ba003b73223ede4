"""Cores, memory and nodes as the system tells them, in made-up trees of its directories."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from lamsearch import machine


def written(root: Path, **files: str) -> Path:
    """Write files below a root, `__` for each slash of their paths."""
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("cpu_max", "cpu.max")
        path = path.with_name(path.name.replace("memory_max", "memory.max"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")
    return root


@pytest.fixture
def of_eight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process run on eight cores."""
    monkeypatch.setattr(machine, "allowed_cores", lambda: frozenset(range(8)))


@pytest.mark.usefixtures("of_eight")
@pytest.mark.parametrize(
    ("own", "above", "cores"),
    [("max 100000", "max 100000", 8), ("350000 100000", "max 100000", 3),
     ("max 100000", "200000 100000", 2), ("50000 100000", "max 100000", 1)],
)  # fmt: skip
def test_a_quota_of_the_own_group_or_one_above_leaves_fewer_cores(
    tmp_path: Path, own: str, above: str, cores: int
) -> None:
    """Cores are counted whole, at least one, by the narrowest quota on the way up."""
    written(
        tmp_path, proc__self__cgroup="0::/batch/job\n", sys__fs__cgroup__batch__job__cpu_max=own,
        sys__fs__cgroup__batch__cpu_max=above,
    )  # fmt: skip
    assert machine.cores(tmp_path) == cores


@pytest.mark.usefixtures("of_eight")
def test_without_control_groups_all_allowed_cores_count(tmp_path: Path) -> None:
    """A system without control groups has no quota."""
    assert machine.cores(tmp_path) == 8


def test_a_limit_of_memory_is_what_there_is(tmp_path: Path) -> None:
    """The narrowest limit counts; a group outside what the process sees is that of the root."""
    written(tmp_path, proc__self__cgroup="0::/../other\n", sys__fs__cgroup__memory_max="1000000\n")
    assert machine.memory(tmp_path) == 1_000_000
    assert machine.memory(tmp_path / "none") > 1_000_000


def test_a_process_has_memory_of_its_own(tmp_path: Path) -> None:
    """What it shares with no other, in bytes; infinite where the system does not tell."""
    written(tmp_path, proc__17__status="Name:\tpython\nVmRSS:\t 900 kB\nRssAnon:\t     40 kB\n")
    assert machine.memory_of(17, tmp_path) == 40_960
    assert machine.memory_of(18, tmp_path) == math.inf


def test_nodes_have_the_allowed_cores_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    """Each node has its cores that are allowed; one that has none of them is left out."""
    lists = {0: "0-3,16-19", 1: "4-7", 2: "8-11\n", 10: "12-15"}
    written(
        tmp_path, **{f"sys__devices__system__node__node{k}__cpulist": v for k, v in lists.items()}
    )
    found = machine.nodes({1, 2, 17, 9, 14, 15}, tmp_path)
    assert found == (frozenset({1, 2, 17}), frozenset({9}), frozenset({14, 15}))
    assert machine.nodes({0}, tmp_path / "none") == ()
