"""Packages whose parts are loaded when they are wanted."""

from __future__ import annotations

import json.decoder

import pytest

from lamsearch.lazily import parts_of


def test_a_name_is_that_of_its_module() -> None:
    """What is asked for by name comes from the module that is said to have it."""
    assert parts_of("json", {"JSONDecoder": "decoder"})("JSONDecoder") is json.decoder.JSONDecoder


def test_another_name_is_refused_as_python_does() -> None:
    """A name that no module is said to have is refused in Python's own words."""
    with pytest.raises(AttributeError, match=r"^module 'json' has no attribute 'loads'$"):
        parts_of("json", {"JSONDecoder": "decoder"})("loads")
