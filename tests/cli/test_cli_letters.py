"""Every verb on a terminal that is not UTF-8: plain letters where it has no others."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import forked
import pytest
from click.testing import CliRunner, Result

from lamsearch.cli import cli
from lamsearch.diagnostics import gradcheck

ENCODINGS = ["ascii", "latin-1", "cp1252"]
VERBS = {
    "--help": ["--help"],
    "lr-range --help": ["lr-range", "--help"],
    "check": ["check", "small.toml"],
    "run": ["run", "small.toml", "--storage", "{url}", "--output", "{out}"],
    "run --json": ["run", "small.toml", "--storage", "{url}", "--output", "{out}", "--json"],
    "create": ["create", "small.toml", "--storage", "{url}"],
    "worker": ["worker", "small", "--storage", "{url}"],
    "status": ["status", "--storage", "{url}"],
    "status NAME": ["status", "small", "--storage", "{url}"],
    "status --watch": ["status", "small", "--watch", "--storage", "{url}"],
    "status --json": ["status", "small", "--json", "--storage", "{url}"],
    "report": ["report", "small", "--storage", "{url}", "--output", "{out}"],
    "report --json": ["report", "small", "--storage", "{url}", "--json"],
    "gradcheck": ["gradcheck"],
    "lr-range": ["lr-range", "small.toml", "--epochs", "1", "--output", "{lr}"],
    "data list": ["data", "list", "--data-dir", "größe-λ-中"],
    "data verify": ["data", "verify", "digits"],
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _gradients_are_checked_once() -> Iterator[None]:
    """Check the gradients once: that they are right, and in which letters, are two things."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gradcheck, "check", functools.cache(gradcheck.check))
        yield


def called(desk: Any, encoding: str, *arguments: str) -> Result:
    """Call a verb whose standard streams have an encoding."""
    return CliRunner(charset=encoding).invoke(cli, arguments, prog_name="lamsearch")


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_prints_in_every_encoding(
    done_desk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, encoding: str
) -> None:
    """A verb ends well in any encoding and writes words where there are no letters, never "?"."""
    monkeypatch.chdir(done_desk.directory)
    places = {"url": done_desk.url, "out": tmp_path / "out", "lr": tmp_path / "lr"}
    result = called(done_desk, encoding, *(word.format(**places) for word in VERBS[verb]))
    assert result.exit_code == 0, result.output
    assert "?" not in result.stdout + result.stderr
    if "--json" in verb:
        json.loads(result.stdout_bytes.decode(encoding))
    else:
        assert not re.search(r"\\u(?!4e2d)", result.stdout + result.stderr)
    result.stdout_bytes.decode(encoding)
    if encoding == "ascii" and verb in ("--help", "check", "run", "report", "gradcheck", "status"):
        assert "lambda" in result.stdout


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_document_is_the_same_in_every_encoding(
    desk: Any, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    """JSON on a stream without λ holds its escape: the document is the very one on the disk."""
    path = desk.write()
    text = path.read_text(encoding="utf-8").replace("[-5.0, -1.0]", "[8.0, 9.0]")
    path.write_text(text, encoding="utf-8")
    desk.well("create", path)
    desk("worker", "small", "--storage", desk.url)
    arguments = ("report", "small", "--json", "--output", "out", "--storage", desk.url)
    printed = called(desk, encoding, *arguments).stdout_bytes.decode(encoding)
    written = (desk.directory / "out/results.json").read_text(encoding="utf-8")
    assert json.loads(printed) == json.loads(written)


def test_columns_stay_where_they_are(
    done_desk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Words that are longer than the letters they stand for do not push columns aside."""
    monkeypatch.chdir(done_desk.directory)
    report = ["report", "small", "--storage", done_desk.url, "--output", str(tmp_path / "o")]
    for arguments in (report, ["check", "small.toml"], ["gradcheck"]):
        lines = called(done_desk, "ascii", *arguments).stdout.splitlines()
        table = [line for line in lines if re.match(r"(stage|coarse|array|W1) ", line)]
        assert len(table) >= 2
        assert all(len(line) <= 80 for line in table), table
    lines = called(done_desk, "ascii", *report).stdout.splitlines()
    head = next(line for line in lines if line.startswith("stage"))
    row = next(line for line in lines if line.startswith("finalists"))
    assert "log10 lambda" in head
    assert "+/-" in row
    assert len(head) == len(row) == 80  # the last column ends where it did


WORLDS: dict[str, dict[str, str]] = {
    "LC_ALL=C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "POSIX": {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "ascii, replaced": {"PYTHONIOENCODING": "ascii:replace"},
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
}


@pytest.mark.parametrize("world", WORLDS)
def test_a_whole_run_in_a_world_without_utf_8(study_file: Any, lamsearch: Any, world: str) -> None:
    """As processes, run and its workers end well, and what they say is in plain letters."""
    path = study_file(fine=None, finalists=None, coarse={"trials": 2}, final={"replicates": 1})
    result = lamsearch(
        "run", path, "--workers", "1", env=WORLDS[world], encoding="latin-1", drawn=True
    )
    assert result.returncode == 0, result.stderr
    assert "best log10 lambda" in result.stdout
    assert "log10 lambda -" in result.stderr
    assert "?" not in result.stdout + result.stderr
    assert "died" not in result.stderr


def test_a_workers_own_words_arrive_in_plain_letters(study_file: Any, lamsearch: Any) -> None:
    """What ends a worker is said with λ in words, too, where the terminal has no λ."""
    path = study_file(coarse={"log10_lambda": [8.0, 9.0]}, finalists=None, fine=None)
    result = lamsearch("run", path, "--workers", "1", env={"PYTHONIOENCODING": "ascii"})
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith("Error: coarse: nothing to select from")
    assert "?" not in last
    assert "\\u" not in last


def test_bytes_that_are_no_utf_8_are_one_sentence(desk: Any, study_file: Any) -> None:
    """A name, a study file's path or a data directory of other bytes is a sentence at most."""
    desk.write()
    odd = b"od\xffd"
    Path(os.fsdecode(odd)).mkdir()
    shutil.copy("small.toml", os.fsdecode(odd + b"/s.toml"))
    (desk.directory / "lamsearch.db").unlink(missing_ok=True)
    for arguments, code in (
        ((b"run", odd + b"/s.toml"), 2), ((b"create", odd + b"/s.toml"), 2),
        ((b"check", odd + b".toml"), 2), ((b"check", odd + b"/s.toml"), 0),
        ((b"data", b"list", b"--data-dir", odd), 0), ((b"data", b"verify", odd), 2),
        ((b"create", b"small.toml"), 0), ((b"status", odd), 2), ((b"worker", odd), 2),
        ((b"report", odd), 2), ((b"delete", odd, b"--yes"), 2), ((odd,), 2),
    ):  # fmt: skip
        made = (desk.directory / "lamsearch.db").exists()
        result = forked.run([*forked.COMMAND, *arguments], capture_output=True, text=True)
        assert result.returncode == code, (arguments, result.stderr)
        assert "Traceback" not in result.stderr
        if code:
            assert result.stderr.count("Error: ") == 1
            assert made == (desk.directory / "lamsearch.db").exists()
