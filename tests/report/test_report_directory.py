"""What an output directory may hold before a report is written, and what it holds afterwards."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import study_records as made

from lamsearch.errors import OutputError
from lamsearch.report import check_output, to_json, write

FOUR = {f"final-{replicate}.safetensors": b"old weights" for replicate in range(4)}
ONE = {"final-0.safetensors": b"new weights"}


pytestmark = pytest.mark.usefixtures("drawn_once")


def contents(directory: Path) -> dict[str, bytes]:
    """Return every file below ``directory`` with what it holds."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_a_report_replaces_the_one_before_it_whole(tmp_path: Path) -> None:
    """Models and figures of the earlier report that the new one has not are gone."""
    write(made.finished(), tmp_path / "out", FOUR)
    write(made.finished(), tmp_path / "out", ONE)
    found = contents(tmp_path / "out")
    assert [name for name in found if "models" in name] == ["models/final-0.safetensors"]
    assert found["models/final-0.safetensors"] == b"new weights"
    write(made.planned_only(), tmp_path / "out")
    assert set(contents(tmp_path / "out")) == {
        "results.json", "report.md", "trials.csv", "index.html",
        "figures/accuracy_over_lambda.png", "figures/accuracy_over_lambda.svg",
    }  # fmt: skip
    assert not (tmp_path / "out/models").exists()


MINE: dict[str, Callable[[Path], object]] = {
    "index.html": lambda path: path.write_text("<title>my thesis</title>"),
    "results.json": lambda path: path.write_text('{"study": "my own"}'),
    "trials.csv": lambda path: path.write_text("my,results\n"),
    "report.md": lambda path: path.write_text("# My report\n"),
    "notes.txt": lambda path: path.write_text("to do"),
    "lr_range.json": lambda path: path.write_text("[]"),
    "figures/mine.png": lambda path: path.write_bytes(b"\x89PNG"),
    "models/best.safetensors": lambda path: path.write_bytes(b"mine"),
    "thesis": lambda path: path.mkdir(),
    "figures": lambda path: path.symlink_to("/usr"),
    "index.html ": lambda path: path.write_text("<title>λ for x"),
}


@pytest.mark.parametrize("name", MINE)
def test_what_lamsearch_did_not_write_is_left_alone(tmp_path: Path, name: str) -> None:
    """A directory that holds something else is refused with its name, and stays as it is."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    MINE[name](tmp_path / name)
    before = contents(tmp_path)
    for refused in (check_output, lambda output: write(made.finished(), output, FOUR)):
        with pytest.raises(OutputError, match=name) as caught:
            refused(tmp_path)
        assert caught.value.exit_code == 2
        assert "\n" not in str(caught.value)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", ["notes.txt", "figures/mine.png", "models/best.safetensors"])
def test_a_report_with_something_of_a_persons_in_it_is_refused(tmp_path: Path, name: str) -> None:
    """What somebody put into a report's directory keeps it from being replaced."""
    write(made.finished(), tmp_path, FOUR)
    (tmp_path / name).write_text("mine")
    before = contents(tmp_path)
    with pytest.raises(OutputError, match=name):
        write(made.finished(), tmp_path, ONE)
    assert contents(tmp_path) == before


def test_pages_that_somebody_edited_are_replaced(tmp_path: Path) -> None:
    """Where results.json is a report's, all files of its names are taken for the report's."""
    write(made.finished(), tmp_path)
    right = contents(tmp_path)
    (tmp_path / "index.html").write_text("shorter")
    (tmp_path / "report.md").write_text("")
    write(made.finished(), tmp_path)
    assert contents(tmp_path) == right


def test_hidden_files_are_nobodys_business(tmp_path: Path) -> None:
    """Hidden files, such as a desktop's, neither stop a report nor go with it."""
    (tmp_path / ".gitignore").write_text("*")
    write(made.finished(), tmp_path, FOUR)
    (tmp_path / "figures/.DS_Store").write_text("x")
    write(made.planned_only(), tmp_path)
    assert (tmp_path / ".gitignore").read_text() == "*"
    assert (tmp_path / "figures/.DS_Store").read_text() == "x"


def test_a_range_test_stays_beside_a_report(tmp_path: Path) -> None:
    """The files of lr-range, which go to the same directory, are ours and stay."""
    document = {"study": "s", "seed": 1, "fingerprint": {}, "points": [], "suggested": {}}
    (tmp_path / "lr_range.json").write_text(json.dumps(document))
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures/lr_range.png").write_bytes(b"\x89PNG")
    write(made.finished(), tmp_path)
    write(made.planned_only(), tmp_path)
    assert json.loads((tmp_path / "lr_range.json").read_text()) == document
    assert (tmp_path / "figures/lr_range.png").exists()


