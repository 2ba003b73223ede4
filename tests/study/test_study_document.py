from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from study_documents import BATCHES, FINAL_ONLY, RIGHT, VALUES, changed

from lamsearch.study import Study, differences, parse_study, read_study

STUDIES = sorted(Path(__file__).parents[2].glob("studies/**/*.toml"))


def built(changes: dict[str, Any]) -> Study:
    """Return the right study with changes."""
    return parse_study(changed(changes))


@pytest.mark.parametrize("changes", [{}, FINAL_ONLY, VALUES, BATCHES], ids=str)
def test_the_canonical_form_is_the_same_study(changes: dict[str, Any]) -> None:
    """A study's canonical form parses to the same study with the same fingerprint."""
    study = built(changes)
    again = parse_study(study.canonical())
    assert again == study
    assert again.canonical() == study.canonical()
    assert again.fingerprint == study.fingerprint


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.name)
def test_the_shipped_studies_parse(path: Path) -> None:
    """Every study file that comes with lamsearch is right and survives its canonical form."""
    study = read_study(path)
    assert parse_study(study.canonical()).fingerprint == study.fingerprint


def test_the_two_promised_studies_are_there() -> None:
    """`digits.toml` and `cifar10.toml` exist, have all four stages and bear their names."""
    for name in ("digits", "cifar10"):
        study = read_study(Path(__file__).parents[2] / "studies" / f"{name}.toml")
        assert study.name == name
        assert study.stages == ("coarse", "fine", "finalists", "final")


PLAIN = """\
name = "plain"
seed = 3
[data]
source = "digits"
train = 300
validation = 100
[training]
step_size = 15
[coarse]
trials = 4
log10_lambda = [-5.0, -1.0]
"""
SAME_WITH_DEFAULTS = """\
# the same study, said at length
seed = 3
cohort = 8
name = "plain"
[coarse]
sampler = "random"
log10_lambda = [-5, -1]   # whole numbers are numbers
trials = 4
[training]
cycles = 1
step_size = 15
eta_min = 0.00001
eta_max = 0.1
gamma = 1
schedule = "triangular"
sample_every = "epoch"
batch_size = 100
[network]
hidden = 50
[data]
stratified = false
validation = 100
train = 300
source = "digits"
"""


def test_comments_order_and_written_defaults_do_not_change_the_fingerprint() -> None:
    """Two files that say the same study differently have the same fingerprint."""
    one, other = (parse_study(tomllib.loads(text)) for text in (PLAIN, SAME_WITH_DEFAULTS))
    assert one.fingerprint == other.fingerprint
    assert differences(one.canonical(), other.canonical()) == []


@pytest.mark.parametrize(
    "changes", [{"seed": 8}, {"cohort": 4}, {"coarse": {"cycles": 2}}, {"finalists": None}], ids=str
)
def test_every_change_of_the_study_changes_the_fingerprint(changes: dict[str, Any]) -> None:
    """Whatever changes the answer changes the fingerprint."""
    assert built(changes).fingerprint != built({}).fingerprint


def test_differences_show_old_and_new_of_each_key() -> None:
    """Two canonical forms are compared key by key, absent ones said to be absent."""
    other = built({"seed": 8, "fine": {"step_size": 4}, "final": {"train": None}})
    assert differences(built({}).canonical(), other.canonical()) == [
        "final.train: 350 → (absent)",
        "fine.step_size: (absent) → 4",
        "seed: 7 → 8",
    ]


def test_stages_override_the_training() -> None:
    """A stage's own keys stand over [training]; the other stages keep it."""
    overrides = {"eta_max": 0.5, "batch_size": 10, "schedule": "exp_range", "gamma": 0.9,
                 "sample_every": 7, "eta_min": 0.01, "step_size": 3}  # fmt: skip
    study = built({"coarse": overrides})
    coarse = study.training_of("coarse")
    assert coarse.model_dump() == {
        "batch_size": 10, "schedule": "exp_range", "eta_min": 0.01, "eta_max": 0.5,
        "gamma": 0.9, "step_size": 3, "cycles": 1, "sample_every": 7,
    }  # fmt: skip
    assert coarse.updates == 2 * 3 * 1
    assert study.training_of("finalists") == study.training
    assert study.training.updates == 2 * 15 * 2


def test_splits_and_pool_follow_the_stages() -> None:
    """Only the final has sizes of its own, and the pool holds the largest split."""
    study = built({})
    for stage in ("coarse", "fine", "finalists"):
        assert study.split_of(stage) == (300, 100)
        assert study.validation_images(stage) == 100
    assert study.split_of("final") == (350, 50)
    assert study.validation_images("final") == 50
    assert study.pool_size == 400
    assert built({"final": {"train": 500}}).pool_size == 550
    assert built({"final": {"train": None}}).split_of("final") == (300, 50)


def test_named_batches_have_no_sizes_and_take_the_whole_pool() -> None:
    """Where batches are named, splits have no sizes and the pool is all of CIFAR-10."""
    study = built(BATCHES)
    assert study.split_of("coarse") == study.split_of("final") == (None, None)
    assert study.validation_images("final") == 10_000
    assert study.pool_size == 50_000


def test_a_final_alone_selects_nothing() -> None:
    """A study with a given λ has one stage, selects nothing, and may ask for test curves."""
    study = built({**FINAL_ONLY, "final": {"log10_lambda": -3, "test_curves": True}})
    assert study.stages == ("final",)
    assert not study.selects
    assert built({}).selects


def test_people_s_own_arrays_are_given_either_way() -> None:
    """An .npz is the source itself, or npz with a path."""
    own: dict[str, Any] = {"data": {"source": "npz", "path": "my/x.npz"}}
    assert built(own).data.file == "my/x.npz"
    assert built({"data": {"source": "my/x.npz"}}).data.file == "my/x.npz"
    assert built({}).data.file is None


def test_a_checked_study_cannot_be_changed() -> None:
    """A study is frozen once it is checked."""
    with pytest.raises(ValueError, match="frozen"):
        built({}).seed = 1  # type: ignore[misc]
    assert RIGHT["seed"] == 7
