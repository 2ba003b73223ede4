"""Fetching CIFAR-10 over a real connection that drops, lies and attacks."""

import hashlib
import io
import tarfile
from pathlib import Path

import pytest
from published_files import NAMES, Manners, Published

from lamsearch.data import fetch
from lamsearch.data.download import Archive, fetch_cifar10
from lamsearch.errors import DataError, FilesError, InputError

TOP = "cifar-10-batches-py"
FILES = ["batches.meta", *NAMES]


def packed(members: list[tarfile.TarInfo]) -> bytes:
    """Return a tar.gz in which every plain file holds its own name over and over."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=0) as tar:
        for member in members:
            content = (member.name.encode() * 9999)[:9999] if member.isreg() else b""
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def entries(names: list[str]) -> list[tarfile.TarInfo]:
    """Return plain members."""
    return [tarfile.TarInfo(f"{TOP}/{name}") for name in names]


def link(name: str, kind: bytes, target: str) -> tarfile.TarInfo:
    """Return a link, a device or a directory among the members."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


GOOD = packed([link(TOP, tarfile.DIRTYPE, ""), *entries([*FILES, "readme.html"])])


def archive(server: Manners, content: bytes = GOOD) -> Archive:
    """Let the server serve ``content`` and return what a client expects of it."""
    server.content = content
    digest = hashlib.sha256(content).hexdigest()
    return Archive(url=server.url, size=len(content), sha256=digest, pause=0)


def test_fetches_the_expected_files_only(server: Manners, tmp_path: Path) -> None:
    """The seven data files arrive, and nothing else is left in the directory."""
    seen: list[tuple[int, int]] = []
    place = fetch_cifar10(tmp_path / "new", archive(server), lambda *step: seen.append(step))
    assert place == tmp_path / "new" / TOP
    assert sorted(file.name for file in place.iterdir()) == sorted(FILES)
    assert (place / "test_batch").read_bytes().startswith(b"cifar-10-batches-py/test_batch")
    assert [file.name for file in place.parent.iterdir()] == [TOP]
    assert seen[-1] == (len(GOOD), len(GOOD))


def test_resumes_where_the_connection_dropped(server: Manners, tmp_path: Path) -> None:
    """After each drop only what is missing is asked for."""
    server.drops = [10_000, 20_000]
    fetch_cifar10(tmp_path, archive(server))
    assert server.ranges == [None, "bytes=10000-", "bytes=30000-"]


def test_resumes_in_another_process(server: Manners, tmp_path: Path) -> None:
    """What an interrupted fetch left is the beginning of the next."""
    (tmp_path / "cifar-10-python.tar.gz.part").write_bytes(GOOD[:12_345])
    fetch_cifar10(tmp_path, archive(server))
    assert server.ranges == ["bytes=12345-"]


def test_complete_part_needs_no_server(server: Manners, tmp_path: Path) -> None:
    """A download that was complete but not unpacked is unpacked without a question."""
    (tmp_path / "cifar-10-python.tar.gz.part").write_bytes(GOOD)
    fetch_cifar10(tmp_path, archive(server))
    assert server.ranges == []


def test_server_without_ranges_starts_over(server: Manners, tmp_path: Path) -> None:
    """A server that ignores Range sends everything, and everything is taken once."""
    server.ignores_range, server.drops = True, [10_000]
    fetch_cifar10(tmp_path, archive(server))
    assert server.ranges == [None, "bytes=10000-"]


def test_gives_up_after_drops_without_progress(server: Manners, tmp_path: Path) -> None:
    """A connection that brings nothing new is given up; what came is kept."""
    server.drops = [5000, 0, 0, 0, 0, 0, 0]
    with pytest.raises(DataError, match=r"could not be fetched; 5000 of \d+ bytes are kept"):
        fetch_cifar10(tmp_path, archive(server))
    assert (tmp_path / "cifar-10-python.tar.gz.part").stat().st_size == 5000
    assert server.drops


@pytest.mark.parametrize(("status", "rule"), [(404, "refused"), (503, "could not be fetched")])
def test_refusal_is_one_sentence(server: Manners, tmp_path: Path, status: int, rule: str) -> None:
    """An HTTP error is said in one sentence with the address."""
    server.status = status
    with pytest.raises(DataError, match=rf"{rule}.*{status}") as caught:
        fetch_cifar10(tmp_path, archive(server))
    assert str(caught.value).startswith(f"{server.url}: ")


def test_unreachable_server_is_one_sentence(tmp_path: Path) -> None:
    """Where nobody listens, the sentence says so."""
    nobody = Archive(url="http://127.0.0.1:1/a", size=5, sha256="", pause=0)
    with pytest.raises(DataError, match=r"could not be fetched; 0 of 5 .* refused"):
        fetch_cifar10(tmp_path, nobody)


