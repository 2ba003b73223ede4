"""Files below a directory in which somebody else lays links, by handles and by paths."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from lamsearch.artifacts import Files
from lamsearch.errors import FilesError
from lamsearch.local_files import (
    by_path,
    list_below,
    read_below,
    remove_below,
    write_below,
    write_whole,
)

if os.open in os.supports_dir_fd:
    from lamsearch.local_files import by_handle

    WAYS = [by_handle, by_path]
else:
    WAYS = [by_path]

SECRET = b"what others must not read"
Use = Callable[[ModuleType, Path, str], object]
USES: list[Use] = [
    lambda way, base, path: way.read_below(base, path),
    lambda way, base, path: way.write_below(base, path, b"mine"),
    lambda way, base, path: way.remove_below(base, path),
]


@pytest.fixture(params=WAYS, ids=[way.__name__.rpartition(".")[2] for way in WAYS])
def way(request: pytest.FixtureRequest) -> ModuleType:
    """How files are found: by handles of directories, or by paths."""
    found = request.param
    assert isinstance(found, ModuleType)
    return found


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A directory of files, in another one than what it must not touch."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_bytes(SECRET)
    (tmp_path / "base").mkdir()
    return tmp_path / "base"


def untouched(base: Path) -> bool:
    """Whether what is outside is as it was."""
    outside = base.parent / "outside"
    return [path.name for path in outside.iterdir()] == ["secret"] and (
        outside / "secret"
    ).read_bytes() == SECRET


def test_what_is_written_is_read(way: ModuleType, base: Path) -> None:
    """A file is written in directories that are made, read, listed and removed; nothing temporary
    stays."""
    way.write_below(base, "a/b/c", b"one")
    way.write_below(base, "a/b/c", b"two")
    way.write_below(base, "a/d", b"")
    assert way.read_below(base, "a/b/c") == b"two"
    assert sorted(way.list_below(base, "a")) == ["b", "d"]
    way.remove_below(base, "a/d")
    way.remove_below(base, "a/b")
    assert way.list_below(base, "a") == []
    for use in (way.read_below, way.list_below, way.remove_below):
        with pytest.raises(FileNotFoundError):
            use(base, "a/b/c")


@pytest.mark.parametrize("use", USES, ids=["read", "write", "remove"])
@pytest.mark.parametrize("target", ["../outside", "outside", "absolute"])
def test_a_link_in_place_of_a_directory_is_not_followed(
    way: ModuleType, use: Use, target: str, base: Path
) -> None:
    """Where a directory on the way is a link, out of the base or within it, nothing is done."""
    outside = base.parent / "outside"
    if target == "outside":
        (base / "outside").mkdir()
        (base / "outside/secret").write_bytes(b"inside")
    (base / "id").symlink_to(outside if target == "absolute" else target)
    with pytest.raises(OSError, match="symbolic links are not followed"):
        use(way, base, "id/secret")
    assert untouched(base)


def test_a_link_in_place_of_a_file_is_not_followed(way: ModuleType, base: Path) -> None:
    """A file that is a link is not read; writing and removing replace the link itself."""
    link = base / "id"
    link.symlink_to("../outside/secret")
    with pytest.raises(OSError, match="symbolic links are not followed"):
        way.read_below(base, "id")
    way.write_below(base, "id", b"mine")
    assert (link.read_bytes(), link.is_symlink()) == (b"mine", False)
    link.unlink()
    for target in ("../outside/secret", "../outside", "nowhere"):
        link.symlink_to(target)
        way.remove_below(base, "id")
        assert not link.is_symlink()
    assert untouched(base)


def test_links_within_what_is_removed_are_not_followed(way: ModuleType, base: Path) -> None:
    """A directory is removed with the links in it, and not with what they lead to."""
    way.write_below(base, "id/models/one", b"")
    (base / "id/models/two").symlink_to("../../../outside", target_is_directory=True)
    way.remove_below(base, "id")
    assert way.list_below(base, ".") == []
    assert untouched(base)


@pytest.mark.parametrize("use", USES, ids=["read", "write", "remove"])
@pytest.mark.parametrize("path", ["../outside/secret", "id/../../outside/secret", "ABSOLUTE", ".."])
def test_no_path_leads_outside(way: ModuleType, use: Use, path: str, base: Path) -> None:
    """A path that would climb out, or is absolute, is refused."""
    (base / "id").mkdir()
    with pytest.raises(OSError, match="not below the directory of files"):
        use(way, base, path.replace("ABSOLUTE", str(base.parent / "outside/secret")))
    assert untouched(base)


def test_the_base_itself_may_be_a_link(way: ModuleType, base: Path) -> None:
    """Where whoever runs lamsearch made the directory a link, that is followed."""
    (base.parent / "link").symlink_to("base")
    way.write_below(base.parent / "link", "id/x", b"mine")
    assert way.read_below(base, "id/x") == b"mine"


@pytest.mark.posix
def test_a_named_pipe_keeps_nobody_waiting(way: ModuleType, base: Path) -> None:
    """A pipe in place of a file is refused at once, and so is a directory."""
    os.mkfifo(base / "pipe")
    (base / "directory").mkdir()
    for name in ("pipe", "directory"):
        with pytest.raises(OSError, match=r"regular file|Is a directory"):
            way.read_below(base, name)


def test_a_link_is_found_and_not_entered(way: ModuleType, base: Path) -> None:
    """What lies below a directory is found by its path, a link as one; empty directories are
    removed up to what holds something."""
    way.write_below(base, "id/a/b", b"")
    (base / "id/empty/er").mkdir(parents=True)
    (base / "id/link").symlink_to("../../outside", target_is_directory=True)
    assert sorted(way.find_below(base, "id")) == ["a/b", "link"]
    assert way.find_below(base, "id/link") == [""]
    way.remove_empty_below(base, "id")
    assert sorted(way.list_below(base, "id")) == ["a", "link"]
    assert untouched(base)


@pytest.mark.parametrize(
    "path",
    ["id\\..\\..\\outside\\secret", "C:secret", "id/x:stream", "id/.. ", "id/...", "id/a.", "NUL",
     "id/com1.npz", ""],
)  # fmt: skip
@pytest.mark.parametrize("use", USES, ids=["read", "write", "remove"])
def test_no_name_means_another_place_on_windows(use: Use, path: str, base: Path) -> None:
    """By paths, what Windows takes for another directory, a drive, a stream of a file, a device or
    a name without its end is refused on every system."""
    (base / "id").mkdir()
    with pytest.raises(OSError, match="not below the directory of files"):
        use(by_path, base, path)
    assert sorted(one.name for one in base.rglob("*")) == ["id"]


def test_what_somebody_reads_is_replaced_once_it_is_closed(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By paths, a file that may not be replaced just now is tried again for a while, not for
    ever, and nothing temporary stays."""
    write_below(base, "a", b"one")
    replace, refusals = Path.replace, [PermissionError(), PermissionError()]

    def refused(path: Path, target: Path) -> Path:
        if refusals:
            raise refusals.pop()
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", refused)
    by_path.write_below(base, "a", b"two")
    assert read_below(base, "a") == b"two"
    monkeypatch.setattr(by_path, "_RELEASE_SECONDS", 0.05)
    refusals += [PermissionError() for _ in range(1000)]
    with pytest.raises(PermissionError):
        by_path.write_below(base, "a", b"three")
    assert (read_below(base, "a"), list_below(base, ".")) == (b"two", ["a"])


