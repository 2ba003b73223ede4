"""The documentation site: whole, by itself, with an entry for whatever people can type.

One file, since what it looks at takes ten seconds to build.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote, urldefrag

import click
import pytest
from chromium import needs_chromium
from docs_build import ROOT, built
from sphinx.util.inventory import InventoryFile

import lamsearch
from lamsearch import trainers
from lamsearch.cli import cli
from lamsearch.study import json_schema

Entries = dict[str, set[str]]
LINK = re.compile(r'<(?:a|link|img|script)\b[^>]*?\b(?:href|src)="([^"]+)"')
LOADED = re.compile(r'<(?:link|img|script|iframe)\b[^>]*?\b(?:href|src)="([^"]+)"')


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the built site."""
    directory = tmp_path_factory.mktemp("documentation")
    done = built(ROOT / "docs", directory)
    assert done.returncode == 0, done.stderr[-3000:]
    return directory / "site"


def test_every_link_leads_somewhere(site: Path) -> None:
    """Each relative link of each page is a file of the site, and its fragment an id there."""
    pages = {path: path.read_text(encoding="utf-8") for path in site.rglob("*.html")}
    ids = {path: set(re.findall(r'\bid="([^"]+)"', text)) for path, text in pages.items()}
    assert len(pages) > 45
    broken = []
    for path, text in pages.items():
        for link in LINK.findall(text):
            if link.startswith(("http:", "https:", "data:", "mailto:")):
                continue
            target, fragment = urldefrag(link.replace("&amp;", "&"))
            file = (path.parent / unquote(target).partition("?")[0]).resolve() if target else path
            lacks = fragment and file in ids and unquote(fragment) not in ids[file]
            if not file.is_file() or lacks:
                broken.append(f"{path.name}: {link}")
    assert broken == []


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    """No page, style sheet or script of the site asks another host for anything."""
    for path in site.rglob("*.html"):
        outside = [one for one in LOADED.findall(path.read_text("utf-8")) if "//" in one]
        assert outside == [], path
    for path in site.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", path.read_text("utf-8"))