@pytest.mark.parametrize("content", [GOOD[:-1] + b"!", GOOD[:-9], GOOD + b"more"])
def test_wrong_checksum_is_refused_and_removed(
    server: Manners, tmp_path: Path, content: bytes
) -> None:
    """A changed, shorter or longer archive is refused by its checksum, and nothing stays."""
    expected = archive(server)
    server.content = content
    with pytest.raises(DataError, match=r"must have the published SHA-256"):
        fetch_cifar10(tmp_path, expected)
    assert list(tmp_path.iterdir()) == []


def test_published_checksum_guards_a_mirror(server: Manners, tmp_path: Path) -> None:
    """A mirror given by URL must still hold the published archive."""
    server.content = GOOD
    with pytest.raises(DataError, match=r"6d958be074577803d12ecdefd02955f3"):
        fetch("cifar10", tmp_path, url=server.url)


ATTACKS = {
    "parent": tarfile.TarInfo(f"{TOP}/../../escaped"),
    "other top": tarfile.TarInfo("elsewhere/data_batch_1"),
    "absolute": tarfile.TarInfo("/tmp/escaped"),  # noqa: S108  # what an attacker would write
    "unexpected": tarfile.TarInfo(f"{TOP}/extra.pth"),
    "symlink": link(f"{TOP}/data_batch_1", tarfile.SYMTYPE, "../../secret"),
    "hard link": link(f"{TOP}/data_batch_1", tarfile.LNKTYPE, f"{TOP}/batches.meta"),
    "linked directory": link(TOP, tarfile.SYMTYPE, ".."),
    "device": link(f"{TOP}/data_batch_1", tarfile.CHRTYPE, ""),
    "directory for a file": link(f"{TOP}/data_batch_1", tarfile.DIRTYPE, ""),
}


@pytest.mark.parametrize("kind", ATTACKS)
def test_archive_with_other_members_is_refused(server: Manners, tmp_path: Path, kind: str) -> None:
    """Traversal, links, devices and strangers refuse the whole archive; nothing is unpacked."""
    directory = tmp_path / "data"
    content = packed([ATTACKS[kind], *entries([name for name in FILES if name != "data_batch_1"])])
    with pytest.raises(DataError, match=r"must hold the published files only|plain file"):
        fetch_cifar10(directory, archive(server, content))
    assert [file.name for file in tmp_path.rglob("*") if not file.name.endswith(".part")] == [
        "data"
    ]


def test_oversized_member_is_refused(
    server: Manners, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A member larger than any published file is not written."""
    monkeypatch.setattr("lamsearch.data.cifar10_files.MOST_BYTES", 9998)
    with pytest.raises(DataError, match=r"plain file of a published size"):
        fetch_cifar10(tmp_path, archive(server))


@pytest.mark.parametrize("content", [packed(entries(FILES[:-1])), GOOD[:30_000], b"no archive"])
def test_incomplete_archive_leaves_nothing(server: Manners, tmp_path: Path, content: bytes) -> None:
    """An archive that lacks a file or its end is refused, and no directory appears."""
    with pytest.raises(DataError, match=r"must hold|must be a whole tar\.gz"):
        fetch_cifar10(tmp_path, archive(server, content))
    assert not (tmp_path / TOP).exists()


def test_twice_is_safe_and_asks_nobody(
    server: Manners, published: Published, tmp_path: Path
) -> None:
    """Data that are there are read, not fetched again."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as tar:
        tar.add(published.directory / TOP, arcname=TOP)
    expected = archive(server, buffer.getvalue())
    first = fetch_cifar10(tmp_path, expected)
    assert len(server.ranges) == 1
    assert fetch_cifar10(tmp_path, expected) == fetch("cifar10", tmp_path) == first
    assert len(server.ranges) == 1


def test_damaged_files_are_refused_and_kept(server: Manners, tmp_path: Path) -> None:
    """A damaged directory is named and left to its owner."""
    place = fetch_cifar10(tmp_path, archive(server))  # made-up members: no pickles
    with pytest.raises(DataError, match=r"batches\.meta: must"):
        fetch_cifar10(tmp_path, archive(server))
    assert place.exists()


def test_directory_that_is_a_file_is_one_sentence(server: Manners, tmp_path: Path) -> None:
    """Where the directory cannot be made, the sentence says so."""
    (tmp_path / "file").write_text("")
    with pytest.raises(FilesError, match=r"cannot be written"):
        fetch_cifar10(tmp_path / "file" / "below", archive(server))


def test_names_and_addresses_are_checked(tmp_path: Path) -> None:
    """The digits need no fetching, unknown names and other schemes are refused."""
    with pytest.raises(InputError, match=r"nothing to fetch"):
        fetch("digits", tmp_path)
    with pytest.raises(InputError, match=r"one of digits, cifar10, cifar100, svhn, got 'mnist'"):
        fetch("mnist", tmp_path)
    with pytest.raises(InputError, match=r"must start with https://"):
        fetch("cifar10", tmp_path, url="file:///etc/passwd")
