"""What the dashboard shows, on both kinds of storage, and that looking changes nothing."""

from __future__ import annotations

import csv
import io
import json
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import optuna
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from storage_stub import Window, claimed, planned
from web_process import Dashboard
from web_studies import finish_study

from benchmarks.postgres import new_database
from lamsearch.errors import StudyStateError
from lamsearch.storage import Database, Leases, Shown, View, delete
from lamsearch.study import Study
from lamsearch.web.annotations import Annotations
from lamsearch.web.artifacts import KINDS, figure

Start = Callable[..., Dashboard]
Lamsearch = Callable[..., "subprocess.CompletedProcess[str]"]
Small = Callable[..., Study]


@pytest.fixture
def database(storage_url: str) -> Iterator[Database]:
    """A storage of either kind."""
    database = Database(storage_url)
    yield database
    database.close()


@pytest.fixture
def look(database: Database) -> Iterator[Callable[..., Shown]]:
    """Open the storage as the dashboard is shown it."""
    views: list[View] = []

    def open_one(*, writable: bool = False) -> Shown:
        views.append(View(database, writable=writable))
        return Shown(views[-1], Annotations(), KINDS)

    yield open_one
    for view in views:
        view.close()


def walk(dashboard: Dashboard) -> None:
    """Ask for everything that can be asked for."""
    for path in ("/", "/dashboard", "/api/meta", "/incompatible-rdb-schema", "/favicon.ico"):
        assert dashboard.ask(path).status in (200, 302)
    for number in dashboard.studies().values():
        document = dashboard.ask(f"/api/studies/{number}").document
        for path in (f"/api/studies/{number}/param_importances", f"/csv/{number}"):
            assert dashboard.ask(path).status == 200
        trial = document["trials"][0]
        for artifact in trial["artifacts"]:
            name = f"/artifacts/{number}/{trial['trial_id']}/{artifact['artifact_id']}"
            assert dashboard.ask(name).status == 200


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def showing(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    small_study: Small,
) -> Iterator[Dashboard]:
    """A read-only dashboard of a finished study on a storage of either kind."""
    directory = tmp_path_factory.mktemp("showing")
    with ExitStack() as stack:
        url = f"sqlite:///{directory / 'studies.db'}"
        if request.param == "postgresql":
            url = stack.enter_context(new_database(request.getfixturevalue("postgres")))
        finish_study(url, small_study())
        yield stack.enter_context(Dashboard(url, directory))


def test_everything_is_shown(showing: Dashboard) -> None:
    """Each stage has its note, figures and attributes, each trial its figure and its table."""
    dashboard = showing
    numbers = dashboard.studies()
    assert list(numbers) == ["small/coarse", "small/fine", "small/finalists", "small/final"]
    coarse = dashboard.study("small/coarse")
    note = coarse["note"]["body"]
    assert "Stage 1 of 4 of the study `small`" in note
    assert "5 of 5 finished (5 complete)" in note
    assert "The fine stage searches log10 λ from" in note
    assert f"[fine](/dashboard/studies/{numbers['small/fine']})" in note
    assert "was chosen" in dashboard.study("small/finalists")["note"]["body"]
    assert "Test accuracy 90.00 %" in dashboard.study("small/final")["note"]["body"]
    figures = {one["id"]: json.loads(one["graph_object"]) for one in coarse["plotly_graph_objects"]}
    assert set(figures) == {"accuracy-over-lambda", "through-the-stages"}
    first = figures["accuracy-over-lambda"]["data"][0]
    assert len(first["x"]) == len(first["error_y"]["array"]) == 5
    attributes = {one["key"]: one["value"] for one in coarse["user_attrs"]}
    assert attributes["trials"] == "5 of 5 finished"
    assert coarse["objective_names"] == ["validation accuracy"]
    results = {one["key"] for one in coarse["trials"][0]["user_attrs"]}
    assert {"lambda", "validation_accuracy", "validation_loss", "train_accuracy", "seconds",
            "worker"} <= results  # fmt: skip


def test_artifacts(showing: Dashboard) -> None:
    """A trial's figure is a PNG of some size, its table has the curve's points to the last bit."""
    dashboard = showing
    study = dashboard.study("small/fine")
    number = dashboard.studies()["small/fine"]
    trial, other = study["trials"][:2]
    image, table = (
        f"/artifacts/{number}/{trial['trial_id']}/{one['artifact_id']}"
        for one in trial["artifacts"]
    )
    answer = dashboard.ask(image)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/png")
    width, height = struct.unpack(">II", answer.body[16:24])
    assert (width, height) >= (1000, 1000)
    answer = dashboard.ask(table)
    rows = list(csv.DictReader(io.StringIO(answer.body.decode())))
    assert [row["updates"] for row in rows] == ["0", "15", "30"]
    assert rows[0].keys() >= {"learning_rate", "validation_accuracy", "training_loss"}
    assert "test_loss" not in rows[0]
    elsewhere = image.replace(f"/{trial['trial_id']}/", f"/{other['trial_id']}/")
    assert dashboard.ask(elsewhere).status == 404


