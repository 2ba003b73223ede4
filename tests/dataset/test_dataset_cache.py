"""The cache of normalised splits, and of facts about files."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lamsearch.dataset import load, training
from lamsearch.dataset.cache import Cache
from lamsearch.errors import DataError
from lamsearch.study import Study, parse_study

ARRAYS = {"a": np.arange(12.0).reshape(3, 4), "b": np.array([1, 2])}


def made(counter: list[int], arrays: dict[str, Any] = ARRAYS) -> Callable[[], dict[str, Any]]:
    """Return a maker that counts how often it was asked."""

    def make() -> dict[str, Any]:
        counter.append(1)
        return arrays

    return make


def test_arrays_are_made_once_and_mapped(tmp_path: Path) -> None:
    """The second reader gets the same values from files, read-only, without making them."""
    counter: list[int] = []
    for _ in range(2):
        found = Cache(tmp_path).arrays(["key"], made(counter))
    assert counter == [1]
    assert all(np.array_equal(found[name], ARRAYS[name]) for name in ARRAYS)
    assert isinstance(found["a"].base, np.memmap)
    assert not found["a"].flags.writeable


def test_another_key_is_another_entry(tmp_path: Path) -> None:
    """Arrays of different keys do not meet."""
    cache, counter = Cache(tmp_path), list[int]()
    cache.arrays(["key", 1], made(counter))
    cache.arrays(["key", 2], made(counter))
    assert counter == [1, 1]


def test_a_crash_while_making_leaves_nothing(tmp_path: Path) -> None:
    """What fails half-way is not found by the next reader, who makes it anew."""

    def fail() -> dict[str, Any]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Cache(tmp_path).arrays(["key"], fail)
    counter: list[int] = []
    Cache(tmp_path).arrays(["key"], made(counter))
    assert counter == [1]


def test_an_unwritable_folder_costs_only_the_sharing(tmp_path: Path) -> None:
    """Where nothing can be written the arrays are the process's own."""
    (tmp_path / "file").write_text("in the way")
    counter: list[int] = []
    found = Cache(tmp_path / "file").arrays(["key"], made(counter))
    assert counter == [1]
    assert np.array_equal(found["a"], ARRAYS["a"])