@needs_chromium
def test_in_a_browser_without_a_network(site: Path, browser: Any) -> None:
    """Opened as files, pages fit 360 px in light and dark, ask nobody for anything, and the search
    finds a key's entry."""
    for scheme in ("light", "dark"):
        page = browser.new_page(
            viewport={"width": 360, "height": 740},
            color_scheme=scheme,  # type: ignore[arg-type]
        )
        asked: list[str] = []
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        for name in ("index", "study-file", "reference/cli", "reference/trainers"):
            page.goto((site / f"{name}.html").as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") == 360, name
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", colour))) < 300) == (scheme == "dark")
        page.goto((site / "search.html").as_uri() + "?q=input_dropout")
        page.wait_for_selector("#search-results a[href*='study-keys']")
        assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
        page.close()


def test_files_of_the_repository_are_pages_too(site: Path) -> None:
    """A page that stands for a file outside docs/ shows that file, and links to it lead there."""
    shown = (site / "project/results.html").read_text(encoding="utf-8")
    assert "search_cv" in shown
    page = (site / "performance.html").read_text(encoding="utf-8")
    assert 'href="project/results.html"' in page
    assert re.search(r'href="_downloads/[0-9a-f]+/flips\.toml"', (site / "beyond.html").read_text())


def test_a_broken_link_fails_the_build(tmp_path: Path) -> None:
    """A link to a page, heading, file or figure that is not there is an error of the build."""
    docs = tmp_path / "docs"
    docs.mkdir()
    for name in ("conf.py", "optuna.md"):
        shutil.copy(ROOT / "docs" / name, docs)
    shutil.copytree(ROOT / "docs/static", docs / "static")
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    links = "[a](gone.md) [b](optuna.md#gone) [c](../studies/gone.toml) ![d](figures/gone.png)"
    toctree = "```{toctree}\noptuna\n```"
    (docs / "index.md").write_text(f"# Pages\n\n{links}\n\n{toctree}\n", encoding="utf-8")
    done = built(docs, tmp_path)
    assert done.returncode == 1
    assert {"gone.md", "gone", "gone.toml", "gone.png"} <= set(
        re.findall(r"gone[\w.]*", done.stderr)
    )
    assert done.stderr.count("WARNING") == 4


@pytest.fixture(scope="module")
def entries(site: Path) -> Entries:
    """The names that the site has entries of, by kind."""
    inventory = InventoryFile.loads((site / "objects.inv").read_bytes(), uri="")
    return {kind: set(named) for kind, named in inventory.data.items()}


@pytest.fixture(scope="module")
def python(entries: Entries) -> set[str]:
    """The names of Python that have an entry."""
    return {name for kind, names in entries.items() if kind.startswith("py:") for name in names}


def test_every_public_name(python: set[str]) -> None:
    """Each name of `lamsearch.__all__` has an entry."""
    assert {f"lamsearch.{name}" for name in lamsearch.__all__} <= python


def test_every_name_of_a_trainer_s_author(python: set[str]) -> None:
    """Each name of `lamsearch.trainers.__all__` has an entry."""
    assert {f"lamsearch.trainers.{name}" for name in trainers.__all__} <= python


def named_in_pages() -> set[str]:
    """Dotted names of lamsearch's objects that the pages import or speak of."""
    found = set()
    for path in (ROOT / "docs").glob("*.md"):
        text = path.read_text(encoding="utf-8")
        found |= set(re.findall(r"\blamsearch(?:\.\w+)+", text))
        for module, names in re.findall(r"from (lamsearch[\w.]*) import ([\w, ]+)", text):
            found |= {f"{module}.{name.strip()}" for name in names.split(",")}
    return found


def resolved(name: str) -> Any:
    """The object of a dotted name; None where the text means a file or a package's name."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: Any = import_module(".".join(parts[:length]))
        except ImportError:
            continue
        for part in parts[length:]:
            found = getattr(found, part, None)
        return found
    return None


def test_every_name_that_a_page_uses(python: set[str]) -> None:
    """Each class and function that a page imports or names has an entry."""
    objects = {
        name: found
        for name in named_in_pages()
        if (found := resolved(name)) is not None and not isinstance(found, ModuleType)
    }
    assert {"lamsearch.data.Source", "lamsearch.metrics.Metric"} <= set(objects)
    documented = {id(resolved(name)) for name in python}  # some have two names
    assert [name for name, found in objects.items() if id(found) not in documented] == []


def options(command: click.Command, context: click.Context) -> Iterator[str]:
    """Every option of a command and of its verbs, as the inventory names them."""
    program = context.command_path.replace(" ", "-")
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            yield from (f"{program}.{text}" for text in parameter.opts)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            verb = command.get_command(context, name)
            assert verb is not None
            yield from options(verb, click.Context(verb, parent=context, info_name=name))


def test_every_verb_and_option(site: Path, entries: Entries) -> None:
    """Each verb has a section, and each of its options an entry."""
    context = click.Context(cli, info_name="lamsearch")
    page = (site / "reference/cli.html").read_text(encoding="utf-8")
    for name in cli.list_commands(context):
        assert f'id="lamsearch-{name}"' in page, name
    expected = set(options(cli, context))
    assert len(expected) > 60
    assert sorted(expected - entries["std:cmdoption"]) == []


def keys() -> Iterator[tuple[str, str]]:
    """Every table and key of a study file by the JSON Schema."""
    schema = json_schema()
    for key, value in schema["properties"].items():
        reference = next((one["$ref"] for one in (value, *value.get("anyOf", ())) if "$ref" in one),
                         None)  # fmt: skip
        if reference is None:
            yield "", key
        else:
            table = schema["$defs"][reference.rpartition("/")[2]]
            yield from ((key, within) for within in table["properties"])
    yield from (("coarse.space", key) for key in schema["$defs"]["Axis"]["properties"])


def test_every_key_of_a_study_file(site: Path, entries: Entries) -> None:
    """Each key has an entry, or, where a stage may have a key of [training], a link to that one."""
    page = (site / "reference/study-keys.html").read_text(encoding="utf-8")
    training = {key for table, key in keys() if table == "training"}
    missing = []
    for table, key in keys():
        name = ".".join(filter(None, (table, key)))
        if name in entries["std:confval"]:
            continue
        section = page.partition(f'<section id="{table}">')[2].partition("</section>")[0]
        if key not in training or f'href="#confval-training.{key}"' not in section:
            missing.append(name)
    assert missing == []


def test_every_key_says_what_it_is() -> None:
    """Each key's entry has a description; those that stages share have [training]'s."""
    schema = json_schema()
    shared = set(schema["$defs"]["Training"]["properties"])
    for name, table in schema["$defs"].items():
        for key, value in table.get("properties", {}).items():
            assert value.get("description") or (name != "Training" and key in shared), (name, key)
