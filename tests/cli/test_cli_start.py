"""The first moments of the command line and of `import lamsearch`: what they load, and Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import click
import pytest
from click.shell_completion import ShellComplete

from lamsearch import registries
from lamsearch.cli import VERBS, cli
from lamsearch.cli.summaries import listed

HEAVY = (
    "numpy", "scipy", "optuna", "sqlalchemy", "alembic", "pydantic", "matplotlib", "sklearn",
    "pandas", "fsspec", "rich", "jinja2", "fastapi", "starlette", "waitress", "joblib", "psycopg",
    "safetensors", "PIL", "prometheus_client", "pyarrow", "distributed", "yaml", "asyncio",
)  # fmt: skip
HELP = "from lamsearch.cli import cli; cli(['--help'], standalone_mode=False)"


def loaded(code: str) -> set[str]:
    """Return the top-level modules that a new interpreter has loaded after some code."""
    shown = f"{code}\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}


@pytest.mark.parametrize("code", ["import lamsearch; dir(lamsearch)", HELP])
def test_the_first_moment_loads_no_library(code: str) -> None:
    """`import lamsearch` and `lamsearch --help` load no array library, database or web server."""
    assert loaded(code) & set(HEAVY) == set()


def test_help_loads_no_verb() -> None:
    """The list of all verbs imports none of lamsearch's own modules that carry one out."""
    shown = f"{HELP}\nimport sys; print(*(n for n in sys.modules if n.startswith('lamsearch.')))"
    done = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True)
    modules = {entry.partition(":")[0] for entry in registries.VERBS.values()}
    assert modules & set(done.stdout.splitlines()[-1].split()) == set()


@pytest.mark.parametrize("name", sorted(VERBS.builtin))
def test_a_listed_verb_says_what_it_says_when_loaded(name: str) -> None:
    """A verb's line in the list of all, read from its source, is that of the verb itself."""
    shown, verb = listed(name, registries.VERBS[name]), VERBS.get(name)
    assert shown is not None
    assert [shown.name, shown.hidden] == [verb.name, verb.hidden]
    assert shown.get_short_help_str(60) == verb.get_short_help_str(60) != ""


def test_a_status_as_a_document_loads_nothing_that_trains_draws_or_shows() -> None:
    """`status --json` loads no console, no page, no figure, no trainer and no file system."""
    code = "import lamsearch.cli.status, lamsearch.report.status"
    assert loaded(code) & {"rich", "jinja2", "fsspec", "scipy", "matplotlib"} == set()
    shown = f"{code}\nimport sys; print(*(n for n in sys.modules if n.startswith('lamsearch.')))"
    done = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True)
    rooms = {name.split(".")[1] for name in done.stdout.split()}
    assert rooms & {"trainers", "figures", "terminal", "worker", "data"} == set()


def test_a_verb_s_name_is_completed_without_loading_any() -> None:
    """A shell is offered all verbs that begin so, each with its line."""
    completer = ShellComplete(cli, {}, "lamsearch", "_LAMSEARCH_COMPLETE")
    found = {item.value: item.help for item in completer.get_completions([], "re")}
    assert set(found) == {"report", "resume"}
    assert found["resume"] == VERBS.get("resume").get_short_help_str()
    assert isinstance(cli.get_command(click.Context(cli), "resume"), click.Command)


def test_ctrl_c_while_it_loads_is_one_sentence() -> None:
    """Ctrl-C at any moment of the start ends with 130 and no traceback."""
    for delay in (0.15, 0.4, 0.7):
        process = subprocess.Popen(
            [sys.executable, "-c", "print('up', flush=True)\n"
             "from lamsearch.__main__ import main\nmain()", "gradcheck"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(delay)  # moments inside the imports, which give no sign of their own
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=30)
        assert process.returncode in (130, 0)
        assert "Traceback" not in stderr


@pytest.mark.parametrize("given", [None, "2"])
def test_its_processes_have_one_blas_thread_each(given: str | None) -> None:
    """Their workers, which are forks, then begin none that turns idly; who asks for more has them.

    As many as there are cores, that is: OpenBLAS has no more.
    """
    code = (
        "import sys\nfrom threadpoolctl import threadpool_info\n"
        "from lamsearch.__main__ import main\ntry: main()\nfinally:\n"
        "    pools = [one for one in threadpool_info() if one['internal_api'] == 'openblas']\n"
        "    print(*{one['num_threads'] for one in pools}, file=sys.stderr)\n"
    )
    rest = {k: v for k, v in os.environ.items() if k != "OPENBLAS_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", code, "gradcheck"], capture_output=True, text=True, check=True,
        env=rest if given is None else rest | {"OPENBLAS_NUM_THREADS": given},
    )  # fmt: skip
    found = done.stderr.split()
    assert found == [] or found == [str(min(int(given or 1), os.cpu_count() or 1))]
