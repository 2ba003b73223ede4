"""A study run from Python is the study that the command line runs."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits
from small_study import document_of

import lamsearch
from lamsearch.errors import DataError, InputError, OutputError, StudyFileError, WorkFailedError
from lamsearch.worker import StudyWorker

Build = Callable[..., Any]
QUICK = {
    "coarse": {"trials": 3}, "fine": None, "finalists": {"keep": 1, "replicates": 2},
    "final": {"replicates": 1}, "training": {"step_size": 5, "cycles": 1},
}  # fmt: skip


def arrays() -> tuple[np.ndarray, np.ndarray]:
    """Return 600 of the digits as a program holds them."""
    X, y = load_digits(return_X_y=True)
    return X[:600].astype(np.float32), y[:600]


def own_document() -> dict[str, Any]:
    """Return the quick study without a source."""
    return document_of(**QUICK) | {"data": {"train": 300, "validation": 100, "stratified": True}}


def test_a_study_has_the_same_answer_as_by_the_command_line(
    study_file: Build, lamsearch: Build, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """`run` gives the document that `lamsearch run --json` prints, and prints nothing itself."""
    import lamsearch as package

    path = study_file(**QUICK)
    done = lamsearch("run", path, "--workers", 1, "--json", "--output", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    capfd.readouterr()
    result = package.run(path)
    spoken = capfd.readouterr()
    assert (spoken.out, spoken.err) == ("", "")
    told, found = json.loads(done.stdout), dict(result.document)
    for document in (told, found):
        document.pop("test_openings")  # when and by whom
        document.pop("environment")
    assert json.loads(json.dumps(found)) == told


def test_the_test_set_s_opening_is_recorded() -> None:
    """The test set is opened once, by a recorded opening, in a run from Python too."""
    result = lamsearch.run(document_of(**QUICK))
    assert len(result.document["test_openings"]) == 1
    assert result.test is not None
    assert result.test.n == 1


def test_the_environment_s_storage_is_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without `storage` nothing is left behind, whatever the environment names."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAMSEARCH_STORAGE", f"sqlite:///{tmp_path}/others.db")
    monkeypatch.setenv("LAMSEARCH_FILES", str(tmp_path / "files"))
    lamsearch.run(document_of(**QUICK))
    assert list(tmp_path.iterdir()) == []


def test_a_report_is_written_and_what_happens_told_where_asked(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """`output` gets the report; `verbose` tells of the run on standard error alone."""
    document = document_of(**QUICK) | {"seed": 8}
    document["coarse"]["log10_lambda"] = [1e-3, 2e-3]  # hardly meant, which is said
    result = lamsearch.run(document, output=tmp_path / "report", verbose=True)
    spoken = capfd.readouterr()
    assert spoken.out == ""
    assert "Warning: coarse.log10_lambda is 0.001 wide" in spoken.err
    assert lamsearch.load_results(tmp_path / "report").best_lambda == result.best_lambda
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(OutputError):
        lamsearch.run(document, output=tmp_path)


def test_arrays_take_the_place_of_a_source() -> None:
    """(X, y), a mapping of them, and further workers give the same answer of arrays."""
    X, y = arrays()
    result = lamsearch.run(own_document(), data=(X, y))
    again = lamsearch.run(own_document(), data={"y": y.tolist(), "X": X})
    others = lamsearch.run(own_document(), data=(X, y), workers=2)
    assert result.document["stages"] == again.document["stages"] == others.document["stages"]
    assert result.models.classes == tuple("0123456789")
    assert X.flags.writeable
    assert y.flags.writeable


def test_the_same_values_as_images_are_arrays_of_their_own(tmp_path: Path) -> None:
    """Rows that were kept before are not taken for images, which can be mirrored."""
    X, y = load_digits(return_X_y=True)
    url = f"sqlite:///{tmp_path / 's.db'}"
    document = document_of(name="rows")
    lamsearch.run(document, data=(X, y), storage=url)
    images = document_of(name="images", augment={"flip": True})
    found = lamsearch.run(images, data=(X.reshape(-1, 8, 8), y), storage=url)
    assert found.state == "done"


def test_names_of_labels_are_predicted() -> None:
    """Labels that are texts are classes by name, in the ensemble as well."""
    X, y = arrays()
    names = np.array(["even", "odd"], object)[y % 2]
    result = lamsearch.run(own_document(), data=(X, names))
    assert set(result.models.predict(X[:50])) <= {"even", "odd"}
    assert result.models.score(X, names) > 0.5


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        ("digits", "must be (X, y)"),
        ({"X": [[1.0]]}, "must be (X, y)"),
        ({"X": [[1.0]], "y": [0], "z": 1}, "got X, y, z"),
        ({"X": [["a"]], "y": [0]}, "X: must be of type uint8 or float"),
        ({"X": [[1.0]], "y": [0, 1]}, "y: must have one label for each"),
        ({"X": [[1.0]], "y": ["a", None]}, "y: must be texts"),
    ],
)
def test_what_is_no_data_gets_one_sentence(data: Any, rule: str) -> None:
    """Whatever is given in place of arrays is refused by the rule that it breaks."""
    with pytest.raises(DataError) as refused:
        lamsearch.run(own_document(), data=data)
    assert rule in str(refused.value)


def test_a_study_s_issues_come_before_its_arrays_are_written(tmp_path: Path) -> None:
    """Nothing is written of a study that has issues, or with too many workers to be meant."""
    url = f"sqlite:///{tmp_path}/studies.db"
    document = own_document() | {"seed": -1}
    with pytest.raises(StudyFileError, match="seed"):
        lamsearch.run(document, data=arrays(), storage=url)
    with pytest.raises(InputError, match="workers"):
        lamsearch.run(own_document(), data=arrays(), storage=url, workers=0)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After Ctrl-C the next call with the same storage trains what is left, to the same answer."""
    url = f"sqlite:///{tmp_path}/studies.db"
    step, steps = StudyWorker.step, list[object]()

    def interrupted(worker: StudyWorker) -> object:
        steps.append(step(worker))
        if len(steps) == 2:
            signal.raise_signal(signal.SIGINT)
            for thread in threading.enumerate():  # the one that sets the event
                if thread is not threading.current_thread() and not thread.daemon:
                    thread.join(5)
        return steps[-1]

    monkeypatch.setattr(StudyWorker, "step", interrupted)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt, match="run again to go on"):
        lamsearch.run(own_document(), data=arrays(), storage=url)
    assert signal.getsignal(signal.SIGINT) is before
    assert len(steps) == 2
    monkeypatch.undo()
    result = lamsearch.run(own_document(), data=arrays(), storage=url)
    assert (
        result.document["stages"] == lamsearch.run(own_document(), data=arrays()).document["stages"]
    )
    found = lamsearch.load_results(name="small", storage=url)
    assert found.document == result.document
    assert found.models.replicates == 1


def test_a_study_that_fails_says_so() -> None:
    """A study in which nothing ends well is an error with its reason."""
    document = document_of(**QUICK, data={"validation": 100})
    document["coarse"] = {"values": [9.5], "cycles": 1}
    with pytest.raises(WorkFailedError, match="nothing to select from"):
        lamsearch.run(document)


def test_every_public_name_is_there() -> None:
    """All that lamsearch promises is in dir(), documented, and `search` stays a function."""
    import lamsearch.search.steps

    assert set(lamsearch.__all__) <= set(dir(lamsearch))
    for name in lamsearch.__all__:
        assert getattr(lamsearch, name).__doc__ or name == "__version__"
    assert lamsearch.search.__module__ == "lamsearch.api.functions"
    from lamsearch.search import next_step

    assert next_step is not None
