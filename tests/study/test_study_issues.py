from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from study_documents import changed

from lamsearch.errors import InputError, StudyFileError
from lamsearch.study import parse_study, read_study

NAME = (
    "must be a file name: at most 100 ASCII letters, digits, '.', '_', '-', the first no sign, got"
)
# One row per kind of issue: what is changed in a right study, and the one line it must give.
ONE_LINE: dict[str, tuple[dict[str, Any], str]] = {
    "unknown section": ({"finale": {"train": 3}}, "finale: unknown key; did you mean final?"),
    "unknown key": (
        {"training": {"eta_mx": 0.1}}, "training.eta_mx: unknown key; did you mean eta_max?"
    ),
    "unknown key like none": ({"network": {"zzz": 1}}, "network.zzz: unknown key"),
    "unknown key with a dash": (
        {"training": {"batch-size": 5}},
        "training.batch-size: unknown key; did you mean batch_size?",
    ),
    "float for an integer": ({"cohort": 1.5}, "cohort: must be a whole number, or 'auto', got 1.5"),
    "text for a number": (
        {"training": {"eta_max": "big"}}, "training.eta_max: must be a number, got 'big'"
    ),
    "number for text": ({"name": 3}, "name: must be a string, got 3"),
    "true for an integer": ({"seed": True}, "seed: must be a whole number, got True"),
    "text for a truth value": (
        {"data": {"stratified": "yes"}}, "data.stratified: must be true or false, got 'yes'"
    ),
    "text for an array": (
        {"coarse": {"log10_lambda": "wide"}}, "coarse.log10_lambda: must be an array, got 'wide'"
    ),
    "value for a table": ({"coarse": 3}, "coarse: must be a table, got 3"),
    "no such choice": (
        {"coarse": {"sampler": "grid"}},
        "coarse.sampler: must be 'random', 'stratified' or 'tpe', got 'grid'",
    ),
    "no such sampling": (
        {"training": {"sample_every": "often"}},
        "training.sample_every: must be a whole number, or 'epoch' or 'cycle', got 'often'",
    ),
    "halving in one cycle": (
        {"coarse": {"halving": True}},
        "coarse.halving: needs at least 2 cycles in the schedule of coarse, got 1",
    ),
    "halving a cohort of one": (
        {"cohort": 1, "fine": {"halving": True, "cycles": 2}},
        "fine.halving: needs cohort to be at least 2: nobody leaves a cohort of one, got 1",
    ),
    "rounds beside values": (
        {"fine": {"values": [-3.0, -2.0], "trials": None, "keep": None, "rounds": 2}},
        "fine.rounds: must not stand beside values, got 2",
    ),
    "extend beside values": (
        {"fine": {"values": [-3.0, -2.0], "trials": None, "keep": None, "extend": True}},
        "fine.extend: must not stand beside values, got True",
    ),
    "extend without coarse": (
        {"coarse": None, "fine": {"log10_lambda": [-4.0, -2.0], "keep": None, "extend": True}},
        "fine.extend: needs a [coarse] stage, whose interval is the limit, got True",
    ),
    "no round": ({"fine": {"rounds": 0}}, "fine.rounds: must be at least 1, got 0"),
    "rounds of coarse": ({"coarse": {"rounds": 2}}, "coarse.rounds: unknown key"),
    "number for a truth value": (
        {"fine": {"halving": 2, "cycles": 2}}, "fine.halving: must be true or false, got 2"
    ),
    "halving where nothing is searched": (
        {"finalists": {"halving": True}}, "finalists.halving: unknown key"
    ),
    "bounds reversed": (
        {"coarse": {"log10_lambda": [-1.0, -5.0]}},
        "coarse.log10_lambda: the lower bound must be below the upper one, got [-1.0, -5.0]",
    ),
    "bounds equal": (
        {"coarse": {"log10_lambda": [-2.0, -2.0]}},
        "coarse.log10_lambda: the lower bound must be below the upper one, got [-2.0, -2.0]",
    ),
    "bound infinite": (
        {"coarse": {"log10_lambda": [-math.inf, -1.0]}},
        "coarse.log10_lambda[0]: must be finite, got -inf",
    ),
    "bound not a number": (
        {"coarse": {"log10_lambda": [-5.0, math.nan]}},
        "coarse.log10_lambda[1]: must be finite, got nan",
    ),
    "one bound": ({"coarse": {"log10_lambda": [-5.0]}}, "coarse.log10_lambda[1]: is required"),
    "three bounds": (
        {"coarse": {"log10_lambda": [-5.0, -3.0, -1.0]}},
        "coarse.log10_lambda: must have at most 2 items, not 3, got (-5.0, -3.0, -1.0)",
    ),
    "bound beyond sense": (
        {"coarse": {"log10_lambda": [-5.0, 11.0]}},
        "coarse.log10_lambda[1]: must be at most 10, got 11.0",
    ),
    "more images than there are": (
        {"data": {"train": 1700}, "final": {"train": None, "validation": None}},
        "data: train + validation + test must be at most the 1797 images of digits, got 2000",
    ),
    "more images in the final": (
        {"final": {"train": 1590}},
        "final: train + validation must be at most the 1597 images of the training pool, got 1640",
    ),
    "name with a directory": (
        {"name": "../up"},
        f"name: {NAME} '../up'",
    ),
    "name empty": (
        {"name": ""},
        f"name: {NAME} ''",
    ),
    "name hidden": (
        {"name": ".x"},
        f"name: {NAME} '.x'",
    ),
    "name with a line break": (
        {"name": "x\n"},
        f"name: {NAME} 'x\\n'",
    ),
    "seed negative": ({"seed": -1}, "seed: must be at least 0, got -1"),
    "cohort of none": ({"cohort": 0}, "cohort: must be at least 1, or 'auto', got 0"),
    "learning rates reversed": (
        {"training": {"eta_min": 0.2}}, "training.eta_min: must be at most eta_max = 0.1, got 0.2"
    ),
    "learning rates reversed by a stage": (
        {"fine": {"eta_min": 0.2}}, "fine.eta_min: must be at most eta_max = 0.1, got 0.2"
    ),
    "no name": ({"name": None}, "name: is required"),
    "no seed": ({"seed": None}, "seed: is required"),
    "no data": ({"data": None}, "data: is required"),
    "no training": ({"training": None}, "training: is required"),
    "no stage": (
        {"coarse": None, "fine": None, "finalists": None, "final": None},
        "the file: needs at least one stage of coarse, fine, finalists, final",
    ),
    "no candidates": (
        {"coarse": None, "fine": None},
        "finalists: needs a [coarse] or [fine] stage to come from",
    ),
    "no interval": (
        {"coarse": None, "fine": {"keep": None}},
        "fine.log10_lambda: is required where there is no [coarse]",
    ),
    "keep without coarse": (
        {"coarse": None, "fine": {"log10_lambda": [-4.0, -2.0]}},
        "fine.keep: needs a [coarse] stage, got 2",
    ),
    "keep beyond coarse": (
        {"fine": {"keep": 6}}, "fine.keep: must be at most the 5 candidates of coarse, got 6"
    ),
    "an interval after coarse": (
        {"fine": {"log10_lambda": [-4.0, -2.0]}},
        "fine.log10_lambda: must not be given after [coarse]: it is the span of coarse's best,"
        " got [-4.0, -2.0]",
    ),
    "values beside trials": (
        {"coarse": {"values": [-3.0, -2.0], "log10_lambda": None}},
        "coarse.trials: must not stand beside values, got 5",
    ),
    "values beside a sampler": (
        {"coarse": {"values": [-3.0, -2.0], "log10_lambda": None, "trials": None,
                    "sampler": "tpe"}},
        "coarse.sampler: must not stand beside values, got 'tpe'",
    ),
    "values twice": (
        {"coarse": {"values": [-3.0, -3.0], "log10_lambda": None, "trials": None}},
        "coarse.values: must hold at least one log10 λ, each once, got [-3.0, -3.0]",
    ),
    "test curves with selection": (
        {"final": {"test_curves": True}},
        "final.test_curves: must be false where a stage selects λ: nothing before the end may"
        " read the test set, got True",
    ),
    "snapshots of one cycle": (
        {"final": {"snapshots": True, "cycles": 1}},
        "final.snapshots: needs at least 2 cycles in the schedule of final, got 1",
    ),
    "more snapshots than cycles": (
        {"final": {"snapshots": 4, "cycles": 3}},
        "final.snapshots: must be at most the 3 cycles of final, got 4",
    ),
    "a mean of one snapshot": (
        {"final": {"snapshots": 1}},
        "final.snapshots: must be true or false, or at least 2, got 1",
    ),
    "snapshots of hundreds of cycles": (
        {"final": {"snapshots": True, "cycles": 500, "step_size": 1}},
        "final.snapshots: must be a number of cycle ends, at most 100, of so many cycles, got True",
    ),
    "λ given with selection": (
        {"final": {"log10_lambda": -2.0}},
        "final.log10_lambda: must not be given where a stage selects λ, got -2.0",
    ),
    "λ not given without selection": (
        {"coarse": None, "fine": None, "finalists": None},
        "final.log10_lambda: is required where no stage selects λ",
    ),
    "a test set for cifar10": (
        {"data": {"source": "cifar10"}},
        "data.test: must not be given: cifar10 has a test set of its own, got 200",
    ),
    "no such source": (
        {"data": {"source": "mnist"}},
        "data.source: must be digits, cifar10, npz, table, idx, images, cifar100, svhn, or a path "
        "that ends in .npz, got 'mnist'",
    ),
    "npz without a path": (
        {"data": {"source": "npz"}}, "data.path: is required where source is npz"
    ),
    "batches of digits": (
        {"data": {"train": None, "validation": None, "train_batches": [1],
                  "validation_batches": [2]}, "final": {"train": None, "validation": None}},
        "data.train_batches: is only for cifar10, got [1]",
    ),
    "batches twice": (
        {"data": {"source": "cifar10", "test": None, "train": None, "validation": None,
                  "train_batches": [1, 2], "validation_batches": [2]},
         "final": {"train": None, "validation": None}},
        "data: train_batches and validation_batches must be disjoint, without repeats, not empty,"
        " got [1, 2, 2]",
    ),
    "batches half": (
        {"data": {"source": "cifar10", "test": None, "train_batches": [1], "train": None,
                  "validation": None}, "final": {"train": None, "validation": None}},
        "data: train_batches and validation_batches must be given together",
    ),
    "splits redrawn from whole batches": (
        {"data": {"source": "cifar10", "test": None, "train": None, "validation": None,
                  "train_batches": [1], "validation_batches": [2], "resplit": True},
         "final": {"train": None, "validation": None}},
        "data.resplit: must not stand beside data.train_batches, which leaves nothing to draw,"
        " got True",
    ),
    "splits redrawn for nobody": (
        {"data": {"resplit": True}, "finalists": None, "final": {"replicates": 1}},
        "data.resplit: needs [finalists] or [final] with at least 2 replicates, whose splits it"
        " draws, got True",
    ),
    "more splits than a disk holds": (
        {"data": {"resplit": True}, "finalists": {"replicates": 101}},
        "finalists.replicates: must be at most 100 with data.resplit: each has a split of its own,"
        " got 101",
    ),
    "folds and redrawn splits": (
        {"data": {"train": None, "validation": None, "folds": 3, "resplit": True},
         "final": {"train": None, "validation": None}},
        "data.resplit: must not stand beside data.folds, which give each replicate a split of its"
        " own, got True",
    ),
    "a fold of another size": (
        {"data": {"folds": 4, "train": 300, "validation": 110},
         "final": {"train": None, "validation": None}},
        "data.validation: must be left out beside data.folds, or be 102: a fold of 4 of so many,"
        " got 110",
    ),
    "folds and half a size": (
        {"data": {"folds": 4, "train": 300, "validation": None},
         "final": {"train": None, "validation": None}},
        "data.train: must be left out beside data.folds, which make the splits, got 300",
    ),
    "folds of whole batches": (
        {"data": {"source": "cifar10", "test": None, "train": None, "validation": None,
                  "train_batches": [1], "validation_batches": [2], "folds": 2},
         "final": {"train": None, "validation": None}},
        "data.folds: must not stand beside data.train_batches, which leaves nothing to draw, got 2",
    ),
    "folds of nobody": (
        {"data": {"folds": 2, "train": None, "validation": None}, "finalists": None,
         "final": {"train": None, "validation": None, "replicates": 1}},
        "data.folds: needs [finalists] or [final] with at least 2 replicates, whose splits it"
        " draws, got 2",
    ),
    "a final's size beside folds": (
        {"data": {"folds": 2, "train": None, "validation": None}, "final": {"validation": None}},
        "final.train: must not stand beside data.folds, got 350",
    ),
    "sizes beside batches": (
        {"data": {"source": "cifar10", "test": None, "train": None, "validation": None,
                  "train_batches": [1], "validation_batches": [2]},
         "final": {"validation": None}},
        "final.train: must not stand beside data.train_batches, got 350",
    ),
}  # fmt: skip


