"""The project's tasks: `nox --list` names them, `nox -s tests` runs one in a place of its own.

In an environment that has ``.[dev]`` already, ``nox --no-venv -s style`` uses that one; so do the
tests of the house, and with them continuous integration.
"""

from __future__ import annotations

from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["style", "types", "imports", "tests"]
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]


@nox.session
def style(session: nox.Session) -> None:
    """Rules and format of the code, by ruff."""
    install(session)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Types, by mypy --strict; of programs that no test runs, too, and as Windows has them."""
    install(session)
    session.run("mypy")
    session.run("mypy", "--config-file", "tools/windows.ini", "--cache-dir", ".mypy_cache/windows")


@nox.session
def imports(session: nox.Session) -> None:
    """Imports only go downstairs, by import-linter."""
    install(session)
    session.run("lint-imports", "--no-cache")


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation site, into site/; a warning is an error."""
    install(session)
    session.run("python", "-m", "sphinx", "-W", "--keep-going", "-b", "html", "docs", "site")


@nox.session
def tests(session: nox.Session) -> None:
    """The whole suite; what is given after `--` goes to pytest."""
    install(session)
    session.run("pytest", *(session.posargs or ["-n", "auto"]))


@nox.session
def build(session: nox.Session) -> None:
    """The archives of a release in dist/, and what a package index would say of them."""
    for old in Path("dist").glob("lamsearch-*"):
        old.unlink()
    if session.virtualenv.is_sandboxed:
        session.install("build", "check-wheel-contents", "twine")
    session.run("python", "-m", "build", "--outdir", "dist")
    archives = sorted(map(str, Path("dist").glob("lamsearch-*")))
    session.run("twine", "check", "--strict", *archives)
    session.run("check-wheel-contents", "dist")


@nox.session(python=PYTHONS)
def pythons(session: nox.Session) -> None:
    """The whole suite on each supported Python."""
    tests(session)


@nox.session
def elsewhere(session: nox.Session) -> None:
    """What of the suite says something of macOS and Windows, in minutes."""
    install(session)
    rooms = [f"--ignore=tests/{room}" for room in ("compose", "house", "pool", "readme", "worker")]
    session.run("pytest", "-m", "not postgresql", *rooms, *(session.posargs or ["-n", "auto"]))


@nox.session(venv_backend="uv", python=PYTHONS[0])
def lowest(session: nox.Session) -> None:
    """The suite with the lowest versions that pyproject.toml admits, on the oldest Python."""
    session.install("--resolution", "lowest-direct", "--editable", ".[dev]")
    # what old versions warn of today's versions of their own dependencies is no error of ours
    old = ["-W", "default::DeprecationWarning"]
    session.run("pytest", *old, *(session.posargs or ["-n", "auto", "--deselect", "tests/house"]))


def install(session: nox.Session) -> None:
    """Install lamsearch with its tools, unless the environment is the caller's own."""
    if session.virtualenv.is_sandboxed:
        session.install("--editable", ".[dev]")
