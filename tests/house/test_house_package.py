"""The release: what its archives hold, what it says of itself, and that it works where nothing of
the checkout is."""

from __future__ import annotations

import datetime
import os
import re
import runpy
import subprocess
import tarfile
import tomllib
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from packaging.metadata import Metadata
from packaging.requirements import Requirement
from release import ROOT, fresh, tracked

from lamsearch import __version__

# The first ten minutes of who has nothing but the wheel, in a directory with a study file.
STEPS = [
    "--version",
    "--help",
    "init --example digits",
    "check digits.toml",
    "run small.toml --workers 1",
    "status small",
    "report small --output again",
    "predict lamsearch-report/small rows.npz",
]


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Metadata:
    """What the wheel says of itself, each field checked by the specification of packages."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Metadata.from_email(archive.read(name), validate=True)


def test_the_source_archive_holds_all_that_git_tracks(built: Path) -> None:
    """Tests, documentation, studies, benchmarks, examples and tools are in the source archive, and
    nothing that git would not track."""
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        held = {one.name.partition("/")[2] for one in archive.getmembers() if one.isfile()}
    made = {"PKG-INFO", "setup.cfg"} | {one for one in held if one.startswith("lamsearch.egg-info")}
    assert held - made == set(tracked())


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    """Every module, template, style sheet and schema below `lamsearch/` is in the wheel; beside
    them there is only what says what it is."""
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if not name.endswith("/")}
    information = {name for name in held if name.startswith(f"lamsearch-{__version__}.dist-info/")}
    assert held - information == {name for name in tracked() if name.startswith("lamsearch/")}
    assert "lamsearch/study/study.schema.json" in held
    assert {Path(name).name for name in information} >= {"LICENSE", "entry_points.txt", "METADATA"}


def test_the_wheel_says_what_it_is(metadata: Metadata) -> None:
    """Its metadata are valid and complete, and its version is the one that the code says."""
    assert (str(metadata.version), metadata.license_expression) == (__version__, "MIT")
    assert metadata.summary
    assert metadata.description_content_type == "text/markdown"
    pythons = [one for one in metadata.classifiers or () if ":: 3." in one]
    assert [one.rpartition(".")[2] for one in pythons] == ["11", "12", "13", "14"]
    assert "Typing :: Typed" in (metadata.classifiers or ())


def test_the_description_leads_into_the_repository(metadata: Metadata) -> None:
    """Away from its repository each figure of the README is found by an absolute address, and so
    is each page that it links to."""
    description = metadata.description or ""
    assert "![" in description
    assert re.findall(r"\]\((?![a-z]+:|#)([^)]*)\)", description) == []
    figures = re.findall(r"!\[[^\]]*\]\(([^)]*)\)", description)
    assert all(one.startswith("https://example.org/lamsearch/raw/v7/docs/") for one in figures)


def test_without_an_address_the_description_is_the_readme() -> None:
    """Links are left as they are where nobody has said where the repository is; headings and
    addresses always."""
    absolute = runpy.run_path(str(ROOT / "setup.py"))["absolute"]
    kept = "[a](#b) [c](https://example.org/d.md) [e](mailto:f@example.org)"
    assert absolute(kept, "https://example.org", "v1") == kept
    found = absolute("![a b](c/d.png) and [e](f.md#g)", "https://example.org/x/", "v1")
    assert found == (
        "![a b](https://example.org/x/raw/v1/c/d.png) and [e](https://example.org/x/blob/v1/f.md#g)"
    )


def test_the_newest_section_of_the_changelog_is_this_version_s() -> None:
    """The changelog's sections are versions with dates, newest first, of which the first is this
    one; each lists its changes under the headings that Keep a Changelog has."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    found = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - (.*)$", text, re.MULTILINE)
    assert found[0][0] == __version__
    dates = [datetime.date.fromisoformat(date) for _, date in found]
    assert dates == sorted(dates, reverse=True)
    assert len(re.findall(r"^## ", text, re.MULTILINE)) == len(found) + text.count("[Unreleased]\n")
    known = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.*)$", text, re.MULTILINE)) <= known


def test_every_image_named_is_this_version_s() -> None:
    """The documents for clusters name the image of this version."""
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "docs/kubernetes").glob("*.yaml")]
    found = re.findall(r"/lamsearch:(\S+)", "\n".join(texts))
    assert set(found) == {__version__}


def test_all_has_every_extra_of_a_user() -> None:
    """`lamsearch[all]` names every extra but those of who works on lamsearch, whose tests have all
    of them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    (everything,) = (Requirement(one) for one in extras["all"])
    assert everything.extras == extras.keys() - {"all", "bench", "dev", "docs"}
    tested = [one for one in map(Requirement, extras["dev"]) if one.name == "lamsearch"]
    assert "all" in tested[0].extras or tested[0].extras >= everything.extras


def test_a_release_is_tried_before_it_is_published_and_needs_no_secret() -> None:
    """The release workflow publishes what its test job has installed, by an identity that only the
    publishing job may ask for; every action is pinned to a commit."""
    text = (ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8")
    jobs = yaml.safe_load(text)["jobs"]
    assert (jobs["test"]["needs"], jobs["publish"]["needs"]) == ("build", "test")
    granted = [name for name, job in jobs.items() if "id-token" in job["permissions"]]
    assert granted == ["publish"]
    assert "secrets." not in text
    used = re.findall(r"uses: (\S+)(.*)$", text, re.MULTILINE)
    for action, comment in used:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), action


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of a fresh environment in which there is only the wheel."""
    return fresh(tmp_path_factory.mktemp("installed") / "environment", wheel) / "bin/lamsearch"


@pytest.fixture(scope="module")
def elsewhere() -> dict[str, str]:
    """An environment that leads nowhere into the checkout."""
    return {key: value for key, value in os.environ.items() if not key.startswith("LAMSEARCH_")} | {
        "PYTHONPATH": ""
    }


def test_the_wheel_works_in_an_empty_directory(
    installed: Path,
    elsewhere: dict[str, str],
    study_file: Callable[..., Path],
    tmp_path: Path,
) -> None:
    """With nothing but the wheel a study is checked, run, shown and reported, and the page of the
    queue is served with it."""
    study_file().rename(tmp_path / "small.toml")
    np.savez(tmp_path / "rows.npz", X=np.zeros((3, 64)))
    for step in STEPS:
        done = subprocess.run(
            [installed, *step.split()], cwd=tmp_path, env=elsewhere, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (step, done.stderr)
    assert (tmp_path / "again/index.html").stat().st_size > 10_000
    process = subprocess.Popen(
        [installed, "serve", "--port", "0"], cwd=tmp_path, env=elsewhere,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())
        assert found is not None
        with urllib.request.urlopen(found.group(), timeout=60) as page:  # noqa: S310 - loopback
            assert "/studies/small/" in page.read().decode()
        process.terminate()
    assert process.returncode == 0
