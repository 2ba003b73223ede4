"""Which locations are allowed, and which are within another."""

from __future__ import annotations

from pathlib import Path

import pytest

from lamsearch.artifacts import Files, locate
from lamsearch.errors import FilesError, InputError
from lamsearch.locations import is_within

ID = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    "url",
    [
        "reference::http://127.0.0.1:9/x.json",
        "reference://x",
        "simplecache::s3://bucket/x",
        "zip::file:///x.zip",
        "file::/etc",
        "http://127.0.0.1:9/x",
        "data:,x",
        "github://a:b@/x",
        "FTP://host/x",
        "nosuch://x",
        "://x",
    ],
)
def test_protocols_that_nobody_allowed_are_refused(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chains and unknown protocols are refused before fsspec hears of them."""
    monkeypatch.setattr("fsspec.core.url_to_fs", None)
    with pytest.raises(InputError, match=r"without '::', of file, s3, s3a or a protocol in LAMS"):
        Files(url, ID)


def test_memory_is_refused() -> None:
    """memory:// is refused, for the models would be lost with the process."""
    with pytest.raises(InputError, match="must outlive the process, which memory:// does not"):
        Files("memory://x", ID)


def test_an_operator_allows_protocols(monkeypatch: pytest.MonkeyPatch) -> None:
    """What LAMSEARCH_FILES_PROTOCOLS names is allowed, but never a chain."""
    monkeypatch.setenv("LAMSEARCH_FILES_PROTOCOLS", "ftp, memory")
    assert not Files("memory://nothing-yet", ID).exist
    for url in ("simplecache::memory://x", "memory::x", "http://127.0.0.1:9/x"):
        with pytest.raises(InputError, match="without '::'"):
            Files(url, ID)


@pytest.mark.parametrize(
    ("url", "root", "within"),
    [
        ("/a/b", "/a", True),
        ("/a", "/a/", True),
        ("file:///a/b", "/a", True),
        ("/a/b", "file:///a", True),
        ("/ab", "/a", False),
        ("/a", "/a/b", False),
        ("/a/../b", "/a", False),
        ("/a/\0", "/a", False),
        ("s3://b/x", "s3://b", True),
        ("s3://b/x", "s3://b/x/", True),
        ("s3://b/xy", "s3://b/x", False),
        ("s3://b2/x", "s3://b", False),
        ("s3://b/x/../y", "s3://b/x", False),
        ("s3://b/x", "s3://", False),
        ("s3://k:s@b/x", "s3://b", False),
        ("s3a://b/x", "s3://b", False),
        ("s3://b/x?versionId=1", "s3://b", False),
        ("s3://b/x", "/", False),
        ("/b/x", "s3://b", False),
        ("simplecache::s3://b/x", "s3://b", False),
        ("s3://b/x::http://c", "s3://b", False),
    ],
)
def test_a_location_is_within_another(url: str, root: str, within: bool) -> None:
    """A location is within another only where its store is the same and its path is below."""
    assert is_within(url, root) is within


def test_a_link_leads_out(tmp_path: Path) -> None:
    """What a link within a directory leads to is not within it."""
    (tmp_path / "given").mkdir()
    (tmp_path / "given/link").symlink_to(tmp_path)
    assert not is_within(str(tmp_path / "given/link"), str(tmp_path / "given"))


@pytest.mark.parametrize(
    "recorded",
    ["ABOVE", "ABOVE/other", "ABOVE/desk/..", "ABOVE/desk/x", "/", "", "~", "\0", "x" * 5000,
     "s3://b/x", "file://ABOVE/other", "x::y", "ABOVE/desk/x/lamsearch-files/.."],
)  # fmt: skip
def test_a_database_names_no_place_but_its_own(recorded: str, tmp_path: Path) -> None:
    """What is recorded elsewhere than beside the database is not taken for the study's place."""
    (tmp_path / "desk").mkdir()
    (tmp_path / "desk/lamsearch.db").touch()
    place = recorded.replace("ABOVE", str(tmp_path))
    assert locate(place, ID, database=tmp_path / "desk/lamsearch.db") is None
    assert locate(place, ID, database=None) is None


def test_only_what_lamsearch_wrote_is_removed(tmp_path: Path) -> None:
    """In a marked directory other files are left; one without the mark is not touched where it
    holds others, and goes where it holds ours alone, as before there were marks."""
    files, root = Files(str(tmp_path), ID), tmp_path / ID
    files.save_artifact("models/final-0.safetensors", b"")
    files.save_artifact("checkpoints/coarse-0/000000000030.npz", b"")
    files.check_ours()
    files.remove_all()
    assert not root.exists()
    files.mark()
    files.save_artifact("models/final-0.safetensors", b"")
    files.save_artifact("checkpoints/coarse-0/thesis.npz", b"mine")
    files.remove_all()
    left = [path for path in root.rglob("*") if path.is_file()]
    assert [path.name for path in left] == ["thesis.npz"]
    files.save_artifact("models/final-0.safetensors", b"")
    for remove in (files.check_ours, files.remove_all):
        with pytest.raises(FilesError, match="/coarse-0/thesis"):
            remove()
    files.drop_checkpoints("coarse", 0)
    files.drop_all_checkpoints()
    assert len([path for path in root.rglob("*") if path.is_file()]) == 2


@pytest.mark.parametrize("stage", ["..", "../x", "a/b", "", "COARSE", "x\n"])
def test_names_from_a_database_are_no_paths(stage: str, tmp_path: Path) -> None:
    """A stage that is none names no file."""
    files = Files(str(tmp_path), ID)
    with pytest.raises(FilesError, match="must be named by a stage and numbers, got"):
        next(files.checkpoints(stage, 0), None)
    with pytest.raises(FilesError, match="must be named by a stage and numbers, got"):
        files.drop_checkpoints(stage, 0)