def test_two_processes_make_it_once(tmp_path: Path) -> None:
    """Processes that ask at the same time get one entry, made by one of them."""
    code = (
        "import sys, pathlib, numpy\n"
        "from lamsearch.dataset.cache import Cache\n"
        "def make():\n"
        "    with open(sys.argv[2], 'a') as log: log.write('made\\n')\n"
        "    return {'a': numpy.arange(100_000)}\n"
        "print(Cache(pathlib.Path(sys.argv[1])).arrays(['key'], make)['a'].sum())\n"
    )
    log = tmp_path / "log"
    command = [sys.executable, "-c", code, str(tmp_path / "cache"), str(log)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    sums = {process.communicate()[0].strip() for process in started}
    assert sums == {str(sum(range(100_000)))}
    assert log.read_text() == "made\n"


@pytest.fixture
def arrays_file(tmp_path: Path) -> Path:
    """An npz file of 200 images."""
    rng = np.random.default_rng(0)
    path = tmp_path / "own.npz"
    np.savez(path, X=rng.integers(0, 255, (200, 12), np.uint8), y=np.arange(200) % 3)
    return path


def study_of(path: Path, **data: Any) -> Study:
    """A study on an npz file."""
    return parse_study({
        "name": "own", "seed": 1,
        "data": {"source": str(path), "train": 100, "validation": 50} | data,
        "training": {"step_size": 2, "batch_size": 10},
        "coarse": {"trials": 1, "log10_lambda": [-3.0, -2.0]},
        "final": {"train": 120, "validation": 30},
    })  # fmt: skip


def test_cached_splits_equal_uncached(
    arrays_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Splits from the cache hold the same bits as those made in memory, for every stage."""
    monkeypatch.setattr(training, "_WORTH_SHARING", 0)
    study = study_of(arrays_file)
    plain = load(study, tmp_path)
    for _ in range(2):
        cached = load(study, tmp_path, cache=tmp_path / "cache")
        assert cached.fingerprint == plain.fingerprint
        for stage in study.stages:
            one, other = cached.split(stage), plain.split(stage)
            for name in ("train_x", "train_y", "validation_x", "validation_y", "mean", "std"):
                assert getattr(one, name).tobytes() == getattr(other, name).tobytes()


def test_unchanged_files_are_not_read_again(
    arrays_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With facts and splits in the cache, a second worker never reads the source."""
    monkeypatch.setattr(training, "_WORTH_SHARING", 0)
    study = study_of(arrays_file)
    load(study, tmp_path, cache=tmp_path / "cache").split("coarse")
    monkeypatch.setattr(training, "read", lambda *_: pytest.fail("read again"))
    load(study, tmp_path, cache=tmp_path / "cache").split("coarse")


def test_changed_files_are_noticed(arrays_file: Path, tmp_path: Path) -> None:
    """Other data in the same file give another fingerprint, whatever was remembered."""
    study = study_of(arrays_file)
    before = load(study, tmp_path, cache=tmp_path / "cache").fingerprint
    with np.load(arrays_file) as archive:
        arrays = dict(archive)
    arrays["X"][0, 0] ^= 1
    np.savez(arrays_file, **arrays)
    os.utime(arrays_file, ns=(1, 1))
    assert load(study, tmp_path, cache=tmp_path / "cache").fingerprint != before


STAGES = {
    "coarse": {"trials": 1, "log10_lambda": [-3.0, -2.0], "components": 3},
    "fine": {"trials": 1, "components": 5},
    "finalists": {"keep": 1},
    "final": {"train": 120, "validation": 30},
}


@pytest.mark.parametrize("shared", [False, True])
def test_each_stage_gets_its_own_features_in_any_order(
    arrays_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    """Stages that differ in components alone get splits of their own, whichever came before."""
    monkeypatch.setattr(training, "_WORTH_SHARING", 0)
    study = parse_study(study_of(arrays_file).canonical() | STAGES)
    data = load(study, tmp_path, cache=tmp_path / "cache" if shared else None)
    widths = {"coarse": 3, "fine": 5, "finalists": 12, "final": 12}
    for stage in (*study.stages, *reversed(study.stages)):
        assert data.split(stage).train_x.shape[1] == widths[stage]
        fresh = load(study, tmp_path).split(stage)
        assert data.split(stage).train_x.tobytes() == fresh.train_x.tobytes()


def test_stages_with_the_same_split_share_one(arrays_file: Path, tmp_path: Path) -> None:
    """Asked again for what it made last, a data set makes nothing anew and holds nothing twice."""
    study = parse_study(study_of(arrays_file).canonical() | {"fine": {"trials": 1}})
    data = load(study, tmp_path)
    assert data.split("coarse") is data.split("fine")
    assert data.split("final") is not data.split("coarse")


def test_a_projection_of_another_kernel_is_another_entry(
    arrays_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cache that machines share serves none with components that another's BLAS has fitted."""
    monkeypatch.setattr(training, "_WORTH_SHARING", 0)
    study = study_of(arrays_file, components=4)
    for kernel, entries in (("one", 1), ("other", 2), ("one", 2)):
        monkeypatch.setattr(training, "fitted_by", lambda kernel=kernel: [kernel])
        load(study, tmp_path, cache=tmp_path / "cache").split("coarse")
        assert len(list((tmp_path / "cache" / "splits").glob("*.lock"))) == entries


def test_missing_files_are_an_error_even_with_a_cache(arrays_file: Path, tmp_path: Path) -> None:
    """A worker whose data are gone is refused, although the cache could serve it."""
    study = study_of(arrays_file)
    load(study, tmp_path, cache=tmp_path / "cache")
    arrays_file.unlink()
    with pytest.raises(DataError, match=r"own\.npz"):
        load(study, tmp_path, cache=tmp_path / "cache")