@pytest.mark.parametrize("kept", [
    ["figures/accuracy_over_lambda.png"],
    ["figures/learning_curves.svg", "models/final-0.safetensors"],
    ["trials.csv"],
    ["report.md", "trials.csv"],
    ["index.html", "report.md", "trials.csv", "models/final-1.safetensors"],
])  # fmt: skip
def test_a_half_written_report_without_a_mark_is_replaced(tmp_path: Path, kept: list[str]) -> None:
    """What is left of a writer that died before results.json is known by what it opens with."""
    write(made.finished(), tmp_path, FOUR)
    for name in contents(tmp_path).keys() - set(kept):
        (tmp_path / name).unlink()
    write(made.finished(), tmp_path, ONE)
    assert (tmp_path / "results.json").read_text(encoding="utf-8") == to_json(made.finished())
    assert not (tmp_path / "models/final-1.safetensors").exists()


def test_a_link_to_a_directory_and_the_working_directory_are_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An output that is a symbolic link to a directory stays one, and "." is written in place."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    write(made.planned_only(), tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real/results.json").is_file()
    monkeypatch.chdir(tmp_path / "real")
    write(made.finished(), Path(), FOUR)
    check_output(Path())
    assert len(list(Path("models").iterdir())) == 4
    assert Path("results.json").read_text(encoding="utf-8") == to_json(made.finished())


def test_a_link_among_the_files_is_refused(tmp_path: Path) -> None:
    """A file of a report's name that is a symbolic link is refused, and its target is untouched."""
    write(made.finished(), tmp_path / "out")
    (tmp_path / "mine.html").write_text("mine")
    (tmp_path / "out/index.html").unlink()
    (tmp_path / "out/index.html").symlink_to(tmp_path / "mine.html")
    with pytest.raises(OutputError, match="a link or device"):
        write(made.finished(), tmp_path / "out")
    assert (tmp_path / "mine.html").read_text() == "mine"


def test_an_output_that_cannot_be_is_found_before_any_work(tmp_path: Path) -> None:
    """A file, what is below a file, a broken link and too long a name are no directories."""
    (tmp_path / "file").write_text("mine")
    (tmp_path / "broken").symlink_to("nowhere")
    for name in ("file", "file/below/it", "broken", "broken/x", "x" * 300):
        with pytest.raises(OutputError, match="output: "):
            check_output(tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken", "file"]


def test_a_directory_that_is_not_there_is_not_made_by_checking(tmp_path: Path) -> None:
    """Checking an output that is missing or empty finds nothing wrong and makes nothing."""
    check_output(tmp_path / "a/b")
    check_output(tmp_path)
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, pathlib, shutil, signal, sys
import study_records as made
from drawn_figures import InPlaceOf, drawn_in
from lamsearch import report
from lamsearch.report import writing

def armed(action, left):
    def act(*arguments, **rest):
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1
        return action(*arguments, **rest)
    return act

root = pathlib.Path(sys.argv[1])
old = {f"final-{n}.safetensors": b"old weights" for n in range(4)}
new = {"final-0.safetensors": b"new weights"}
writing.Drawing = InPlaceOf(drawn_in(pathlib.Path(sys.argv[2])))
report.write(made.finished(), root / "old", old)
moment = 0
while True:
    at = root / str(moment)
    if len(sys.argv) == 3:
        shutil.copytree(root / "old", at)
    child = os.fork()
    if not child:
        left = [moment]
        os.replace, os.fsync = armed(os.replace, left), armed(os.fsync, left)
        pathlib.Path.unlink = armed(pathlib.Path.unlink, left)
        report.write(made.planned_only(), at, new)
        os._exit(0)
    if not os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        break
    moment += 1
"""


@pytest.mark.parametrize("first", [False, True], ids=["over another", "the first"])
def test_a_writer_killed_at_any_moment_leaves_one_report_or_none(
    tmp_path: Path, first: bool, shared_directory: Path
) -> None:
    """Killed anywhere, results.json is the old one with all old files, the new one with all new
    ones, or missing; and the next report is written as if nothing had been."""
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KILLED, tmp_path, shared_directory / "drawn",
         *["first"] * first],
        env={**os.environ, "PYTHONPATH": path}, check=True,
    )  # fmt: skip
    moments = [path for path in tmp_path.iterdir() if path.name.isdecimal()]
    assert len(moments) > 20
    write(made.planned_only(), tmp_path / "new", ONE)
    old, new = contents(tmp_path / "old"), contents(tmp_path / "new")
    seen = set()
    for moment in moments:
        found = contents(moment)
        visible = {name: text for name, text in found.items() if "/." not in f"/{name}"}
        if "results.json" in visible:
            assert visible in (old, new)
        seen.add(found.get("results.json"))
        write(made.planned_only(), moment, ONE)
        assert contents(moment) == new
    assert {None, new["results.json"]} <= seen
