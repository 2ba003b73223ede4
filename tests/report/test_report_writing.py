import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import study_records as made
from drawn_figures import Drawn, InPlaceOf

from lamsearch.errors import FilesError
from lamsearch.report import to_json, trials_csv, write, writing
from lamsearch.statistics import model

FILES = {
    "results.json", "report.md", "trials.csv", "index.html",
    "figures/accuracy_over_lambda.png", "figures/accuracy_over_lambda.svg",
    "figures/learning_curves.png", "figures/learning_curves.svg",
    "figures/confusion_matrix.png", "figures/confusion_matrix.svg",
    "models/final-0.safetensors",
}  # fmt: skip
MODELS = {"final-0.safetensors": b"\x00weights"}


def contents(directory: Path) -> dict[str, bytes]:
    """Return every file below ``directory`` with what it holds."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_writing_twice_gives_the_same_files(
    tmp_path: Path, drawn: Drawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Write leaves exactly the report's files, the same bytes the second time, nothing beside."""
    output = tmp_path / "deep" / "out"
    with monkeypatch.context() as patch:  # with figures that were drawn by whoever came first
        patch.setattr(writing, "Drawing", InPlaceOf(drawn))
        written = write(made.finished(), output, MODELS)
    first = contents(output)
    assert set(first) == FILES == {path.relative_to(output).as_posix() for path in written}
    assert write(made.finished(), output, MODELS) == written
    assert contents(output) == first
    assert first["models/final-0.safetensors"] == b"\x00weights"
    assert first["results.json"].decode() == to_json(made.finished())
    assert first["trials.csv"].decode() == trials_csv(made.finished())
    assert first["figures/accuracy_over_lambda.png"].startswith(b"\x89PNG")


@pytest.mark.parametrize("modelled", [True, False])
def test_the_model_is_loaded_for_reports_that_show_it(
    monkeypatch: pytest.MonkeyPatch, modelled: bool
) -> None:
    """What takes a second to load is loaded beforehand where a model chose, and only there."""
    loaded = list[bool]()
    monkeypatch.setattr(model, "load", lambda: loaded.append(True))
    writing.prepare(modelled=modelled)
    assert loaded == [True] * modelled


@pytest.mark.usefixtures("drawn_once")
def test_results_come_last(tmp_path: Path) -> None:
    """results.json is written last: where it is new, all the others are."""
    assert write(made.planned_only(), tmp_path)[-1] == tmp_path / "results.json"


@pytest.mark.usefixtures("drawn_once")
def test_unfinished_study_is_written(tmp_path: Path) -> None:
    """A study of which nothing is trained gets its files, without learning curves."""
    written = write(made.planned_only(), tmp_path)
    names = {path.relative_to(tmp_path).as_posix() for path in written}
    left = ("learning", "models", "confusion")
    assert names == {name for name in FILES if not any(word in name for word in left)}
    assert json.loads((tmp_path / "results.json").read_text())["selected"] is None


@pytest.mark.usefixtures("drawn_once")
def test_file_in_the_way_is_said(tmp_path: Path) -> None:
    """An output that is a file is one sentence of a FilesError with its path and the reason."""
    output = tmp_path / "out"
    output.write_text("mine")
    with pytest.raises(FilesError, match=r"out/figures/.*: cannot be written: .+") as caught:
        write(made.planned_only(), output)
    assert "\n" not in str(caught.value)
    assert output.read_text() == "mine"


@pytest.mark.usefixtures("drawn_once")
def test_directory_in_the_way_is_said(tmp_path: Path) -> None:
    """A directory where a file belongs is a FilesError, and no temporary file stays behind."""
    (tmp_path / "results.json").mkdir()
    with pytest.raises(FilesError, match=r"results\.json: cannot be written"):
        write(made.planned_only(), tmp_path)
    assert not list(tmp_path.rglob(".*"))


@pytest.mark.posix
@pytest.mark.skipif(
    hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write into any directory"
)
def test_read_only_directory_is_said(tmp_path: Path) -> None:
    """A read-only output is a FilesError."""
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(FilesError, match="Permission denied"):
            write(made.planned_only(), tmp_path)
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.usefixtures("drawn_once")
def test_full_disk_leaves_the_old_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full while writing leaves the old files as they were and nothing half."""
    write(made.planned_only(), tmp_path)
    before = contents(tmp_path)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FilesError, match="No space left on device"):
        write(made.finished(), tmp_path)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/b", "", "..", "a\\b"])
def test_model_names_stay_in_their_directory(tmp_path: Path, name: str) -> None:
    """A model's name that would leave its directory is refused before anything is written."""
    with pytest.raises(FilesError, match="must be a plain file name"):
        write(made.planned_only(), tmp_path / "out", {name: b""})
    assert not (tmp_path / "out").exists()


_STOPPED = (
    "import fcntl, os, signal, sys\n"
    "fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX)\n"
    "os.kill(os.getpid(), signal.SIGSTOP)\n"
)


@pytest.mark.linux
def test_a_stopped_writer_of_the_directory_is_waited_for_with_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report whose directory another process holds the lock of, stopped, is refused in one
    sentence with that process's number, and nothing is written."""
    monkeypatch.setattr("lamsearch.report.writing._LOCK_SECONDS", 0.2)
    holder = subprocess.Popen([sys.executable, "-c", _STOPPED, str(tmp_path)])
    try:
        _, status = os.waitpid(holder.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        with pytest.raises(FilesError) as caught:
            write(made.unfinished(), tmp_path)
    finally:
        holder.kill()
        holder.wait()
    assert re.fullmatch(
        rf"output: {tmp_path} must be written by one process at a time: process {holder.pid} "
        r"\(it is stopped\), which has held the lock since \S+ has not let it go within 0\.2 s",
        str(caught.value),
    )
    assert list(tmp_path.iterdir()) == []
