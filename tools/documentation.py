"""What the documentation site has beside its pages: a Sphinx extension.

Enters: pages of docs/ as Sphinx reads them. Leaves: the same pages, in which links to files outside
docs/ lead somewhere on the site too, and the pages that `reference` makes.

A page in docs/project/ is a link to a file of the repository, for readers of the sources; the site
shows that file in its place.
"""

from __future__ import annotations

import os
import re
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reference import command_line, study_keys
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
# Directories that pages link to, and what the site has for them.
DIRECTORIES = {
    "studies": "project/studies",
    "studies/beyond": "project/studies",
    "studies/report": "project/studies",
    "examples/own-trainer": "project/own-trainer",
    "examples/torch-trainer": "project/torch-trainer",
}
_LINK = re.compile(r"(?<=\]\()(?!https?:|mailto:|#|/)([^)#\s]+)")
_STAND_IN = re.compile(r"\A# [^\n]+\n+\[[^\]]+\]\((?P<path>\.\./\.\./[^)]+)\)\n\Z")


def shown_files() -> dict[Path, str]:
    """Return the files of the repository that pages of docs/project/ stand for, with the pages."""
    shown = {}
    for page in sorted((DOCS / "project").glob("*.md")):
        if stand_in := _STAND_IN.match(page.read_text(encoding="utf-8")):
            shown[(page.parent / stand_in["path"]).resolve()] = f"project/{page.stem}"
    return shown


def read_page(app: Sphinx, docname: str, source: list[str]) -> None:
    """Put a repository's file in the place of the page that stands for it; turn links round."""
    path = DOCS / f"{docname}.md"
    if stand_in := _STAND_IN.match(source[0]):
        path = (path.parent / stand_in["path"]).resolve()
        app.env.note_dependency(str(path), docname=docname)
        source[0] = path.read_text(encoding="utf-8")
    source[0] = _LINK.sub(lambda link: _target(link[1], path.parent, docname), source[0])


def _target(link: str, directory: Path, docname: str) -> str:
    """Return where a relative link leads on the site, seen from the page."""
    path = Path(os.path.normpath(directory / link))
    shown = shown_files() | {ROOT / name: page for name, page in DIRECTORIES.items()}
    if path in shown:
        path = DOCS / f"{shown[path]}.md"
    elif not path.exists():
        return link  # Sphinx says so
    return os.path.relpath(path, (DOCS / docname).parent)


class StudyKeys(SphinxDirective):
    """Every key of a study file with its type, default and meaning."""

    def run(self) -> list[nodes.Node]:
        """Return a section for each table."""
        self.env.note_reread()  # the code may have changed
        return self.parse_text_to_nodes(study_keys(), allow_section_headings=True)


class CommandLine(SphinxDirective):
    """Every verb with its options, as its help has them."""

    def run(self) -> list[nodes.Node]:
        """Return a section for each verb."""
        self.env.note_reread()  # the code may have changed
        return self.parse_text_to_nodes(command_line(), allow_section_headings=True)


class StudyFiles(SphinxDirective):
    """The study files of the repository, to read or to download."""

    def run(self) -> list[nodes.Node]:
        """Return a section for each directory."""
        parts = []
        for directory in ("studies", "studies/beyond", "studies/report"):
            parts.append(f"## `{directory}`\n")
            for path in sorted((ROOT / directory).glob("*.toml")):
                self.env.note_dependency(str(path))
                link = os.path.relpath(path, (DOCS / self.env.docname).parent)
                parts.append(f"- [{path.name}]({link}): {_first_comment(path)}")
            parts.append("")
        return self.parse_text_to_nodes("\n".join(parts), allow_section_headings=True)


def _first_comment(path: Path) -> str:
    """Return the comment that opens a study file."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("# "):
            break
        lines.append(line.removeprefix("# "))
    return " ".join(lines)


def short_signature(
    _app: Sphinx, what: str, _name: str, found: Any, _options: Any, signature: str, returns: str
) -> tuple[str, str]:
    """Write a dataclass's signature as its source has it, long defaults left out."""
    if what != "class" or not is_dataclass(found):
        return signature, returns
    written = []
    for one in (one for one in fields(found) if one.init):
        plain = isinstance(one.default, str | int | float | None)
        given = one.default is not MISSING or one.default_factory is not MISSING
        default = f" = {one.default!r}" if plain else " = ..." if given else ""
        written.append(f"{one.name}: {one.type}{default}")
    return f"(*, {', '.join(written)})", returns


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("source-read", read_page)
    app.connect("autodoc-process-signature", short_signature)
    app.add_directive("study-keys", StudyKeys)
    app.add_directive("command-line", CommandLine)
    app.add_directive("study-files", StudyFiles)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
