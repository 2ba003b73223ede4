"""The verb init: what it writes, what it never overwrites, what it says next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

ROWS = [f"{n % 7},{'ab'[n % 2]},{'yes' if n % 7 > 3 else 'no'}" for n in range(60)]
CSV = "\n".join(["size,kind,let", *ROWS]) + "\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a table in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flats.csv").write_text(CSV)
    return tmp_path


def test_init_writes_what_check_takes_and_says_what_is_next(desk: Any, here: Path) -> None:
    """The file is named after the data, `check` finds it right, and the next command is printed."""
    result = desk("init", "flats.csv", "--target", "let")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "lamsearch run flats.toml\n"
    assert (here / "flats.toml").read_text().startswith(
        "# Written by: lamsearch init flats.csv --target let\n#:schema "
    )  # fmt: skip
    checked = desk("check", "flats.toml")
    assert checked.exit_code == 0, checked.stderr
    assert "flats: the file is right" in checked.stdout


def test_nothing_is_overwritten_unless_that_is_asked(desk: Any, here: Path) -> None:
    """A file that is there stays to the byte, with exit code 2; --force writes over it."""
    (here / "flats.toml").write_text("mine")
    result = desk("init", "flats.csv", "--target", "let")
    assert result.exit_code == 2
    assert "flats.toml: is there already: --force overwrites it" in result.stderr
    assert (here / "flats.toml").read_text() == "mine"
    assert desk("init", "flats.csv", "--target", "let", "--force").exit_code == 0
    assert (here / "flats.toml").read_text() != "mine"
    assert desk("init", "flats.csv", "--target", "let", "--output", "b.toml").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "needs DATA, or --example"),
        (["flats.csv", "--example", "digits"], "needs DATA, or --example"),
        (["--example", "nothing"], "is not one of"),
        (["--example", "digits", "--target", "x"], "go with DATA"),
        (["flats.csv"], "--target must name the column that is predicted: size, kind, let"),
        (["flats.csv", "--target", "nope"], "must be a column of the table"),
        (["flats.csv", "--target", "let", "--output", "a.txt"], "must end in .toml"),
        (["flats.csv", "--target", "let", "--output", "é.toml"], "a study's name"),
        (["flats.csv", "--target", "let", "--output", "no/a.toml"], "a directory that is there"),
        (["flats.csv", "--target", "let", "--task", "regression"], "must hold numbers"),
        (["no.csv"], "there is no such file"),
        (["flats.txt"], "must be a table"),
        ([".", "--target", "let"], "only a table has columns"),
    ],
    ids=str,
)
def test_bad_input_is_a_sentence_and_changes_nothing(
    arguments: list[str], expected: str, desk: Any, here: Path
) -> None:
    """Exit code 2, and no file more than before."""
    (here / "flats.txt").write_text(CSV)
    before = desk.listing()
    result = desk("init", *arguments)
    assert result.exit_code == 2
    assert expected in " ".join(result.stderr.split())
    assert desk.listing() == before


def test_an_example_lies_beside_its_data(desk: Any, here: Path) -> None:
    """Its table is written too, but never over another one of that name."""
    result = desk("init", "--example", "table")
    assert result.stdout == "lamsearch run table.toml\n"
    assert (here / "wine.csv").read_text().count("\n") == 179
    (here / "table.toml").unlink()
    assert desk("init", "--example", "table").exit_code == 0  # the same table: nothing is lost
    (here / "table.toml").unlink()
    (here / "wine.csv").write_text("mine")
    result = desk("init", "--example", "table")
    assert result.exit_code == 2
    assert "wine.csv: is there already, and is another" in result.stderr
    assert not (here / "table.toml").exists()


def test_an_example_that_has_to_be_fetched_says_so(desk: Any, here: Path) -> None:
    """The next command of CIFAR-10 begins with fetching it."""
    result = desk("init", "--example", "cifar10", "--output", "mine.toml")
    assert result.stdout == "lamsearch data fetch cifar10 && lamsearch run mine.toml\n"
