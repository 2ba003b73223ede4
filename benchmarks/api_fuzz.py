"""The API against a client that sends what its own description allows, and what it does not.

Enters: nothing. Leaves: how many requests each operation was sent, and every answer that was a
server error, was not described, or did not fit its description. The server is the whole of
`lamsearch serve` but for its sockets, on a storage with studies in every state.

    python -m benchmarks.api_fuzz [--quick]
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from wsgiref.types import WSGIApplication

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import CHECKS, not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.result import Err

from benchmarks.common import Options, publish, read_options, table, verdict
from lamsearch import storage as store
from lamsearch.planning import Places
from lamsearch.storage import Database, Leases, Mode, View
from lamsearch.study import Study, parse_study
from lamsearch.web.access_control import AccessControl, Rules
from lamsearch.web.attempts import Attempts
from lamsearch.web.serving import application
from lamsearch.web.studies import Studies

EXAMPLES, QUICK_EXAMPLES = 1_000, 40
_TOKEN = "a-token-of-24-characters"  # noqa: S105  # made up
_HOST = "localhost"
_DESCRIPTION = "/api/v1/openapi.json"
_NAMES = ("queued", "running", "paused", "cancelled")
_FILE = """
name = "{name}"
seed = {seed}
data = {{source = "digits", train = 200, validation = 100}}
training = {{step_size = 5}}
coarse = {{trials = {trials}, log10_lambda = [-5.0, -1.0]}}
"""
_CHECKED = (
    "status_code_conformance", "content_type_conformance", "response_schema_conformance",
    "response_headers_conformance", "negative_data_rejection",
)  # fmt: skip

schemathesis.serializer("application/toml")(lambda _context, value: str(value).encode())


def study(name: str, seed: int = 1) -> Study:
    """Return a small study."""
    return parse_study(
        {
            "name": name, "seed": seed, "cohort": 2,
            "data": {"source": "digits", "train": 200, "validation": 100},
            "training": {"batch_size": 20, "step_size": 5, "cycles": 2},
            "coarse": {"trials": 4, "log10_lambda": [-6.0, -1.0]},
        }
    )  # fmt: skip


def fill(database: Database, files: str) -> None:
    """Plan studies of several states, unless they are there."""
    known = store.names(database)
    for name in _NAMES:
        if name not in known:
            store.create(
                database, study(name), data_fingerprint="d" * 64,
                validation_images={"coarse": 100}, classes=("zero", "one"), origin=".", files=files,
            )  # fmt: skip
            _bring(database, name)


def _bring(database: Database, name: str) -> None:
    if name == "running":
        Leases(database, name, owner="benchmark", seconds=36_000.0).claim()
    elif name == "paused":
        store.pause(database, name)
    elif name == "cancelled":
        store.cancel(database, name)


class Server:
    """The server, in this process."""

    def __init__(self, directory: Path) -> None:
        self.database = Database(
            f"sqlite:///{directory / 'studies.db'}", Mode.CREATE, connections=4
        )
        places = Places(
            data_directory=directory / "data", cache_directory=directory / "cache",
            given=None, default=str(directory / "lamsearch-files"),
        )  # fmt: skip
        self.lines: list[str] = []
        self._view = View(self.database, writable=True)
        inside = application(self._view, Studies(self.database, places), self.lines.append)
        rules = Rules(hosts=frozenset({_HOST}), writable=True, token=_TOKEN.encode())
        self.door: WSGIApplication = AccessControl(inside, rules, Attempts(self.lines.append))
        self._files = places.files

    def refill(self) -> None:
        """Plan again what a request has deleted."""
        fill(self.database, self._files)

    def close(self) -> None:
        """Give back its connections."""
        self._view.close()
        self.database.close()


def fuzz(server: Server, examples: int) -> tuple[dict[str, Counter[int]], list[str]]:
    """Send so many requests to each operation; return the answers' statuses, and what is wrong."""
    server.refill()
    schema = schemathesis.openapi.from_wsgi(_DESCRIPTION, server.door)
    statuses: dict[str, Counter[int]] = {}
    failures: list[str] = []
    for found in schema.get_all_operations():
        if isinstance(found, Err):
            raise found.err()
        operation = found.ok()
        counts = statuses.setdefault(operation.label, Counter())
        for mode in schemathesis.GenerationMode:
            cases = operation.as_strategy(generation_mode=mode)
            if mode is schemathesis.GenerationMode.POSITIVE:
                cases = st.builds(
                    _meant, cases, st.sampled_from((None, *_NAMES)), st.integers(0, 9)
                )
            _send(server, cases, examples // 2, counts, failures)
    return statuses, failures


def _meant(case: Any, name: str | None, seed: int) -> Any:
    """The request on a study that is there, or with a study file that may be one."""
    if name is None:
        return case
    if "name" in case.path_parameters:
        case.path_parameters["name"] = name
    elif case.method == "POST":
        case.body = _FILE.format(name=f"{name}-{seed % 3}", seed=seed, trials=seed)
    return case


def _send(
    server: Server, cases: Any, examples: int, counts: Counter[int], failures: list[str]
) -> None:
    checks = [not_a_server_error, *CHECKS.get_by_names(_CHECKED)]

    @settings(
        max_examples=examples, deadline=None, database=None, derandomize=True,
        suppress_health_check=list(HealthCheck), phases=[Phase.generate],
    )  # fmt: skip
    @given(case=cases)
    def send(case: Any) -> None:
        response = case.call(headers={"Authorization": f"Bearer {_TOKEN}"})
        counts[response.status_code] += 1
        try:
            case.validate_response(response, checks=checks)
        except (FailureGroup, Failure) as error:
            failures.append(f"{case.method} {case.path}: {response.status_code}: {error}")
        server.refill()

    send()


def _rows(statuses: dict[str, Counter[int]]) -> Iterator[list[str]]:
    for label, counts in statuses.items():
        words = ", ".join(f"{status}: {count}" for status, count in sorted(counts.items()))
        yield [label, f"{counts.total():,}", words]


def main() -> None:
    """Fuzz, print, write."""
    options: Options = read_options(__doc__ or "")
    with tempfile.TemporaryDirectory() as name:
        server = Server(Path(name))
        statuses, failures = fuzz(server, QUICK_EXAMPLES if options.quick else EXAMPLES)
        server.close()
    head = table(["operation", "requests", "answers"], list(_rows(statuses)))
    wrong = "".join(f"\n- {one}" for one in failures[:20])
    reached = verdict(len(failures), "≤", 0)
    text = (
        "Requests that schemathesis makes of the API's own description, half of them breaking it, "
        f"to the whole of `lamsearch serve` but for its sockets, on SQLite.\n\n{head}\n\n"
        f"Server errors, statuses that are not described, and answers that do not fit: "
        f"{len(failures)} ({reached}).{wrong}"
    )
    publish("api_fuzz", text, options)


if __name__ == "__main__":
    main()
