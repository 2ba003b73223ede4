"""Mutation score: how many small changes of a module the tests of its room notice.

    python -m benchmarks.mutation lamsearch/web/access_control.py \
        --tests tests/web/test_web_access_control.py tests/web/test_web_attempts.py

Enters: modules and test paths. Leaves: the score, and each change that no test noticed. mutmut
works on a copy of the checkout, uncommitted changes included; processes that tests start see the
change too. Refuses to judge survivors: which of them change nothing is for a reader to say.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.common import CORES, ROOT, Options, publish, table

_SETTINGS = """\
[mutmut]
source_paths=lamsearch
only_mutate=
{modules}
pytest_add_cli_args_test_selection=
{tests}
pytest_add_cli_args=
    -p
    no:cacheprovider
{options}
also_copy=
{rest}
timeout_constant=30
"""
# mutmut learns which tests touch which functions in its own process; one that a test starts could
# not tell it, and would die of trying.
_CHILDREN = """\
import os
if os.environ.get("MUTANT_UNDER_TEST") == "stats":
    del os.environ["MUTANT_UNDER_TEST"]
"""
_STATES = ("killed", "survived", "no_tests", "timeout", "suspicious", "segfault")


def main() -> None:
    """Mutate, test, and print."""
    options = read_options()
    work = Path(options.work or tempfile.mkdtemp(prefix="mutation-"))
    prepare(work, options.modules, options.tests, options.keywords)
    mutmut(work, "run", "--max-children", str(options.children))
    mutmut(work, "export-cicd-stats", quiet=True)
    counts = json.loads((work / "mutants/mutmut-cicd-stats.json").read_text(encoding="utf-8"))
    publish(
        f"mutation of {', '.join(options.modules)}",
        f"Noticed by {tests_of(options)}.\n\n{summary(options.modules, counts)}",
        Options(quick=not options.record, data=work),
    )
    for name in unnoticed(work):
        print(f"\n{mutmut(work, 'show', name, quiet=True).strip()}")
    if options.work is None:
        shutil.rmtree(work)
    if score(counts) < options.least:
        sys.exit(f"score: must be at least {options.least} %, got {score(counts):.1f} %")


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("modules", nargs="+", metavar="MODULE.py", help="what is changed")
    parser.add_argument("--tests", nargs="+", required=True, metavar="PATH", help="who must notice")
    parser.add_argument(
        "-k", dest="keywords", metavar="EXPRESSION", help="as pytest's: which tests"
    )
    parser.add_argument("--children", type=int, default=CORES, help="tests run at a time")
    parser.add_argument("--record", action="store_true", help="write the score to RESULTS.md")
    parser.add_argument("--least", type=float, default=0.0, help="score in %% below which to fail")
    parser.add_argument("--work", type=Path, help="kept directory; run again, it goes on there")
    return parser.parse_args()


def prepare(
    work: Path, modules: Sequence[str], tests: Sequence[str], keywords: str | None = None
) -> None:
    """Copy the checkout, and write what mutmut is to do."""
    for path in (*modules, *tests):
        if not (ROOT / path.partition("::")[0]).exists():
            sys.exit(f"mutation: must be a path of this checkout, got {path!r}")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    names = [name for name in listed.split("\0") if name and (ROOT / name).is_file()]
    for name in names:
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, work / name)
    rest = sorted({name.partition("/")[0] for name in names} - {"lamsearch", "tests"})
    (work / "setup.cfg").write_text(
        _SETTINGS.format(
            modules=lines(modules),
            tests=lines(tests),
            options=lines(["-k", keywords] if keywords else []),
            rest=lines(rest),
        ),
        encoding="utf-8",
    )
    mutants = work / "mutants"
    mutants.mkdir(exist_ok=True)  # before Python starts: it remembers that one was not there
    (mutants / "sitecustomize.py").write_text(_CHILDREN, encoding="utf-8")


def tests_of(options: argparse.Namespace) -> str:
    """Say which tests were run."""
    which = f" (`-k {options.keywords!r}`)" if options.keywords else ""
    return ", ".join(options.tests) + which


def lines(values: Sequence[str]) -> str:
    """Return values as a list of a configuration file."""
    return "\n".join(f"    {value}" for value in values)


def mutmut(work: Path, *arguments: str, quiet: bool = False) -> str:
    """Run mutmut so that tests, and processes that they start, import the changed modules."""
    program = Path(sys.executable).parent / "mutmut"
    if not program.exists():
        sys.exit("mutation: needs mutmut: pip install -e '.[bench]'")
    done = subprocess.run(
        [program, *arguments], cwd=work, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(work / "mutants")},
        stdout=subprocess.PIPE if quiet else sys.stderr,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"mutation: mutmut {arguments[0]} ended with {done.returncode}; see {work}")
    return done.stdout or ""


def unnoticed(work: Path) -> list[str]:
    """Return the names of the changes that no test noticed."""
    results = mutmut(work, "results", quiet=True).splitlines()
    found = [line.strip().split(": ") for line in results if ": " in line]
    return [name for name, state in found if state in ("survived", "no tests")]


def score(counts: dict[str, int]) -> float:
    """Return the share of changes in % that was noticed, by a failing test or by an endless one."""
    noticed = sum(counts[state] for state in ("killed", "timeout", "suspicious", "segfault"))
    return 100.0 * noticed / max(1, counts["total"])


def summary(modules: Sequence[str], counts: dict[str, int]) -> str:
    """Return the counts as a table."""
    row = [" ".join(modules), str(counts["total"]), *(str(counts[state]) for state in _STATES)]
    header = ["modules", "changes", *(state.replace("_", " ") for state in _STATES), "score"]
    return table(header, [[*row, f"{score(counts):.1f} %"]])


if __name__ == "__main__":
    main()
