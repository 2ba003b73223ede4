"""A value that is not what was written is noticed, and never computed with."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from storage_stub import Window, claimed, failed, finish, outcomes, planned, work

from lamsearch import storage as store
from lamsearch.errors import StorageError
from lamsearch.storage import Database, Leases
from lamsearch.study import Study

CHANGED = r"as (it was completed|written), and is not"
# What is changed behind lamsearch's back, by where it stands.
CHANGES = {
    "accuracy": "UPDATE trial_values SET value = value + 1e-9 WHERE trial_id = 1",
    "parameter": "UPDATE trial_params SET param_value = param_value - 1e-9 WHERE trial_id = 1",
    "loss": "UPDATE trial_user_attributes SET value_json = '0.25' "
    "WHERE trial_id = 1 AND key = 'validation_loss'",
    "train accuracy": "UPDATE trial_user_attributes SET value_json = '0.25' "
    "WHERE trial_id = 1 AND key = 'train_accuracy'",
    "state": "UPDATE trials SET state = 'PRUNED' WHERE trial_id = 1",
    "digest": "UPDATE trial_system_attributes SET value_json = '\"0\"' WHERE trial_id = 1",
    "trials": "UPDATE lamsearch_cohort SET trials = replace(CAST(trials AS TEXT), '-', '-1') "
    "WHERE stage = 'coarse' AND number = 0",
    "settings": "UPDATE lamsearch_study SET document = "
    "replace(CAST(document AS TEXT), '\"seed\": 7', '\"seed\": 8')",
}
OF_THE_STUDY = {
    "choice": "UPDATE lamsearch_study SET selected = "
    "replace(CAST(selected AS TEXT), 'best', 'test')",
    "final": "UPDATE lamsearch_study SET final = "
    "replace(CAST(final AS TEXT), '\"mean\": 0.9', '\"mean\": 0.8')",
    "opening": "UPDATE lamsearch_study SET openings = "
    "replace(CAST(openings AS TEXT), 'a test', 'a rest')",
    "validation images": "UPDATE lamsearch_study SET validation_images = "
    "replace(CAST(validation_images AS TEXT), '100', '101')",
    "classes": "UPDATE lamsearch_study SET classes = replace(CAST(classes AS TEXT), 'one', 'two')",
    "interval": "UPDATE lamsearch_stage SET bounds = "
    "replace(CAST(bounds AS TEXT), '-5.0', '-6.0') WHERE name = 'coarse'",
}


Done = Callable[..., str]


@pytest.fixture(params=["sqlite", "postgres"])
def done(
    request: pytest.FixtureRequest, prepared_url: Callable[..., str],
    small_study: Callable[..., Study],
) -> Done:  # fmt: skip
    """Return a storage whose study is worked on to its end, or to a stage."""

    def copy(until: str | None = None) -> str:
        def make(url: str) -> None:
            database = Database(url)
            planned(database, study := small_study())
            work(Leases(database, study.name, owner="w", seconds=600.0), until=until)
            database.close()

        return prepared_url(request.param, f"until {until}", make)

    return copy


def typed(statement: str, url: str) -> str:
    """The statement as a database of that kind takes it."""
    if url.startswith("sqlite"):
        return statement
    column = re.search(r"SET (\w+) =\s+replace", statement)
    if column is None:
        return statement
    return re.sub(r"(replace\(.*?'\))(?= WHERE|$)", r"(\1)::json", statement)


@pytest.mark.parametrize("what", [*CHANGES, *OF_THE_STUDY])
def test_what_was_changed_is_not_reported(done: Done, what: str) -> None:
    """A study whose scores, λs, settings, choice or final score have changed since they were
    written has no report, but a sentence that says what is damaged; unchanged it has one."""
    database = Database(url := done())
    assert store.read_study(database, "small").finished
    before = Window(url).tables()
    Window(url).execute(typed({**CHANGES, **OF_THE_STUDY}[what], url))
    assert Window(url).tables() != before
    with pytest.raises(StorageError, match=CHANGED):
        store.read_study(database, "small")
    database.close()


@pytest.mark.parametrize("what", CHANGES)
def test_what_was_changed_is_not_selected_from(done: Done, what: str) -> None:
    """Where a result of coarse has changed, fine is not planned from it."""
    database = Database(url := done(until="fine"))
    Window(url).execute("DELETE FROM lamsearch_cohort WHERE stage = 'fine'")
    Window(url).execute("DELETE FROM lamsearch_stage WHERE name = 'fine'")
    Window(url).execute("UPDATE studies SET study_name = 'x' WHERE study_name = 'small/fine'")
    Window(url).execute(typed(CHANGES[what], url))
    with pytest.raises(StorageError, match=CHANGED):
        Leases(database, "small", owner="w", seconds=600.0).claim()
    database.close()


def test_results_of_earlier_versions_are_taken_as_they_are(done: Done) -> None:
    """A study without digests is read: an earlier version wrote none."""
    database = Database(url := done())
    undamaged = store.read_study(database, "small")
    window = Window(url)
    window.execute("DELETE FROM trial_system_attributes")
    window.execute(
        typed(
            "UPDATE lamsearch_study SET selected = "
            "replace(CAST(selected AS TEXT), '\"sha256\"', '\"unknown\"')",
            url,
        )
    )
    found = store.read_study(database, "small")
    assert (found.selected, found.final, found.finished) == (
        undamaged.selected,
        undamaged.final,
        True,
    )
    database.close()


def test_trials_that_did_not_end_well_have_a_digest_too(
    url: str, small_study: Callable[..., Study]
) -> None:
    """A failed trial is read as it was completed, with its reason; another reason is noticed."""
    database = Database(url)
    planned(database, study := small_study())
    leases = Leases(database, study.name, owner="w", seconds=600.0)
    claim = claimed(leases)
    finish(leases, claim, [failed(), *outcomes(claim)[1:]])
    (first, *_) = store.read_study(database, study.name).stages["coarse"].trials
    assert first.reason == "cost is nan at update 7"
    Window(url).execute(
        "UPDATE trial_user_attributes SET value_json = '\"cost is nan at update 6\"' "
        "WHERE key = 'reason'"
    )
    with pytest.raises(StorageError, match="as it was completed"):
        store.read_study(database, study.name)
    database.close()


@pytest.mark.parametrize(
    ("column", "value"),
    [("state", 7), ("replicate", -1), ("token", -1), ("total", -5), ("trials", '[["a", 0, [1.0]]]'),
     ("trials", "[[1, 0, [1e300]]]"), ("trials", "[[1, 0]]"), ("trials", "{}"),
     ("trials", "[[1, 0, 1.0]]"), ("trials", "[[1, 0, []]]"), ("trials", "[[1, 0, [1.0, 2.0]]]"),
     ("trials", '[[1, 0, ["a"]]]'), ("trials", "[[1, 0, {}]]")],
)  # fmt: skip
def test_a_cohort_that_nobody_can_train_is_refused(
    url: str, small_study: Callable[..., Study], column: str, value: object
) -> None:
    """A worker ends with a sentence at a cohort whose row is damaged, and waits for nothing."""
    database = Database(url)
    planned(database, study := small_study())
    cast = "CAST(:value AS JSON)" if column == "trials" and "postgresql" in url else ":value"
    Window(url).execute(f"UPDATE lamsearch_cohort SET {column} = {cast}", value=value)  # noqa: S608
    with pytest.raises(StorageError, match=r"damaged|did not write"):
        Leases(database, study.name, owner="w", seconds=600.0).claim()
    database.close()
