"""The cache of normalised splits, and of facts about files."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lamsearch import file_locks
from lamsearch.data import load, training
from lamsearch.data.cache import Cache
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


def test_an_unwritable_directory_costs_only_the_sharing(tmp_path: Path) -> None:
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
        "from lamsearch.data.cache import Cache\n"
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


def test_who_asks_while_another_makes_it_waits_and_makes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one makes an entry, or makes a damaged one anew, another waits, and then reads it."""
    monkeypatch.setattr(file_locks, "_QUIET_SECONDS", 0.0)
    for damaged in (False, True):
        if damaged:
            (entry_of(tmp_path) / "a.npy").write_bytes(b"")
        caplog.clear()
        counter, begun, go = list[int](), threading.Event(), threading.Event()

        def slowly(*, begun: threading.Event = begun, go: threading.Event = go) -> dict[str, Any]:
            begun.set()
            go.wait(60)
            return made(counter)()  # noqa: B023 - it is called in this turn

        one = threading.Thread(target=Cache(tmp_path).arrays, args=(["key"], slowly))
        one.start()
        begun.wait(60)
        other = threading.Thread(target=Cache(tmp_path).arrays, args=(["key"], made(counter)))
        other.start()
        while other.is_alive() and "waiting at most" not in caplog.text:
            time.sleep(0.01)
        assert counter == []
        go.set()
        one.join()
        other.join()
        assert counter == [1]


_STOPPED = (
    "import os, pathlib, signal, sys\n"
    "from lamsearch.data.cache import Cache\n"
    "def make(): os.kill(os.getpid(), signal.SIGSTOP); return {}\n"
    "Cache(pathlib.Path(sys.argv[1])).arrays(['key'], make)\n"
)


@pytest.mark.posix
@pytest.mark.linux
def test_a_stopped_process_with_the_lock_hangs_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that was stopped while it made an entry is waited for so long and no longer; that
    is said with its number, and the arrays are made for this process alone."""
    monkeypatch.setattr("lamsearch.data.cache._LOCK_SECONDS", 0.4)
    holder = subprocess.Popen([sys.executable, "-c", _STOPPED, str(tmp_path)])
    try:
        _, status = os.waitpid(holder.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        counter: list[int] = []
        found = Cache(tmp_path).arrays(["key"], made(counter))
    finally:
        holder.kill()
        holder.wait()
    assert counter == [1]
    assert np.array_equal(found["a"], ARRAYS["a"])
    who = rf"process {holder.pid} \(it is stopped\), which has held the lock since \S+"
    waiting, alone = caplog.messages
    assert re.search(rf": waiting at most 0\.4 s for {who}$", waiting)
    assert re.search(rf": {who} has not let it go within 0\.4 s: a copy of its own", alone)
    Cache(tmp_path).arrays(["key"], made(counter))  # dead, it holds nothing any more
    assert counter == [1, 1]


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


def test_redrawn_splits_are_entries_of_their_own_beside_the_study_s(
    arrays_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With resplit each replicate's split is cached under its number, that of coarse where it is
    without resplit, and finalists and final share one where their sizes are the same."""
    monkeypatch.setattr(training, "_WORTH_SHARING", 0)
    stages = {"finalists": {"keep": 1, "replicates": 2}, "final": {"replicates": 2}}
    plain, own = (
        parse_study(study_of(arrays_file, **keys).canonical() | stages)
        for keys in ({}, {"resplit": True})
    )
    cache, entries = tmp_path / "cache", list[int]()
    load(plain, tmp_path, cache=cache).split("coarse")
    data = load(own, tmp_path, cache=cache)
    for stage, replicate in (("coarse", 0), ("finalists", 0), ("finalists", 1), ("final", 1)):
        found = data.split(stage, replicate)  # type: ignore[arg-type]
        fresh = load(own, tmp_path).split(stage, replicate)  # type: ignore[arg-type]
        assert found.train_x.tobytes() == fresh.train_x.tobytes()
        assert found.validation_y.tobytes() == fresh.validation_y.tobytes()
        entries.append(len(list((cache / "splits").glob("*.lock"))))
    assert entries == [1, 2, 3, 3]


