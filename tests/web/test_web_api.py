"""The API: the verbs over HTTP, with the sentences of the command line."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from storage_stub import planned
from web_stack import TOKEN, Stack

from lamsearch import report as reporting
from lamsearch import storage as store
from lamsearch.report.status import queue_document, status_document
from lamsearch.storage import Leases
from lamsearch.study import Study

Lamsearch = Callable[..., "subprocess.CompletedProcess[str]"]
STUDY = """
name = "handed-in"
seed = 1
[data]
source = "digits"
train = 200
validation = 100
[training]
step_size = 5
[coarse]
trials = 3
log10_lambda = [-5.0, -1.0]
"""


@pytest.fixture(scope="module")
def reader(finished_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A server that only reads, on a finished study."""
    with Stack(finished_url, tmp_path_factory.mktemp("reader")) as stack:
        yield stack


@pytest.fixture
def writer(own_url: str, tmp_path: Path) -> Iterator[Stack]:
    """A server whose API may write, on a copy of a finished study."""
    with Stack(own_url, tmp_path, writable=True, token=TOKEN.encode()) as stack:
        yield stack


def test_the_queue_is_that_of_status(reader: Stack) -> None:
    """The list holds the documents of `status --json`, and where each report is."""
    document = reader.ask("/api/v1/studies").document
    expected = queue_document(store.read_queue(reader.database))
    assert document["total"] == len(expected) == 1
    entry = document["studies"][0]
    assert entry.pop("report") == "/studies/small/"
    for one in (entry, expected[0]):
        del one["age"]  # grows
        del one["selected"]["validation_accuracy"], one["selected"]["score"]["kind"]
    assert entry == json.loads(json.dumps(expected[0])) | {"selected": entry["selected"]}


def test_a_part_of_the_queue(reader: Stack) -> None:
    """A state, a limit and an offset leave out the rest, and the total says how many there are."""
    assert reader.ask("/api/v1/studies?state=done").document["total"] == 1
    assert reader.ask("/api/v1/studies?state=paused").document == {"total": 0, "studies": []}
    assert reader.ask("/api/v1/studies?offset=1").document == {"total": 1, "studies": []}
    assert reader.ask("/api/v1/studies?limit=0").status == 422


def test_a_study_and_its_result(reader: Stack) -> None:
    """A study's document is that of `status NAME --json`, its result that of the report."""
    found = reader.ask("/api/v1/studies/small").document
    expected = json.loads(json.dumps(status_document(store.read_status(reader.database, "small"))))
    assert {key: found[key] for key in expected} == expected
    record = store.read_study(reader.database, "small")
    document = reader.ask("/api/v1/studies/small/result").document
    assert document == json.loads(json.dumps(reporting.document(record)))


def test_errors_are_the_command_line_s(
    reader: Stack, lamsearch: Lamsearch, finished_url: str
) -> None:
    """A problem's detail is the sentence that the verb ends with, and its type says what it is."""
    answer = reader.ask("/api/v1/studies/none")
    assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json")
    said = lamsearch("status", "none", "--storage", finished_url).stderr
    assert said == f"Error: {answer.document['detail']}\n"
    assert answer.document == {
        "type": "about:blank", "title": "Not Found", "status": 404,
        "detail": answer.document["detail"],
    }  # fmt: skip


def test_a_study_is_handed_in_once(writer: Stack) -> None:
    """A study file is planned and queued; sent again, it is the study that is there."""
    first = writer.change("/api/v1/studies?priority=7", body=STUDY.encode())
    assert (first.status, first.document["created"]) == (201, True)
    again = writer.change("/api/v1/studies", body=STUDY.encode())
    assert (again.status, again.document["created"]) == (200, False)
    (entry,) = [one for one in store.read_queue(writer.database) if one.name == "handed-in"]
    assert (entry.priority, entry.state, entry.planned_trials) == (7, "queued", 3)
    other = writer.change("/api/v1/studies", body=STUDY.replace("seed = 1", "seed = 2").encode())
    assert other.status == 409
    assert "is taken by another study file" in other.document["detail"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "study: the file: needs at least one stage"),
        (b"name = ", "study: must be TOML"),
        (b"\xff\xfe\x00", "study: must be UTF-8 text"),
        (STUDY.replace("trials = 3", "trials = -3\nfoo = 1").encode(), "study: coarse"),
        (STUDY.replace("digits", "nothing").encode(), "study: data.source"),
        (STUDY.encode() + b"#" * 1_000_001, "study: must be a study file: it has more than"),
    ],
)
def test_a_bad_study_file_changes_nothing(writer: Stack, content: bytes, sentence: str) -> None:
    """What is no study file is refused with all its issues, and nothing is planned."""
    answer = writer.change("/api/v1/studies", body=content)
    assert answer.status == 422
    assert sentence in answer.document["detail"]
    for issue in answer.document.get("issues") or []:
        assert issue in answer.document["detail"]
    assert store.names(writer.database) == ["small"]


@pytest.mark.parametrize(
    "path", ["/etc/passwd.npz", "/nowhere/x.npz", "../outside.npz", "a/../../outside.npz"]
)
def test_no_path_leads_out_of_the_data_directory(writer: Stack, tmp_path: Path, path: str) -> None:
    """A study file from elsewhere names files in the server's data directory alone, and what lies
    outside is not even looked for."""
    np.savez(tmp_path / "outside.npz", x=np.zeros((300, 2), np.float32), y=np.arange(300) % 2)
    for text in (path, str(tmp_path / "outside.npz")):
        content = STUDY.replace('"digits"', json.dumps(text)).encode()
        answer = writer.change("/api/v1/studies", body=content)
        assert answer.status == 422
        assert "must lie in the server's data directory" in answer.document["detail"]
    assert store.names(writer.database) == ["small"]


