"""A stage's settings, resolved: from a study and from what is recorded of one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from study_documents import BATCHES, FINAL_ONLY, VALUES, changed

from lamsearch.study import parse_study, read_study, recorded_settings

STUDIES = sorted(Path(__file__).parents[2].glob("studies/**/*.toml"))


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.name)
def test_a_record_is_resolved_as_its_study(path: Path) -> None:
    """What a record's settings say of each stage of a shipped study is what the study says."""
    study = read_study(path)
    for stage in study.stages:
        assert recorded_settings(study.canonical(), stage) == study.settings_of(stage)


@pytest.mark.parametrize("changes", [FINAL_ONLY, VALUES, BATCHES], ids=str)
def test_every_kind_of_study_is_resolved_alike(changes: dict[str, Any]) -> None:
    """Given candidates, a given λ and named batches are resolved the same from either."""
    study = parse_study(changed(changes))
    for stage in study.stages:
        assert recorded_settings(study.canonical(), stage) == study.settings_of(stage)


def test_a_stage_s_own_keys_lie_over_the_others() -> None:
    """Components, sizes, halving and schedule of a stage stand over [data] and [training]."""
    study = parse_study(changed({
        "data": {"components": 20}, "coarse": {"components": 5, "halving": True, "cycles": 2},
    }))  # fmt: skip
    coarse, final = study.settings_of("coarse"), study.settings_of("final")
    assert (coarse.components, coarse.halving, coarse.training.cycles) == (5, True, 2)
    assert (coarse.train_examples, coarse.validation_examples) == (300, 100)
    assert (final.components, final.halving, final.training.cycles) == (20, False, 2)
    assert (final.train_examples, final.validation_examples) == (350, 50)


def test_named_batches_assign_rows_of_the_pool() -> None:
    """Named batches are 10,000 rows each in the order of their files, and no sizes are drawn."""
    settings = parse_study(changed(BATCHES)).settings_of("final")
    assert settings.assigned is not None
    assert settings.assigned.train == (range(10_000), range(20_000, 30_000))
    assert settings.assigned.validation == (range(10_000, 20_000),)
    assert (settings.train, settings.train_examples) == (None, 20_000)


@pytest.mark.parametrize(
    "settings",
    [{}, {"training": {}}, {"training": 3}, {"training": {"step_size": "long"}},
     {"training": {"step_size": 5}, "coarse": {"cycles": 0}}],
    ids=str,
)  # fmt: skip
def test_a_record_that_does_not_say_how_it_is_trained_has_no_settings(
    settings: dict[str, object],
) -> None:
    """Nothing is made up for a record whose settings are damaged."""
    assert recorded_settings(settings, "coarse") is None


def test_a_source_that_is_not_here_keeps_its_sizes() -> None:
    """A record of a source that nobody registers here still says how many examples there were."""
    settings = recorded_settings(
        {"data": {"source": "of others", "train": 7, "validation": 3, "own": [1]},
         "training": {"step_size": 5}}, "coarse",
    )  # fmt: skip
    assert settings is not None
    assert (settings.train, settings.validation) == (7, 3)
