"""What pyproject.toml cannot say: the README as a package index shows it, away from its repository.

Enters: README.md, and where its repository is (``LAMSEARCH_REPOSITORY``, else ``Repository`` in
``[project.urls]``) and at which revision (``LAMSEARCH_REVISION``, else HEAD). Leaves: the README
whose figures and links of its own are absolute; unchanged where no address is known.
"""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).parent
# [text](target) and ![text](target), where the target is neither an address nor a heading
LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<target>(?![a-z]+:|#|/)[^)\s]+)\)")


def absolute(readme: str, repository: str, revision: str) -> str:
    """Return Markdown whose relative links lead into a repository, its figures to their bytes."""

    def replaced(link: re.Match[str]) -> str:
        kind = "raw" if link["image"] else "blob"
        address = f"{repository.rstrip('/')}/{kind}/{revision}/{link['target']}"
        return f"{link['image']}[{link['text']}]({address})"

    return LINK.sub(replaced, readme)


def described() -> str:
    """Return the description of the package that is being built."""
    project = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    known = project.get("urls", {}).get("Repository", "")
    repository = os.environ.get("LAMSEARCH_REPOSITORY") or known
    readme = (HERE / "README.md").read_text(encoding="utf-8")
    revision = os.environ.get("LAMSEARCH_REVISION") or "HEAD"
    return absolute(readme, repository, revision) if repository else readme


if __name__ == "__main__":
    setup(long_description=described(), long_description_content_type="text/markdown")