def test_weights_are_cached_with_their_split(
    arrays_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A split with weights is an entry of its own, which is found again with the same ones."""
    monkeypatch.setattr(training, "_WORTH_SHARING", 0)
    cache = tmp_path / "cache"
    load(study_of(arrays_file), tmp_path, cache=cache).split("coarse")
    study = study_of(arrays_file, weight="balanced")
    fresh = load(study, tmp_path).split("coarse").weights
    made = load(study, tmp_path, cache=cache).split("coarse").weights
    monkeypatch.setattr(training, "split", lambda *_, **__: pytest.fail("made again"))
    found = load(study, tmp_path, cache=cache).split("coarse").weights
    assert fresh is not None
    assert made is not None
    assert found is not None
    assert fresh.tobytes() == made.tobytes() == found.tobytes()
    assert len(list((cache / "splits").glob("*.lock"))) == 2


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


def entry_of(cache: Path) -> Path:
    """The one entry of a cache of splits."""
    (entry,) = (path for path in (cache / "splits").iterdir() if path.is_dir())
    return entry


def flipped(path: Path, place: int, bit: int = 0) -> None:
    """Flip one bit of a file in place; its times go on, as they would not when a disk decays."""
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= 1 << bit
    path.write_bytes(content)


def negated(path: Path) -> None:
    """Negate part of an array and leave everything else as it was."""
    array = np.load(path)
    array[:2] *= -1
    np.save(path, array)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "values negated": lambda entry: negated(entry / "a.npy"),
    "a bit of a value": lambda entry: flipped(entry / "a.npy", -20, 3),
    "a bit of a header": lambda entry: flipped(entry / "a.npy", 30),
    "truncated": lambda entry: os.truncate(entry / "a.npy", 140),
    "empty": lambda entry: os.truncate(entry / "b.npy", 0),
    "missing": lambda entry: (entry / "b.npy").unlink(),
    "another array": lambda entry: shutil.copy(entry / "a.npy", entry / "b.npy"),
    "one too many": lambda entry: shutil.copy(entry / "a.npy", entry / "c.npy"),
    "no checksums": lambda entry: (entry / "sha256.json").unlink(),
    "checksums that are no JSON": lambda entry: (entry / "sha256.json").write_text("{"),
    "checksums that are no object": lambda entry: (entry / "sha256.json").write_text("[1]"),
    "checksums of something else": lambda entry: (entry / "sha256.json").write_text('{"a.npy": 1}'),
    "a directory": lambda entry: shutil.copytree(entry, entry / "c.npy"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_entry_is_said_once_and_made_anew(
    damage: Callable[[Path], object], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An entry that is no longer as it was written is named in one warning and replaced by what
    is made anew, which the next reader gets without a word."""
    counter: list[int] = []
    Cache(tmp_path).arrays(["key"], made(counter))
    damage(entry_of(tmp_path))
    for _ in range(2):
        found = Cache(tmp_path).arrays(["key"], made(counter))
        assert {name: array.tolist() for name, array in found.items()} == {
            name: array.tolist() for name, array in ARRAYS.items()
        }
    assert counter == [1, 1]
    (line,) = caplog.messages
    assert str(entry_of(tmp_path)) in line
    assert line.endswith(": it is made anew")


def test_a_damaged_entry_is_made_anew_by_one_of_many(tmp_path: Path) -> None:
    """Of processes that find the same damage at the same time one replaces it."""
    code = (
        "import sys, pathlib, numpy\n"
        "from lamsearch.data.cache import Cache\n"
        "def make():\n"
        "    with open(sys.argv[2], 'a') as log: log.write('made\\n')\n"
        "    return {'a': numpy.arange(100_000)}\n"
        "print(Cache(pathlib.Path(sys.argv[1])).arrays(['key'], make)['a'].sum())\n"
    )
    log, cache = tmp_path / "log", tmp_path / "cache"
    Cache(cache).arrays(["key"], lambda: {"a": np.arange(100_000)})
    negated(entry_of(cache) / "a.npy")
    command = [sys.executable, "-c", code, str(cache), str(log)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    sums = {process.communicate()[0].strip() for process in started}
    assert sums == {str(sum(range(100_000)))}
    assert log.read_text() == "made\n"


def test_a_process_compares_what_has_not_changed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that a process has compared is not read again for the next stage, unless it was
    changed since."""
    cache = Cache(tmp_path)
    cache.arrays(["key"], made([]))
    with monkeypatch.context() as patched:
        none = SimpleNamespace(mmap=lambda *_, **__: pytest.fail("read again"), ACCESS_READ=0)
        patched.setattr("lamsearch.data.cache.mmap", none)
        cache.arrays(["key"], made([]))
    counter: list[int] = []
    negated(entry_of(tmp_path) / "a.npy")
    cache.arrays(["key"], made(counter))
    assert counter == [1]


def rewritten(entry: Path, **arrays: np.ndarray) -> None:
    """Write arrays into an entry, with checksums that are right: what a stranger could do."""
    for name, array in arrays.items():
        np.save(entry / f"{name}.npy", array)
    other = Cache(entry.parents[1] / "other")
    whole = {path.stem: np.load(path) for path in entry.glob("*.npy")}
    other.arrays(["key"], lambda: whole)
    shutil.copy(entry_of(entry.parents[1] / "other") / "sha256.json", entry / "sha256.json")
    shutil.rmtree(entry.parents[1] / "other")


FOREIGN: dict[str, dict[str, np.ndarray]] = {
    "a name": {"foreign": np.zeros(3)},
    "a shape": {"train_x": np.zeros((99, 12), np.float32)},
    "a width": {"validation_x": np.zeros((50, 11), np.float32)},
    "a type": {"train_x": np.zeros((100, 12), np.float64)},
    "a label": {"train_y": np.full(100, 3)},
    "a negative label": {"validation_y": np.full(50, -1)},
    "a scalar": {"train_y": np.array(1)},
    "a projection": {"projection": np.zeros((12, 12), np.float32)},
}


@pytest.mark.parametrize("arrays", FOREIGN.values(), ids=FOREIGN)
def test_a_split_of_another_form_is_made_anew(
    arrays: dict[str, np.ndarray], arrays_file: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """Arrays that are no split of the stage are not used, even where their checksums are right."""
    monkeypatch.setattr(training, "_WORTH_SHARING", 0)
    study = study_of(arrays_file)
    plain = load(study, tmp_path).split("coarse")
    load(study, tmp_path, cache=tmp_path / "cache").split("coarse")
    rewritten(entry_of(tmp_path / "cache"), **arrays)
    found = load(study, tmp_path, cache=tmp_path / "cache").split("coarse")
    assert found.train_x.tobytes() == plain.train_x.tobytes()
    assert found.train_y.tobytes() == plain.train_y.tobytes()
    assert found.validation_x.tobytes() == plain.validation_x.tobytes()
    (line,) = caplog.messages
    assert "does not hold what it should: it is made anew" in line


def test_a_split_of_objects_is_never_unpickled(
    arrays_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry of pickled objects, with checksums that are right, is made anew."""
    monkeypatch.setattr(training, "_WORTH_SHARING", 0)
    study = study_of(arrays_file)
    load(study, tmp_path, cache=tmp_path / "cache").split("coarse")
    entry = entry_of(tmp_path / "cache")
    np.save(entry / "mean.npy", np.array([{}], object), allow_pickle=True)
    digests = json.loads((entry / "sha256.json").read_text())
    digests["mean.npy"] = hashlib.sha256((entry / "mean.npy").read_bytes()).hexdigest()
    (entry / "sha256.json").write_text(json.dumps(digests))
    found = load(study, tmp_path, cache=tmp_path / "cache").split("coarse")
    assert found.mean.dtype == np.float32


FACTS: dict[str, Callable[[bytes], bytes]] = {
    "no JSON": lambda _: b"{",
    "no UTF-8": lambda _: b"\xff",
    "a list": lambda _: b"[]",
    "no facts": lambda _: b'{"sha256": ""}',
    "deep": lambda _: b"[" * 100_000,
    "a bit of a name": lambda content: content.replace(b'"0"', b'"1"', 1),
    "a bit of a number": lambda content: content.replace(b": 12", b": 13", 1),
    "without checksum": lambda content: json.dumps(json.loads(content)["facts"]).encode(),
    "of another form": lambda _: signed({"name": 1}),
    "of other types": lambda content: signed(
        json.loads(content)["facts"] | {"images": "200", "baseline": 3}
    ),
}


def signed(facts: dict[str, Any]) -> bytes:
    """Facts with the checksum that is theirs."""
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return json.dumps({"facts": facts, "sha256": digest}).encode()


@pytest.mark.parametrize("change", FACTS.values(), ids=FACTS)
def test_remembered_facts_that_are_damaged_are_found_out_again(
    change: Callable[[bytes], bytes], arrays_file: Path, tmp_path: Path
) -> None:
    """What is remembered of files and data counts only where it is as it was written."""
    study = study_of(arrays_file)
    plain = load(study, tmp_path, look=True)
    load(study, tmp_path, cache=tmp_path / "cache", look=True)
    kept = sorted((tmp_path / "cache" / "sources").iterdir())
    assert len(kept) == 2
    before = [path.read_bytes() for path in kept]
    for path in kept:
        path.write_bytes(change(path.read_bytes()))
    found = load(study, tmp_path, cache=tmp_path / "cache", look=True)
    assert (found.fingerprint, found.classes, found.images, found.features, found.seen) == (
        plain.fingerprint, plain.classes, plain.images, plain.features, plain.seen
    )  # fmt: skip
    assert [path.read_bytes() for path in kept] == before
