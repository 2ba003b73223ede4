"""Files below a directory in which somebody else lays links."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lamsearch.artifacts import Files
from lamsearch.errors import FilesError
from lamsearch.local_files import list_below, read_below, remove_below, write_below, write_whole

SECRET = b"what others must not read"
Use = Callable[[Path, str], object]
USES: list[Use] = [
    read_below,
    lambda base, path: write_below(base, path, b"mine"),
    remove_below,
]


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


def test_what_is_written_is_read(base: Path) -> None:
    """A file is written in directories that are made, read, listed and removed; nothing temporary
    stays."""
    write_below(base, "a/b/c", b"one")
    write_below(base, "a/b/c", b"two")
    write_below(base, "a/d", b"")
    assert read_below(base, "a/b/c") == b"two"
    assert sorted(list_below(base, "a")) == ["b", "d"]
    remove_below(base, "a/d")
    remove_below(base, "a/b")
    assert list_below(base, "a") == []
    for use in (read_below, list_below, remove_below):
        with pytest.raises(FileNotFoundError):
            use(base, "a/b/c")


@pytest.mark.parametrize("use", USES, ids=["read", "write", "remove"])
@pytest.mark.parametrize("target", ["../outside", "outside", "absolute"])
def test_a_link_in_place_of_a_directory_is_not_followed(use: Use, target: str, base: Path) -> None:
    """Where a directory on the way is a link, out of the base or within it, nothing is done."""
    outside = base.parent / "outside"
    if target == "outside":
        (base / "outside").mkdir()
        (base / "outside/secret").write_bytes(b"inside")
    (base / "id").symlink_to(outside if target == "absolute" else target)
    with pytest.raises(OSError, match="symbolic links are not followed"):
        use(base, "id/secret")
    assert untouched(base)


def test_a_link_in_place_of_a_file_is_not_followed(base: Path) -> None:
    """A file that is a link is not read; writing and removing replace the link itself."""
    link = base / "id"
    link.symlink_to("../outside/secret")
    with pytest.raises(OSError, match="symbolic links are not followed"):
        read_below(base, "id")
    write_below(base, "id", b"mine")
    assert (link.read_bytes(), link.is_symlink()) == (b"mine", False)
    link.unlink()
    for target in ("../outside/secret", "../outside", "nowhere"):
        link.symlink_to(target)
        remove_below(base, "id")
        assert not link.is_symlink()
    assert untouched(base)


def test_links_within_what_is_removed_are_not_followed(base: Path) -> None:
    """A directory is removed with the links in it, and not with what they lead to."""
    write_below(base, "id/models/one", b"")
    (base / "id/models/two").symlink_to("../../../outside", target_is_directory=True)
    remove_below(base, "id")
    assert list_below(base, ".") == []
    assert untouched(base)


@pytest.mark.parametrize("use", USES, ids=["read", "write", "remove"])
@pytest.mark.parametrize("path", ["../outside/secret", "id/../../outside/secret", "ABSOLUTE", ".."])
def test_no_path_leads_outside(use: Use, path: str, base: Path) -> None:
    """A path that would climb out, or is absolute, is refused."""
    (base / "id").mkdir()
    with pytest.raises(OSError, match="not below the directory of files"):
        use(base, path.replace("ABSOLUTE", str(base.parent / "outside/secret")))
    assert untouched(base)


def test_the_base_itself_may_be_a_link(base: Path) -> None:
    """Where whoever runs lamsearch made the directory a link, that is followed."""
    (base.parent / "link").symlink_to("base")
    write_below(base.parent / "link", "id/x", b"mine")
    assert read_below(base, "id/x") == b"mine"


def test_a_named_pipe_keeps_nobody_waiting(base: Path) -> None:
    """A pipe in place of a file is refused at once, and so is a directory."""
    os.mkfifo(base / "pipe")
    (base / "directory").mkdir()
    for name in ("pipe", "directory"):
        with pytest.raises(OSError, match=r"regular file|Is a directory"):
            read_below(base, name)


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
