"""The secrets that a server asks for, as they are read from files and the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from lamsearch.errors import InputError
from lamsearch.web.credentials import PASSWORD_VARIABLE, read_password, read_token


def written(directory: Path, content: bytes) -> Path:
    """A file with this content."""
    path = directory / "secret"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "content",
    [b"12345678", b"12345678\n", b"12345678\r\n\n", b" \t12345678 ", b"\n12345678", b"1234567X"],
)  # fmt: skip
def test_a_password_is_the_file_less_its_line_ends(tmp_path: Path, content: bytes) -> None:
    """Blanks and what stands before it are its own; eight bytes are enough."""
    assert read_password(written(tmp_path, content)) == content.rstrip(b"\r\n")


def test_a_password_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no file is given; any bytes; none where neither is there."""
    monkeypatch.setenv(PASSWORD_VARIABLE, "12345678\udcff")
    assert read_password(None) == b"12345678\xff"
    monkeypatch.delenv(PASSWORD_VARIABLE)
    assert read_password(None) is None


def test_a_file_goes_before_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is given is what counts."""
    monkeypatch.setenv(PASSWORD_VARIABLE, "from the environment")
    assert read_password(written(tmp_path, b"from the file")) == b"from the file"


@pytest.mark.parametrize("content", [b"", b"1234567", b"1234567 \t ", b"1234567\n"])
def test_a_short_password_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    """Fewer than eight bytes, blanks around them apart, are none; where it stood is said."""
    path = written(tmp_path, content)
    rule = "a password must have at least 8 characters"
    with pytest.raises(InputError) as refused:
        read_password(path)
    assert str(refused.value) == f"password file {path}: {rule}"
    monkeypatch.setenv(PASSWORD_VARIABLE, content.decode())
    with pytest.raises(InputError) as refused:
        read_password(None)
    assert str(refused.value) == f"{PASSWORD_VARIABLE}: {rule}"


@pytest.mark.parametrize("content", [b"0123456789abcdef", b"~!0123456789abcd\r\n"])
def test_a_token_is_the_file_less_its_line_end(tmp_path: Path, content: bytes) -> None:
    """Sixteen visible letters of ASCII are enough; none where no file is given."""
    assert read_token(written(tmp_path, content)) == content.rstrip(b"\r\n")
    assert read_token(None) is None


@pytest.mark.parametrize(
    "content",
    [b"", b"0123456789abcde", b"0123456789abcde\n", b"0123456789 abcdef", b"0123456789abcdef\x7f",
     b"0123456789abcdef\xff", b"\n0123456789abcdef", b"0123456789abcdef "],
)  # fmt: skip
def test_what_is_no_token_is_refused(tmp_path: Path, content: bytes) -> None:
    """Short ones, and what does not fit a header; the file is named, its content is not."""
    path = written(tmp_path, content)
    with pytest.raises(InputError) as refused:
        read_token(path)
    rule = "must have at least 16 characters, of ASCII and without blanks"
    assert str(refused.value) == f"token file {path}: a token {rule}"


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """With the reason, in one sentence."""
    path = tmp_path / "nowhere"
    for read, name in ((read_password, "password"), (read_token, "token")):
        with pytest.raises(InputError) as refused:
            read(path)
        assert (
            str(refused.value) == f"{name} file {path}: cannot be read: No such file or directory"
        )