def lines_of(changes: dict[str, Any]) -> list[str]:
    """Parse a study that must be refused; return the lines of the refusal."""
    with pytest.raises(StudyFileError) as caught:
        parse_study(changed(changes), where="my.toml")
    return str(caught.value).splitlines()


@pytest.mark.parametrize("kind", ONE_LINE)
def test_each_issue_is_one_line_of_file_key_rule_and_value(kind: str) -> None:
    """A file with one issue is refused with that one line and no other."""
    changes, line = ONE_LINE[kind]
    assert lines_of(changes) == [f"my.toml: {line}"]


def test_a_refused_file_is_named_by_its_path(study_file: Callable[..., Path]) -> None:
    """A study file's issues open with the path that was given."""
    path = study_file(cohort=0, seed=-1)
    with pytest.raises(StudyFileError) as caught:
        read_study(path)
    assert str(caught.value).splitlines() == [
        f"{path}: seed: must be at least 0, got -1",
        f"{path}: cohort: must be at least 1, or 'auto', got 0",
    ]
    assert caught.value.exit_code == 2


def test_a_batch_beyond_the_images_is_said_once() -> None:
    """A mini-batch larger than some stages' training images is one line, of the fewest images."""
    rule = "must be at most the 300 training images of"
    assert lines_of({"training": {"batch_size": 301}, "final": {"train": 301}}) == [
        f"my.toml: training.batch_size: {rule} coarse, got 301"
    ]
    assert lines_of({"training": {"batch_size": 301}, "fine": {"batch_size": 302}}) == [
        f"my.toml: fine.batch_size: {rule} fine, got 302",
        f"my.toml: training.batch_size: {rule} coarse, got 301",
    ]


