"""Study files as editors, shells and devices hand them over."""

from __future__ import annotations

import codecs
import os
import threading
from pathlib import Path

import pytest
from study_documents import RIGHT

from lamsearch.errors import InputError
from lamsearch.study import parse_study, read_study

TEXT = """name = "right"\r
seed = 7\r
cohort = 3\r
data = {source = "digits", train = 300, validation = 100, test = 200}\r
network = {hidden = 8}\r
training = {batch_size = 20, eta_max = 0.1, step_size = 15, cycles = 2}\r
coarse = {trials = 5, log10_lambda = [-5.0, -1.0], cycles = 1}\r
fine = {trials = 4, keep = 2, cycles = 1}\r
finalists = {keep = 2, replicates = 2}\r
final = {train = 350, validation = 50, replicates = 2}\r
"""
SENTENCES = {
    "UTF-16": (TEXT.encode("utf-16"), "must be UTF-8 text: this is UTF-16, save it as UTF-8"),
    "UTF-16 without a mark": (TEXT.encode("utf-16-le"), "must be UTF-8 text: this is UTF-16"),
    "empty": (b"", "name: is required"),
    "nested": (b"a = " + b"[" * 100_000, "must be TOML: it is nested too deeply"),
    "a key twice": (b"seed = 1\nseed = 2\n", "must be TOML: Cannot overwrite a value"),
    "thousands of digits": (b"seed = " + b"9" * 5000, "must be TOML: "),
    "too long": (b"#" * 1_000_001, "must be a study file: it has more than 1,000,000 bytes"),
}


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    """A study file that Notepad saved, UTF-8 with a mark and CRLF, is the same study."""
    (tmp_path / "s.toml").write_bytes(codecs.BOM_UTF8 + TEXT.encode())
    assert read_study(tmp_path / "s.toml").fingerprint == parse_study(RIGHT).fingerprint


@pytest.mark.parametrize("kind", SENTENCES)
def test_what_is_no_study_file_is_said(kind: str, tmp_path: Path) -> None:
    """Another encoding, and what TOML or its reader cannot hold, open with one clear sentence."""
    content, sentence = SENTENCES[kind]
    path = tmp_path / "s.toml"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_study(path)
    first = str(caught.value).splitlines()[0]
    assert first.startswith(f"{path}: {sentence}")
    assert len(first) < 300
    assert caught.value.exit_code == 2


@pytest.mark.posix
def test_a_device_without_end_is_refused() -> None:
    """/dev/zero is not read to its end."""
    with pytest.raises(InputError, match="it has more than"):
        read_study("/dev/zero")


@pytest.mark.posix
def test_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    """A named pipe that somebody writes a study into, as shells do, is read."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=(TEXT,))
    writer.start()
    assert read_study(path).name == "right"
    writer.join()


@pytest.mark.posix
def test_a_pipe_that_nobody_writes_to_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe without a writer does not hold the reader for ever."""
    monkeypatch.setattr("lamsearch.study.reading._PATIENCE_SECONDS", 0.2)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="nothing is written to it"):
        read_study(tmp_path / "pipe")
