"""Names are looked up among what is registered, and nowhere else."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from lamsearch.cli import VERBS
from lamsearch.registries import BrokenEntryError, Registry, UnknownNameError
from lamsearch.study import SOURCES

GROUP = "lamsearch.tests"


def install(directory: Path, package: str, lines: str) -> None:
    """Write what an installer leaves of a package with entry points."""
    information = directory / f"{package}-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[{GROUP}]\n{lines}\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that packages are installed in."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def numbers() -> Registry[float]:
    """A registry of floats, one of them its own."""
    builtin = {"pi": "math:pi"}
    return Registry(GROUP, builtin, rule="a float", fits=lambda found: isinstance(found, float))


def test_all_that_lamsearch_registers_can_be_loaded() -> None:
    """Every source and verb of lamsearch's own list is there, by its own name."""
    assert [SOURCES.get(name).name for name in SOURCES.builtin] == list(SOURCES.builtin)
    assert [VERBS.get(name).name for name in VERBS.builtin] == list(VERBS.builtin)


def test_packages_add_names_and_replace_none(site: Path) -> None:
    """An installed package's entry is found under its name; one under a name of lamsearch's own is
    not looked at."""
    install(site, "more", "e = math:e\npi = math:nan")
    registry = numbers()
    assert registry.names == ("pi", "e")
    assert (round(registry.get("pi"), 5), round(registry.get("e"), 5)) == (3.14159, 2.71828)


def test_an_unknown_name_is_said_with_the_known_ones(site: Path) -> None:
    """A name that nobody registers is refused, whatever could be imported by it."""
    install(site, "more", "e = math:e")
    for name in ("tau", "math:tau", "math", ""):
        with pytest.raises(UnknownNameError) as caught:
            numbers().get(name)
        assert str(caught.value) == f"must be one of pi, e, got {name!r}"


def test_of_two_packages_of_one_name_neither_is_used(site: Path) -> None:
    """Two packages that register the same name are both named, and nothing is chosen."""
    install(site, "first", "e = math:e")
    install(site, "second", "e = math:tau")
    with pytest.raises(BrokenEntryError) as caught:
        numbers().get("e")
    packages = "the package first and the package second"
    assert str(caught.value) == f"{GROUP}: 'e' is registered by {packages}: keep one"


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("math:eee", "AttributeError: module 'math' has no attribute 'eee'"),
        ("nowhere:x", "ModuleNotFoundError: No module named 'nowhere'"),
        ("raises:x", "ZeroDivisionError: two lines"),
        ("math:floor", "it must be a float, got builtin_function_or_method"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(entry: str, reason: str, site: Path) -> None:
    """Whatever goes wrong as an entry is loaded is one line that names entry and package."""
    (site / "raises.py").write_text('raise ZeroDivisionError("two\\nlines")\n')
    importlib.invalidate_caches()
    install(site, "crooked", f"x = {entry}")
    with pytest.raises(BrokenEntryError) as caught:
        numbers().get("x")
    assert str(caught.value) == (f"{GROUP}: 'x' of the package crooked cannot be used: {reason}")
    sys.modules.pop("raises", None)


def test_own_names_ask_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """What lamsearch registers itself is found without looking through installed packages."""

    def ask(**_: str) -> None:
        raise AssertionError("installed packages were looked through")

    monkeypatch.setattr("lamsearch.registries.entry_points", ask)
    assert numbers().get("pi") > 3
