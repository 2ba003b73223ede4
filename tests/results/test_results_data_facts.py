"""What was seen of the data, from plain JSON values of this version and of earlier ones."""

from __future__ import annotations

import json
from dataclasses import asdict

from lamsearch.results import DataFacts


def test_facts_are_read_back_from_their_json() -> None:
    """Lists are tuples again, and all is as it was."""
    facts = DataFacts(
        majority="cat", baseline={"coarse": -0.7}, warnings=("one",),
        constants={"coarse": (0.25, 0.75)}, per_example={"coarse": ("text",)},
    )  # fmt: skip
    assert DataFacts.of(json.loads(json.dumps(asdict(facts)))) == facts
    assert DataFacts.of(asdict(facts)) == facts


def test_facts_of_an_earlier_version_have_neither_constants_nor_numbers() -> None:
    """They had three keys."""
    old = {"majority": "cat", "baseline": {"final": 0.5}, "warnings": []}
    assert DataFacts.of(old) == DataFacts(majority="cat", baseline={"final": 0.5})