@pytest.mark.skipif(len(WAYS) == 1, reason="needs handles of directories")
def test_a_link_that_is_laid_meanwhile_is_not_followed(base: Path) -> None:
    """While somebody changes a directory into a link and back, what is outside is never read,
    written or removed."""
    (base / "real").mkdir()
    (base / "real/secret").write_bytes(b"inside")
    (base / "link").symlink_to("../outside")
    ended = threading.Event()

    def change() -> None:
        while not ended.is_set():
            for one in ("link", "real"):
                try:
                    (base / one).rename(base / "id")
                except OSError:  # what was written meanwhile made a directory of that name
                    shutil.rmtree(base / "id", ignore_errors=True)  # it may be written to just now
                else:
                    (base / "id").rename(base / one)

    changing = threading.Thread(target=change)
    changing.start()
    found = set[bytes]()
    try:
        for number in range(4000):
            try:
                found.add(read_below(base, "id/secret"))
                write_below(base, f"id/{number % 7}", b"mine")
                remove_below(base, f"id/{number % 7}")
            except OSError:
                pass  # it was not there, or a link
    finally:
        ended.set()
        changing.join()
    assert found <= {b"inside"}
    assert untouched(base)


def test_write_whole_makes_its_directory(tmp_path: Path) -> None:
    """A file is written where its directory was not there before, with the modes of any file."""
    write_whole(tmp_path / "a/b", b"mine")
    (tmp_path / "plain").write_bytes(b"")
    assert (tmp_path / "a/b").read_bytes() == b"mine"
    assert (tmp_path / "a/b").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("name", ["", "checkpoints", "checkpoints/coarse-2", "models"])
def test_no_file_of_a_study_is_behind_a_link(name: str, base: Path) -> None:
    """Checkpoints, models and what people attached are neither read nor written behind a link;
    removing a study's files removes the link."""
    files = Files(str(base), "study-id")
    outside = base.parent / "outside"
    link = base / "study-id" / name
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(outside)
    uses: dict[str, list[Callable[[], object]]] = {
        "checkpoints": [
            lambda: files.save_checkpoint("coarse", 2, 30, {"x": np.zeros(1)}),
            lambda: next(files.checkpoints("coarse", 2), None),
        ],
        "models": [lambda: files.read_model(0)],
        "": [lambda: files.read_artifact("secret"), lambda: files.save_artifact("x", b"")],
    }
    for use in uses[name.partition("/")[0]]:
        with pytest.raises(FilesError, match="symbolic links are not followed"):
            use()
    files.drop_checkpoints("coarse", 2)
    files.drop_all_checkpoints()
    files.remove_all()
    assert not (base / "study-id").exists()
    assert not (base / "study-id").is_symlink()
    assert untouched(base)