def test_a_file_of_the_data_directory_may_be_named(writer: Stack, tmp_path: Path) -> None:
    """A study on a file that the server was given is planned."""
    (tmp_path / "data").mkdir()
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / "data" / "mine.npz", X=rng.random((400, 5), np.float32),
        y=np.arange(400) % 2, X_test=rng.random((50, 5), np.float32),
        y_test=np.arange(50) % 2,
    )  # fmt: skip
    answer = writer.change("/api/v1/studies", body=STUDY.replace("digits", "mine.npz").encode())
    assert (answer.status, answer.document.get("name")) == (201, "handed-in"), answer.body


def test_the_states_of_a_study(writer: Stack, small_study: Callable[..., Study]) -> None:
    """Each verb does to a study what the command line's does; what makes no sense is 409."""
    planned(writer.database, small_study(name="mine"), files=writer.studies.places.files)
    base = "/api/v1/studies/mine"

    def state(verb: str) -> tuple[int, Any]:
        answer = writer.change(f"{base}/{verb}")
        return answer.status, answer.document.get("state", answer.document.get("detail"))

    assert state("pause") == (200, "paused")
    assert state("pause") == (409, "study: 'mine' is paused already")
    assert state("resume") == (200, "queued")
    assert state("finish")[0] == 200
    assert writer.change(f"{base}/priority", "PUT", body={"priority": 5}).status == 200
    assert store.read_status(writer.database, "mine").priority == 5
    assert writer.change(f"{base}/priority", "PUT", body={"priority": 10**7}).status == 422
    assert state("cancel") == (200, "cancelled")
    assert state("resume")[0] == 409
    assert writer.change(base, "DELETE").status == 204
    assert writer.change(base, "DELETE").status == 404
    assert store.names(writer.database) == ["small"]


def test_what_is_worked_on_is_not_removed(writer: Stack, small_study: Callable[..., Study]) -> None:
    """A study in which a worker holds a lease stays, and the sentence names the worker."""
    planned(writer.database, small_study(name="mine"), files=writer.studies.places.files)
    Leases(writer.database, "mine", owner="host-7", seconds=600.0).claim()
    answer = writer.change("/api/v1/studies/mine", "DELETE")
    assert answer.status == 409
    assert "is being worked on by host-7" in answer.document["detail"]


def test_a_database_that_goes_away(own_url: str, tmp_path: Path) -> None:
    """While the database is away the API answers 503 with a sentence, says it once in the log, and
    counts it; health stays well, and readiness does not."""
    file = Path(own_url.removeprefix("sqlite:///"))
    with Stack(own_url, tmp_path) as stack:
        assert stack.ask("/readyz").status == 200
        file.rename(tmp_path / "gone.db")
        for _ in range(2):
            answer = stack.ask("/api/v1/studies")
            assert (answer.status, answer.headers["content-type"]) == (
                503,
                "application/problem+json",
            )
        assert str(tmp_path) not in answer.document["detail"]
        assert stack.ask("/healthz").status == 200
        metrics = stack.ask("/metrics").body.decode()
        assert "lamsearch_database_up 0.0" in metrics
        assert "lamsearch_database_outages_total 1.0" in metrics
        assert sum("no such file" in line or "no longer" in line for line in stack.lines) == 1
        (tmp_path / "gone.db").rename(file)
        assert stack.ask("/api/v1/studies").status == 200
        assert "lamsearch_database_up 1.0" in stack.ask("/metrics").body.decode()


def test_a_head_request_has_no_body(reader: Stack) -> None:
    """HEAD answers with the headers of GET alone."""
    answer = reader.ask("/api/v1/studies/small", "HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["content-length"]) > 100


def test_the_description_names_every_status(reader: Stack) -> None:
    """OpenAPI describes each operation with its errors, and who may ask for it."""
    document = reader.ask("/api/v1/openapi.json").document
    operations = {
        (method, path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert len(operations) == 10
    assert all(path.startswith("/api/v1/studies") for _, path in operations)
    for (method, _), operation in operations.items():
        assert {"401", "403", "429", "503"} <= operation["responses"].keys()
        assert (operation["security"] == [{"token": []}]) == (method != "get")


def test_metrics_count_what_the_storage_holds(
    writer: Stack, small_study: Callable[..., Study]
) -> None:
    """Studies and trials by state, workers and the age of the queue are those of the database."""
    planned(writer.database, small_study(name="mine"))
    Leases(writer.database, "mine", owner="host-7", seconds=600.0).claim()
    planned(writer.database, small_study(name="waiting"))
    lines = writer.ask("/metrics").body.decode().splitlines()
    found = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert found['lamsearch_studies{state="done"}'] == "1.0"
    assert found['lamsearch_studies{state="running"}'] == "1.0"
    assert found['lamsearch_studies{state="queued"}'] == "1.0"
    assert found["lamsearch_workers_alive"] == "1.0"
    running = sum(
        one.state.name == "RUNNING"
        for stage in store.read_study(writer.database, "mine").stages.values()
        for one in stage.trials
    )
    assert found['lamsearch_trials{state="running"}'] == f"{running}.0" != "0.0"
    assert float(found["lamsearch_queue_age_seconds"]) > 0
    assert 0 < float(found["lamsearch_claim_seconds"]) < 5
