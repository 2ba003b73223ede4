"""Names of trainers: registered ones only, and one sentence for all that is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lamsearch.errors import InputError, StudyFileError
from lamsearch.study import Study, parse_study
from lamsearch.trainers import NoOptions, TrainerKind, check, kind_named, register

ROOT = Path(__file__).parents[2]
OUTSIDE = Path(__file__).parent / "outside"


def document(trainer: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """A study of one stage, trained by ``trainer``."""
    found: dict[str, Any] = {
        "name": "own", "seed": 1,
        "data": {"source": "digits", "train": 300, "validation": 100},
        "training": {"batch_size": 20, "step_size": 10, "cycles": 2},
        "coarse": {"trials": 4, "log10_lambda": [-5.0, -1.0]},
    }  # fmt: skip
    return found | ({} if trainer is None else {"trainer": trainer}) | changes


def own(trainer: dict[str, Any] | None = None, **changes: Any) -> Study:
    """The study itself."""
    return parse_study(document(trainer, **changes))


def test_a_name_that_is_none_is_one_sentence_with_the_known_ones() -> None:
    """An unknown name is bad input that says which names there are."""
    with pytest.raises(InputError, match=r"^trainer.name: must be one of network, .*got 'sofmax'$"):
        kind_named("sofmax")


@pytest.mark.parametrize("name", ["lamsearch.trainers.network.kind:NETWORK", "../network", ""])
def test_paths_and_modules_are_no_names(name: str) -> None:
    """What looks like a module or a path is looked up as any name, and not found."""
    with pytest.raises(InputError, match=r"trainer.name: must be one of"):
        kind_named(name)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("absent", "cannot be used: ModuleNotFoundError: No module named 'lamsearch_absent'"),
        ("text", "cannot be used: it must be a lamsearch.trainers.TrainerKind, got str"),
        ("other", "must bear the name that it is registered under, got 'softmax'"),
    ],
)
def test_a_broken_entry_point_is_one_sentence(name: str, words: str) -> None:
    """An installed package that registers what cannot be used is bad input for who names it."""
    code = f"""
from lamsearch.errors import InputError
from lamsearch.trainers import kind_named
assert kind_named("softmax").name == "softmax"
try:
    kind_named({name!r})
except InputError as error:
    print(error)
"""
    path = os.pathsep.join(map(str, (OUTSIDE, OUTSIDE.with_name("outside_broken"))))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, "PYTHONPATH": path},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert words in done.stdout
    assert done.stdout.count("\n") == 1


def test_a_name_is_registered_once() -> None:
    """Neither lamsearch's own nor a package's trainer can be replaced by registering another."""
    for name in ("network", "softmax"):
        with pytest.raises(ValueError, match="must be its own"):
            register(TrainerKind(name=name, make=lambda _: None))  # type: ignore[arg-type,return-value]  # never made


def test_the_built_in_trainer_is_not_written_down() -> None:
    """A study without [trainer], and one that names the network, have one canonical form, which
    is that of files older than the table."""
    assert own().canonical() == own({"name": "network"}).canonical()
    assert "trainer" not in own().canonical()
    assert own().canonical()["network"] == {"hidden": 50}
    assert own().fingerprint == own({"name": "network"}).fingerprint


def test_another_trainer_is_part_of_the_study() -> None:
    """Name and options are in the canonical form, which is read again as the same study."""
    study = own({"name": "softmax", "rate": 0.25})
    assert study.canonical()["trainer"] == {"name": "softmax", "rate": 0.25}
    assert "network" not in study.canonical()
    assert parse_study(study.canonical()) == study
    assert check(parse_study(study.canonical())) == study
    assert study.fingerprint != own({"name": "softmax", "rate": 0.5}).fingerprint


@pytest.mark.parametrize(
    ("study", "sentence"),
    [
        (own({"name": "softmax", "rate": -1.0}),
         "own.toml: trainer.rate: must be above 0, got -1.0"),
        (own({"name": "softmax", "depth": 3}),
         "own.toml: trainer.depth: unknown key of trainer 'softmax': it has rate"),
        (own({"name": "centroids", "rate": 3}),
         "own.toml: trainer.rate: unknown key of trainer 'centroids': it has no options"),
        (own({"name": "network", "hidden": 3}),
         "own.toml: trainer.hidden: unknown key of trainer 'network': its options stand in "
         "[network]"),
        (own({"name": "softmax"}, network={"hidden": 3}),
         "own.toml: network: must not be given with trainer 'softmax'"),
        (own({"name": "centroids"},
             coarse={"trials": 4, "log10_lambda": [-5.0, -1.0], "halving": True}),
         "own.toml: coarse.halving: needs a trainer that lets trials go early, which 'centroids' "
         "does not, got True"),
        (own({"name": "softmax"}, final={"replicates": 2}),
         "own.toml: final: needs a trainer whose models can be kept, which those of 'softmax' "
         "cannot"),
    ],
)  # fmt: skip
def test_a_trainer_checks_what_is_asked_of_it(study: Study, sentence: str) -> None:
    """Options that the trainer does not know or accept, and stages that it cannot train, are
    issues of the study file."""
    with pytest.raises(StudyFileError) as raised:
        check(study, "own.toml")
    assert str(raised.value) == sentence


def test_options_are_plain_values() -> None:
    """What TOML has beyond JSON's values is refused at once."""
    import datetime

    with pytest.raises(StudyFileError, match=r"trainer\.since"):
        own({"name": "softmax", "since": datetime.date(2020, 1, 1)})


def test_names_that_no_study_file_could_have_are_refused() -> None:
    """A trainer's name is a plain word."""
    with pytest.raises(ValueError, match="must be lower-case letters"):
        TrainerKind(name="a b", make=lambda _: None, options=NoOptions)  # type: ignore[arg-type,return-value]  # never made