def test_a_batch_that_nobody_asked_for_is_said_with_its_default() -> None:
    """Where the file has no batch size, the one issue says what it is then."""
    changes = {
        "data": {"train": 60}, "training": {"batch_size": None},
        "final": {"train": None, "validation": None},
    }  # fmt: skip
    assert lines_of(changes) == [
        "my.toml: training.batch_size: must be at most the 60 training images of coarse; where it "
        "is not given it is 100, got 100"
    ]


def test_all_mistakes_come_in_one_error() -> None:
    """Mistakes in keys, between keys and between tables are all said at once, and no others."""
    lines = lines_of({
        "name": "a/b", "cohort": 0, "traning": {"cycles": 1},
        "data": {"train": 1700},
        "training": {"eta_max": math.nan},
        "coarse": {"trials": "many"},
        "fine": {"log10_lambda": [-1.0, -2.0]},
        "final": {"test_curves": True, "train": None, "validation": None},
    })  # fmt: skip
    places = sorted(line.removeprefix("my.toml: ").split(": ")[0] for line in lines)
    assert places == sorted([
        "name", "cohort", "traning", "data", "training.eta_max", "coarse.trials",
        "fine.log10_lambda", "fine.log10_lambda", "final.test_curves",
    ])  # fmt: skip


@pytest.mark.parametrize("stage", ["coarse", "fine"])
def test_a_broken_table_is_not_missed(stage: str) -> None:
    """A table with a issue in it counts as there: no follow-up says that it is missing."""
    others: dict[str, Any] = {} if stage == "coarse" else {"coarse": None}
    assert lines_of({stage: {"zzz": 1}, **others}) == [f"my.toml: {stage}.zzz: unknown key"]
    assert lines_of({**others, stage: {"zzz": 1}, "final": {"log10_lambda": -2.0}})[-1] == (
        "my.toml: final.log10_lambda: must not be given where a stage selects λ, got -2.0"
    )


def test_an_empty_document_gets_all_that_is_missing() -> None:
    """An empty study file is told every table and key that it needs."""
    with pytest.raises(StudyFileError) as caught:
        parse_study({}, where="my.toml")
    assert str(caught.value).splitlines() == [
        "my.toml: name: is required",
        "my.toml: seed: is required",
        "my.toml: data: is required",
        "my.toml: training: is required",
        "my.toml: the file: needs at least one stage of coarse, fine, finalists, final",
    ]


@pytest.mark.parametrize(
    ("content", "rule"),
    [(b"name = ", "must be TOML"), (b"name = 'caf\xe9'", "must be UTF-8 text"), (None, "No such")],
)
def test_what_is_no_study_file_is_refused_by_name(
    content: bytes | None, rule: str, tmp_path: Path
) -> None:
    """A file that is missing, not UTF-8 or not TOML is one sentence that names it."""
    path = tmp_path / "study.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_study(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert rule in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_directory_is_no_study_file(tmp_path: Path) -> None:
    """A directory given as the study file is refused by name."""
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        read_study(tmp_path)