def test_looking_changes_nothing(storage_url: str, start: Start, small_study: Small) -> None:
    """Whatever is looked at, not a byte of the database changes."""
    finish_study(storage_url, small_study())
    path = Path(sa.make_url(storage_url).database or "")
    is_file = storage_url.startswith("sqlite")
    window = Window(storage_url)
    before = (path.read_bytes() if is_file else b"", window.tables())
    dashboard = start(storage_url)
    walk(dashboard)
    assert dashboard.process.poll() is None
    dashboard.process.terminate()
    dashboard.process.wait(30)
    assert (path.read_bytes() if is_file else b"", window.tables()) == before
    assert dashboard.stderr == ""


def test_reader_cannot_write(database: Database) -> None:
    """The connections that look are refused by the database itself when they try to write."""
    view = View(database, writable=False)
    with pytest.raises(DBAPIError, match=r"(?i)read-?only"), view.reader.engine.begin() as one:
        one.execute(sa.text("DELETE FROM lamsearch_study"))
    assert view.writer is None
    view.close()


def test_away(postgres_url: str, postgres: str, start: Start, small_study: Small) -> None:
    """A database that is away is 503 in a sentence, and is back without a restart."""
    finish_study(postgres_url, small_study())
    secret = sa.make_url(postgres_url).set(password="s3cret-of-it")  # noqa: S106 - made up
    dashboard = start(secret.render_as_string(hide_password=False))
    assert dashboard.ask("/api/studies").status == 200
    name = sa.make_url(postgres_url).database
    url = sa.make_url(postgres).set(drivername="postgresql+psycopg")
    server = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with server.connect() as connection:
        connection.execute(sa.text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false"))
        connection.execute(
            sa.text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :n"),
            {"n": name},
        )
    for path in ("/api/studies", "/api/studies/1", "/csv/1", "/artifacts/1/1/0123456789ab-1-0"):
        answer = dashboard.ask(path)
        assert answer.status == 503, path
        assert b"database cannot be used" in answer.body
        assert b"postgres" not in answer.body
    with server.connect() as connection:
        connection.execute(sa.text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true"))
    assert dashboard.ask("/api/studies").status == 200
    said = dashboard.stderr
    assert "cannot be used" in said
    assert "answers again" in said
    assert "Traceback" not in said
    assert "s3cret" not in said


def test_running_trials(database: Database, look: Callable[..., Shown], small_study: Small) -> None:
    """A running trial says who trains it and how far its cohort is, and carries no figure yet."""
    planned(database, small_study())
    claim = claimed(Leases(database, "small", owner="somebody", seconds=60.0))
    shown = look()
    trials = shown.get_all_trials(shown.get_study_id_from_name("small/coarse"))
    running = [one for one in trials if one.state.name == "RUNNING"]
    assert len(running) == len(claim.trials)
    for one in running:
        assert one.user_attrs["worker"] == "somebody"
        assert one.user_attrs["updates"] == "0 of 30"
        assert not any(key.startswith("artifacts:") for key in one.system_attrs)
    note = shown.get_study_system_attrs(claim_number(shown))["dashboard:note_str:0"]
    assert "Nothing yet: 5 trials are still to be trained." in note


def claim_number(shown: Shown) -> int:
    """Return Optuna's number of the coarse stage."""
    return shown.get_study_id_from_name("small/coarse")


def test_news_arrive(
    storage_url: str, database: Database, look: Callable[..., Shown], small_study: Small
) -> None:
    """What a worker tells is seen by who has looked before."""
    planned(database, small_study())
    shown = look()
    number = claim_number(shown)
    assert {one.state.name for one in shown.get_all_trials(number)} == {"WAITING"}
    finish_study(storage_url, small_study())
    deadline = time.monotonic() + 60
    while any(not one.state.is_finished() for one in shown.get_all_trials(number)):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    trials = shown.get_all_trials(number)
    assert {one.state.name for one in trials} == {"COMPLETE"}
    assert all(sum(key.startswith("artifacts:") for key in one.system_attrs) == 2 for one in trials)
    assert len(shown.get_all_studies()) == 4


def test_numbers_given_again(
    storage_url: str, database: Database, look: Callable[..., Shown], small_study: Small
) -> None:
    """A study deleted and made anew under the same numbers is not taken for the old one."""
    finish_study(storage_url, small_study())
    shown = look()
    shown.get_all_studies()
    old = shown.get_all_trials(claim_number(shown))
    delete(database, "small")
    planned(database, small_study(coarse={"trials": 3}))
    (study,) = shown.get_all_studies()
    new = shown.get_all_trials(study._study_id)
    assert (len(old), len(new)) == (5, 3)
    assert {one.state.name for one in new} == {"WAITING"}


def test_numbers_given_again_unlisted(
    storage_url: str, database: Database, look: Callable[..., Shown], small_study: Small
) -> None:
    """Nor is it taken for the old one by who asks for its trials without listing the studies."""
    finish_study(storage_url, small_study())
    shown = look()
    shown.get_all_studies()
    number = claim_number(shown)
    assert len(shown.get_all_trials(number)) == 5
    delete(database, "small")
    planned(database, small_study(coarse={"trials": 3}))
    deadline = time.monotonic() + 60
    (study,) = look().get_all_studies()
    while len(new := shown.get_all_trials(study._study_id)) == 5:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert {one.state.name for one in new} == {"WAITING"}


def test_trials_that_nobody_planned_are_marked(
    storage_url: str, database: Database, look: Callable[..., Shown], small_study: Small
) -> None:
    """Note and figures of a stage leave out what plain Optuna added to it, and its own page says
    so of such a trial; the planned ones keep their figures."""
    finish_study(storage_url, small_study())
    plain = Window(storage_url).storage()
    study = optuna.load_study(study_name="small/coarse", storage=plain)
    study.optimize(lambda trial: 0.99 + 0 * trial.suggest_float("log10_lambda", -5, -1), n_trials=1)
    shown = look()
    number = claim_number(shown)
    attributes = shown.get_study_system_attrs(number)
    assert "5 of 5 finished (5 complete)" in attributes["dashboard:note_str:0"]
    figures = [key for key in attributes if key.startswith("dashboard:plot_data:")]
    assert figures
    assert not any("0.99" in attributes[key] or '"99' in attributes[key] for key in figures)
    *ours, other = shown.get_all_trials(number)
    assert other.user_attrs["lamsearch"] == "not planned by lamsearch: left out of its results"
    for one in ours:
        assert "lamsearch" not in one.user_attrs
        assert any(key.startswith("artifacts:") for key in one.system_attrs)
    assert not any(key.startswith("artifacts:") for key in other.system_attrs)
    assert shown.curve_of(f"{'0' * 12}-{other._trial_id:x}-0") is None


def test_plans_are_kept(
    storage_url: str, database: Database, look: Callable[..., Shown], small_study: Small
) -> None:
    """Even writable, the trials of a study being worked on are neither told, added nor removed."""
    planned(database, small_study())
    shown = look(writable=True)
    number = claim_number(shown)
    trial = shown.get_all_trials(number)[0]
    before = Window(storage_url).tables()
    attempts: list[Callable[[], Any]] = [
        lambda: shown.delete_study(number),
        lambda: shown.create_new_trial(number),
        lambda: shown.set_trial_state_values(trial._trial_id, type(trial.state).RUNNING),
        lambda: shown.set_trial_intermediate_value(trial._trial_id, 1, 0.5),
    ]
    for attempt in attempts:
        with pytest.raises(StudyStateError, match=r"^dashboard: "):
            attempt()
    assert Window(storage_url).tables() == before


def test_refusals_over_http(own_url: str, start: Start, lamsearch: Lamsearch) -> None:
    """Writable, a rename of a stage is 409 with the reason; a stage that is over may be removed."""
    dashboard = start(own_url, "--writable")
    answer = dashboard.ask("/api/studies/1/rename", "POST", body={"study_name": "mine"})
    assert answer.status == 409
    assert "lamsearch delete small" in answer.document["reason"]
    results = dashboard.ask("/api/trials/1/tell", "POST", body={"state": "fail"})
    assert results.status == 409
    assert "planned by lamsearch" in results.document["reason"]
    assert dashboard.ask("/api/studies/4", "DELETE").status == 204
    assert list(dashboard.studies().values()) == [1, 2, 3]
    assert "was chosen" in dashboard.study("small/finalists")["note"]["body"]
    done = lamsearch("report", "small", "--storage", own_url)
    assert done.returncode == 2
    assert done.stderr.startswith("Error: study: the trials of small/final were removed")


def test_failed_trials_have_pictures(
    database: Database, look: Callable[..., Shown], small_study: Small
) -> None:
    """The curve of a trial that failed is drawn as far as it went."""
    from storage_stub import BEAT, trained

    from lamsearch.results import TrialState

    planned(database, small_study())
    leases = Leases(database, "small", owner="somebody", seconds=60.0)
    claim = claimed(leases)
    results = [
        trained(leased, state=TrialState.FAIL, score=None, validation_loss=None,
                train_score=None, cycle_scores=(), reason="cost is nan")
        for leased in claim.trials
    ]  # fmt: skip
    leases.complete(claim, results, BEAT, 1.0)
    shown = look()
    trial = shown.get_trial(claim.trials[0].trial)
    names = [key.partition(":")[2] for key in trial.system_attrs if key.startswith("artifacts:")]
    found = shown.curve_of(names[0])
    assert found is not None
    assert figure(found).startswith(b"\x89PNG")
    assert shown.curve_of("0123456789ab-1-0") is None
