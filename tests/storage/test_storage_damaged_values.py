"""Values that Optuna or lamsearch never writes, found by a hostile writer: one sentence each."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest
from storage_stub import Window, planned, work

from lamsearch.errors import StorageError
from lamsearch.storage import Database, Leases, View, load, read_study
from lamsearch.study import Study

Build = Callable[..., Study]


@pytest.mark.parametrize(
    "statement",
    ["UPDATE trial_values SET value = NULL",
     "UPDATE trial_intermediate_values SET intermediate_value = NULL"],
)  # fmt: skip
def test_a_score_that_is_gone_is_damage(
    database: Database, window: Window, small_study: Build, statement: str
) -> None:
    """A finite value that has become none, which Optuna asserts, is said to be damage."""
    planned(database, small_study(fine=None, finalists=None))
    work(Leases(database, "small", owner="a", seconds=60.0))
    window.execute(statement)
    with pytest.raises(StorageError, match="storage: ") as caught:
        read_study(database, "small")
    assert len(str(caught.value).splitlines()) == 1


def test_a_study_without_classes_is_damage(
    database: Database, window: Window, small_study: Build
) -> None:
    """A worker refuses a study whose classes are gone, before it trains for none of them."""
    planned(database, small_study())
    window.execute("UPDATE lamsearch_study SET classes = '[]'")
    with pytest.raises(StorageError, match="storage: ") as caught:
        load(database, "small")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("document", ["[]", "7", '{"metric": "brier"}', '{"metric": [1]}'])
def test_a_study_whose_document_is_damaged_leaves_the_list_of_the_others(
    database: Database, window: Window, small_study: Build, document: str
) -> None:
    """The list of stages names the metric of each study, and needs no document to be whole."""
    for name in ("one", "two"):
        planned(database, small_study(name=name))
    statement = "UPDATE lamsearch_study SET document = '{}' WHERE name = 'two'"
    window.execute(statement.format(document))
    with closing(View(database, writable=False)) as view:
        found = {stage.study: stage.metric for stage in view.planned().values()}
    assert found.keys() == {"one", "two"}
    assert found["one"] == "accuracy"
