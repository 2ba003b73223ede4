"""The canonical form: what came later than the first fingerprints is left out by default."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import Field
from study_documents import changed

from lamsearch.study import Network, Study, Training, parse_study


class LaterNetwork(Network):
    """A network with keys that a later version might add."""

    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    names: tuple[str, ...] = ()


class LaterStudy(Study):
    """A study file with a key and a table that a later version might add."""

    direction: str = "up"
    network: LaterNetwork = LaterNetwork()
    shaker: Training | None = None


def later(**more: Any) -> LaterStudy:
    """The right study as a later version reads it, with more keys."""
    study = parse_study(changed({}))
    parts = {key: getattr(study, key) for key in Study.model_fields}
    parts["network"] = LaterNetwork(hidden=study.network.hidden, **more.pop("network", {}))
    return LaterStudy(**{**parts, **more})


def test_a_key_that_comes_later_changes_no_fingerprint() -> None:
    """Keys that a later version adds are left out where they are not given or given as their
    defaults: the study keeps the fingerprint, and an earlier version can read what is stored."""
    before = parse_study(changed({}))
    for study in (later(), later(direction="up", network={"dropout": 0.0})):
        assert study.canonical() == before.canonical()
        assert study.fingerprint == before.fingerprint


@pytest.mark.parametrize(
    "more", [{"direction": "down"}, {"metric": "log_loss"}, {"network": {"dropout": 0.5}}], ids=str
)
def test_a_later_key_that_is_given_changes_the_fingerprint(more: dict[str, Any]) -> None:
    """A later key that is not at its default stands in the canonical form."""
    study = later(**more)
    assert study.fingerprint != later().fingerprint
    assert any(word in str(study.canonical()) for word in ("log_loss", "down", "0.5"))


def test_the_first_defaults_are_written_out() -> None:
    """Defaults that the first fingerprints counted go on being written out."""
    short = parse_study({
        "name": "short", "seed": 1, "data": {"source": "digits", "train": 10, "validation": 10},
        "training": {"step_size": 5, "batch_size": 5}, "coarse": {"values": [-2.0]}, "fine": {
            "trials": 2}, "finalists": {}, "final": {},
    })  # fmt: skip
    assert short.canonical() == {
        "name": "short", "seed": 1, "cohort": 8, "network": {"hidden": 50},
        "data": {"source": "digits", "train": 10, "validation": 10, "stratified": False},
        "training": {"batch_size": 5, "schedule": "triangular", "eta_min": 1e-5, "eta_max": 0.1,
                     "gamma": 1.0, "step_size": 5, "cycles": 1, "sample_every": "epoch"},
        "coarse": {"sampler": "random", "values": [-2.0], "halving": False},
        "fine": {"trials": 2, "sampler": "random", "halving": False, "rounds": 1, "extend": False},
        "finalists": {"keep": 4, "replicates": 5, "extend": False, "rounds": 1, "rule": "best"},
        "final": {"replicates": 5, "test_curves": False},
    }  # fmt: skip
