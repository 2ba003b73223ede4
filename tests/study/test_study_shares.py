"""Sizes that are shares of the examples: read, checked, and made whole numbers once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from study_documents import changed

from lamsearch.errors import StudyFileError
from lamsearch.study import parse_study, sized
from lamsearch.study.shares import number_of

SHARES: dict[str, Any] = {
    "data": {"source": "a.npz", "train": 0.6, "validation": 0.15, "test": 0.2},
    "final": {"train": 0.7, "validation": 0.1},
}
NUMBERS: dict[str, Any] = {
    "data": {"source": "a.npz", "train": 601, "validation": 150, "test": 200},
    "final": {"train": 701, "validation": 100},
}


def refusal(changes: dict[str, Any]) -> str:
    """Parse a study that must be refused, and return why."""
    with pytest.raises(StudyFileError) as caught:
        parse_study(changed(changes), where="my.toml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("share", "examples", "number"),
    [(0.29, 100, 29), (0.1, 1797, 179), (0.7, 10, 7), (1e-05, 100_000, 1), (0.999, 999, 998)],
)
def test_a_share_is_the_decimal_number_that_is_written_rounded_down(
    share: float, examples: int, number: int
) -> None:
    """0.29 of 100 examples are 29, though 0.29 * 100 is below that in binary."""
    assert number_of(share, examples) == number


@given(st.lists(st.integers(1, 999), min_size=2, max_size=3), st.integers(1, 10**9))
def test_shares_of_a_whole_never_exceed_it(parts: list[int], examples: int) -> None:
    """Shares whose decimals add up to at most 1 are numbers that do not exceed the examples."""
    shares = [one / 1000 for one in parts]
    if sum(parts) <= 1000:
        assert sum(number_of(one, examples) for one in shares) <= examples


def test_a_study_of_shares_becomes_that_of_their_numbers() -> None:
    """Of 1002 examples the two have one canonical form and fingerprint, and split by split one
    size; before that the one has no sizes, and says so where they are needed."""
    shares, numbers = (parse_study(changed(one)) for one in (SHARES, NUMBERS))
    whole = sized(shares, 1002, own_test=False)
    assert whole.canonical() == numbers.canonical()
    assert whole.fingerprint == numbers.fingerprint != shares.fingerprint
    assert (whole.split_of("coarse"), whole.split_of("final")) == ((601, 150), (701, 100))
    assert (whole.pool_size, whole.validation_images("final")) == (801, 100)
    assert sized(numbers, 5, own_test=False) is numbers
    assert shares.split_of("coarse") == (None, None)
    for needed in (lambda: shares.pool_size, lambda: shares.validation_images("coarse")):
        with pytest.raises(ValueError, match="must be made numbers first"):
            needed()


def test_shares_and_numbers_mix() -> None:
    """A number stays as it is beside shares, in [data] as in [final]."""
    mixed = parse_study(
        changed({"data": {"source": "a.npz", "train": 0.5}, "final": {"train": None}})
    )
    assert sized(mixed, 1000, own_test=False).split_of("coarse") == (500, 100)
    assert sized(mixed, 1000, own_test=False).split_of("final") == (500, 50)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"data": {"train": 1.0}},
         "data.train: must be a whole number, or a share between 0 and 1, got 1.0"),
        ({"data": {"test": 0.0}},
         "data.test: must be a whole number, or a share between 0 and 1, got 0.0"),
        ({"final": {"validation": -0.5}},
         "final.validation: must be a whole number, or a share between 0 and 1, got -0.5"),
        ({"data": {"validation": 1e-4}},
         "data.validation: must be at least one of the 1797 examples of digits, got 0.0001"),
        ({"data": {"train": 0.9}},
         "data: train + validation + test must be at most the 1797 images of digits, got 1917"),
        ({"final": {"train": 0.9}},
         "final: train + validation must be at most the 1597 images of the training pool,"
         " got 1667"),
        ({"data": {"source": "a.npz", "train": 0.8, "validation": 0.2, "test": 0.1}},
         "data: train, validation and test must be at most 1 in all, as shares, got 1.1"),
        ({"data": {"train": 0.01}, "training": {"batch_size": 18}},
         "training.batch_size: must be at most the 17 training images of coarse, got 18"),
    ],
    ids=str,
)  # fmt: skip
def test_a_share_that_breaks_a_rule_is_said_as_soon_as_that_can_be_known(
    changes: dict[str, Any], line: str
) -> None:
    """Of a source of known size in numbers of examples, of any other where shares exceed 1."""
    assert f"my.toml: {line}" in refusal(changes).splitlines()


def test_what_only_the_data_can_tell_is_said_of_their_numbers() -> None:
    """A batch beyond the training share, and a share of no example, are refused with the data."""
    study = parse_study(changed(SHARES))
    with pytest.raises(StudyFileError, match="must be at most the 18 training images of coarse"):
        sized(study, 30, own_test=False)
    with pytest.raises(StudyFileError, match=r"data.validation: must be at least one of the 6 "):
        sized(study, 6, own_test=False)
