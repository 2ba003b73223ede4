"""Law 5 at the command line: bad input gets its one sentence and exit code 2; nothing changes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Refused = Callable[..., list[str]]

# What is changed in the small study file, and what the one line must hold.
MISTAKES = {
    "unknown key": ('seed = 7', 'seed = 7\nsede = 8', "sede: unknown key; did you mean seed?"),
    "unknown key of a table": ("hidden = 8", "hiden = 8",
                               "network.hiden: unknown key; did you mean hidden?"),
    "unknown table": ("[final]", "[finale]\n[final]",
                      "finale: unknown key; did you mean final?"),
    "wrong type": ("hidden = 8", 'hidden = "8"', "network.hidden: must be a whole number, got '8'"),
    "wrong type of a number": ("step_size = 15", "step_size = 1.5", "training.step_size: must be"),
    "below the least": ("batch_size = 20", "batch_size = 0",
                        "training.batch_size: must be at least 1, got 0"),
    "bounds reversed": ("[-5.0, -1.0]", "[-1.0, -5.0]",
                        "coarse.log10_lambda: the lower bound must be below the upper one, "
                        "got [-1.0, -5.0]"),
    "bound infinite": ("[-5.0, -1.0]", "[-inf, -1.0]", "coarse.log10_lambda[0]: must be"),
    "bound not a number": ("[-5.0, -1.0]", "[-5.0, nan]", "coarse.log10_lambda[1]: must be"),
    "more images than there are": ("train = 300", "train = 1600",
                                   "data: train + validation + test must be at most the 1797 "
                                   "images of digits, got 1900"),
    "more images than there are for the final": ("train = 350", "train = 1700",
                                                 "final: train + validation must be at most the"),
    "name with a directory": ('"small"', '"../small"', "name: must be a file name"),
    "name hidden": ('"small"', '".small"', "name: must be a file name"),
    "name empty": ('"small"', '""', "name: must be a file name"),
    "λ given and selected": ("[final]", "[final]\nlog10_lambda = -3.0",
                             "final.log10_lambda: must not be given where a stage selects λ"),
    "test curves of a study that selects": ("[final]", "[final]\ntest_curves = true",
                                            "final.test_curves: must be false where a stage"),
    "unknown source": ('"digits"', '"mnist"', "data.source: must be digits, cifar10, npz"),
}  # fmt: skip


@pytest.mark.parametrize("kind", MISTAKES)
@pytest.mark.parametrize("verb", ["run", "create", "check"])
def test_a_mistake_in_a_study_file_is_one_line(
    desk: Any, refused: Refused, verb: str, kind: str
) -> None:
    """Each issue in a study file is said as file, key, rule and value, and nothing is made."""
    old, new, expected = MISTAKES[kind]
    path = desk.write()
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    before = desk.listing()
    lines = refused(desk(verb, path))
    assert lines[0].startswith(f"{path}: {expected}")
    assert len(lines) == 1
    assert desk.listing() == before


def test_all_mistakes_are_said_together_a_line_each(desk: Any, refused: Refused) -> None:
    """A file with three issues gets one answer of three lines."""
    path = desk.write()
    text = path.read_text(encoding="utf-8").replace("hidden = 8", "hidden = -8")
    path.write_text(text.replace("seed = 7", "sede = 7"), encoding="utf-8")
    lines = refused(desk("run", path))
    assert len(lines) == 3
    assert all(line.startswith(f"{path}: ") for line in lines)
    assert {line.removeprefix(f"{path}: ").partition(":")[0] for line in lines} == {
        "sede", "seed", "network.hidden"
    }  # fmt: skip


@pytest.mark.parametrize("verb", ["run", "create", "check"])
def test_a_file_that_is_no_study_file_is_one_line(desk: Any, refused: Refused, verb: str) -> None:
    """A missing file, a directory, no TOML and no text are named with the reason."""
    (desk.directory / "half.toml").write_text("name = ", encoding="utf-8")
    (desk.directory / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    for name, rule in (
        ("gone.toml", "cannot be read: No such file or directory"),
        (".", "cannot be read: Is a directory"),
        ("half.toml", "must be TOML: "),
        ("bytes.toml", "must be UTF-8 text: "),
    ):
        (line,) = refused(desk(verb, name))
        assert line.startswith(f"{name}: {rule}")
    assert not desk.database_file.exists()


@pytest.mark.parametrize("verb", ["run", "create"])
def test_a_missing_data_directory_is_named(desk: Any, refused: Refused, verb: str) -> None:
    """A study whose data are not there says which directory was looked into."""
    path = desk.write()
    text = path.read_text(encoding="utf-8").replace('"digits"', '"cifar10"')
    path.write_text(text.replace("test = 200", ""), encoding="utf-8")
    (line,) = refused(desk(verb, path, "--data-dir", desk.directory / "nowhere"))
    assert str(desk.directory / "nowhere") in line
    assert desk.listing() == ["small.toml"]


@pytest.mark.parametrize("verb", ["run", "create", "check"])
def test_a_nan_in_peoples_arrays_is_found(desk: Any, refused: Refused, verb: str) -> None:
    """A value that is not finite in X is said with file, array and row."""
    x = np.ones((90, 4), np.float32)
    x[41, 2] = np.nan
    np.savez(desk.directory / "own.npz", X=x, y=np.arange(90) % 3)
    path = desk.write(text=OWN)
    (line,) = refused(desk(verb, path))
    assert line.endswith(f"{desk.directory / 'own.npz'}: X: row 41: must be finite, got nan")
    assert desk.listing() == ["own.npz", "small.toml"]


OWN = """
name = "{name}"
seed = 1
[data]
source = "own.npz"
train = 50
validation = 20
[training]
batch_size = 10
step_size = 5
[coarse]
trials = 2
log10_lambda = [-4.0, -2.0]
"""

PASSWORD = "pa55:w/rd"  # noqa: S105 - the point of the test
ASKED = {
    "refused": "postgresql://lam:pa55%3Aw%2Frd@127.0.0.1:1/lam",
    "unknown host": "postgresql://lam:pa55%3Aw%2Frd@no-such-host.invalid/lam",
    "another database": "mysql://lam:pa55%3Aw%2Frd@127.0.0.1/lam",
    "no URL": "lam:pa55:w/rd@127.0.0.1",
    "no port": "postgresql://lam:pa55%3Aw%2Frd@127.0.0.1:port/lam",
    "no directory": "sqlite:////no/such/directory/lam.db",
    "in memory": "sqlite://",
    "no database": "sqlite:///small.toml",
}


@pytest.mark.parametrize("kind", ASKED)
@pytest.mark.parametrize("verb", ["run", "create", "status", "report", "worker", "delete"])
def test_a_storage_that_cannot_be_used_is_one_line_without_its_password(
    desk: Any, refused: Refused, verb: str, kind: str
) -> None:
    """A storage URL that is none, or leads nowhere, is said without the password in it."""
    desk.write()
    before = (desk.directory / "small.toml").read_bytes()
    what = "small.toml" if verb in ("run", "create") else "small"
    (line,) = refused(desk(verb, what, "--storage", ASKED[kind]))
    assert line.startswith("storage: ")
    assert "pa55" not in line
    assert "w/rd" not in line
    assert "w%2Frd" not in line
    assert desk.listing() == ["small.toml"]
    assert (desk.directory / "small.toml").read_bytes() == before


@pytest.mark.parametrize("verb", ["status", "report", "worker", "delete"])
def test_looking_makes_no_database(desk: Any, refused: Refused, verb: str) -> None:
    """A verb on a study where there is no database says so and makes none."""
    (line,) = refused(desk(verb, "small"))
    assert line == "storage: no such file: lamsearch.db"
    assert desk.listing() == []


@pytest.mark.parametrize("verb", ["status", "report", "worker", "delete"])
def test_an_unknown_study_is_said(done_desk: Any, refused: Refused, verb: str) -> None:
    """A study that is not there is named, and nothing is removed or written."""
    before = done_desk.listing()
    (line,) = refused(done_desk(verb, "smal", "--storage", done_desk.url))
    assert line.startswith("study: no study 'smal'")
    assert done_desk.listing() == before


@pytest.mark.parametrize("verb", ["run", "create"])
def test_a_name_already_taken_is_refused_with_the_difference(
    desk: Any, refused: Refused, verb: str
) -> None:
    """Another study file under a taken name is refused with its difference; nothing starts."""
    path = desk.write()
    desk.well("create", path)
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("trials = 5", "trials = 6"), encoding="utf-8")
    before = rows(desk.database_file)
    (line,) = refused(desk(verb, path))
    assert line.startswith("study: the name 'small' is taken by another study file")
    assert "coarse.trials: 5 → 6" in line
    assert "lamsearch delete small" in line
    assert rows(desk.database_file) == before


def rows(path: Path) -> dict[str, int]:
    """Count the rows of every table."""
    base = sqlite3.connect(path)
    tables = [name for (name,) in base.execute("select name from sqlite_master where type='table'")]
    found = {name: base.execute(f"select count(*) from {name}").fetchone()[0]  # noqa: S608
             for name in tables}  # fmt: skip
    base.close()
    return found


def test_other_data_under_a_taken_name_are_refused(desk: Any, refused: Refused) -> None:
    """The same study file with other arrays behind it is refused by fingerprint."""
    x, y = np.random.default_rng(1).normal(size=(90, 4)), np.arange(90) % 3
    np.savez(desk.directory / "own.npz", X=x, y=y)
    path = desk.write(text=OWN)
    desk.well("create", path)
    np.savez(desk.directory / "own.npz", X=x + 1, y=y)
    (line,) = refused(desk("run", path))
    assert line.startswith("data: 'small' was planned with other data: fingerprint ")


def test_an_optuna_study_of_that_name_is_left_alone(desk: Any, refused: Refused) -> None:
    """A name whose Optuna study somebody else made is refused, and that study stays as it is."""
    import optuna

    storage = optuna.storages.RDBStorage(desk.url)
    optuna.create_study(storage=storage, study_name="small/coarse")
    storage.scoped_session.remove()
    storage.engine.dispose()
    (line,) = refused(desk("run", desk.write()))
    assert "'small/coarse' that lamsearch did not make; choose another name" in line
    found = rows(desk.database_file)
    assert (found["studies"], found["trials"], found["lamsearch_study"]) == (1, 0, 0)


@pytest.mark.parametrize("url", ["nosuch://bucket/x", "zip::nosuch://x"])
def test_a_files_url_that_is_none_is_refused(desk: Any, refused: Refused, url: str) -> None:
    """--files that fsspec does not know is refused before the database is made."""
    lines = refused(desk("run", desk.write(), "--files", url))
    assert lines[0].startswith("files: must be a directory or a URL that fsspec knows")
    assert not desk.database_file.exists()


def test_files_elsewhere_than_recorded_are_refused(desk: Any, refused: Refused) -> None:
    """A study keeps the --files it was created with; another one is refused with both shown."""
    path = desk.write()
    desk.well("create", path, "--files", "here")
    for verb, what in (("run", path), ("worker", "small")):
        (line,) = refused(desk(verb, what, "--files", "there"))
        assert line.startswith("files: 'small' was created with ")
        assert line.endswith(f"got {str(desk.directory / 'there')!r}")


USAGE = {
    ("frob",): "No such command 'frob'.",
    ("data", "frob"): "No such command 'frob'.",
    ("run",): "Missing argument 'STUDY.toml'.",
    ("run", "small.toml", "--wrokers", "2"): "No such option",
    ("run", "small.toml", "--workers", "0"): "Invalid value for '--workers': 0 is not in the range",
    ("run", "small.toml", "--workers", "two"): "Invalid value for '--workers': 'two' is not",
    ("run", "small.toml", "--lease-seconds", "0.5"): "Invalid value for '--lease-seconds': 0.5 is",
    ("run", "small.toml", "--checkpoint-seconds", "0"): "Invalid value for '--checkpoint-seconds'",
    ("run", "small.toml", "--lease-seconds", "nan"): "Invalid value for '--lease-seconds'",
    ("worker", "small", "--checkpoint-seconds", "inf"): "Invalid value for '--checkpoint-seconds'",
    ("status", "a", "b"): "Got unexpected extra argument (b)",
    ("data", "verify"): "Missing argument 'NAME'.",
}


@pytest.mark.parametrize("arguments", USAGE, ids=" ".join)
def test_wrong_usage_is_one_sentence(
    desk: Any, refused: Refused, arguments: tuple[str, ...]
) -> None:
    """An unknown verb or option, or a value out of range, is said with exit code 2."""
    desk.write()
    lines = refused(desk(*arguments))
    assert lines[0].startswith(USAGE[arguments])
    assert desk.listing() == ["small.toml"]


def test_watch_and_json_do_not_go_together(done_desk: Any, refused: Refused) -> None:
    """--watch --json is refused: a watch has no one document."""
    (line,) = refused(done_desk("status", "small", "--watch", "--json", "--storage", done_desk.url))
    assert line == "--watch and --json do not go together"


def test_the_process_itself_keeps_the_law(lamsearch: Any, study_file: Any, tmp_path: Path) -> None:
    """As a process, a refusal is exit code 2, one sentence on stderr, nothing on stdout or disk."""
    path = study_file(network={"hidden": -1})
    result = lamsearch("run", path, "--json")
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr == f"Error: {path}: network.hidden: must be at least 1, got -1\n"
    assert list((tmp_path / "cwd").iterdir()) == []


def test_a_refusal_is_the_same_with_json(desk: Any, refused: Refused) -> None:
    """--json does not turn a refusal into a document."""
    refused(desk("run", "gone.toml", "--json"))
    assert json.dumps(desk.listing()) == "[]"
