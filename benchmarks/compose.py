"""Compose on a real engine: from a clone to a report, then everything that can go wrong in service.

Enters: a Docker engine on this machine (DOCKER_HOST), as root. Leaves: how many commands and
seconds it takes from a fresh clone to a report seen over HTTP; what three studies of different
priority came to while containers were killed, the database restarted, a worker cut off its network
and the pool scaled; and a study that an earlier version had begun.

    python -m benchmarks.compose [--quick]

LAMSEARCH_BASE, LAMSEARCH_POSTGRES and LAMSEARCH_BUILD_NETWORK as for docker-compose.yml and for
where an engine cannot pull images.
"""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import sqlalchemy as sa

from benchmarks import exact
from benchmarks.common import ROOT, Options, publish, read_options, table
from benchmarks.compose_stack import ADDRESS, Stack, until
from lamsearch.storage import parse_url

COMMANDS = (
    "docker compose up --build --detach",
    "docker compose exec serve lamsearch submit /studies/digits.toml",
    'curl --fail --silent --user "me:$(docker compose exec -T serve cat /run/serve/password)" '
    f"{ADDRESS}/studies/digits/",
)
EARLIER = 4  # the schema version from which the storage is upgraded
LEASE_SECONDS = 20.0  # what a worker takes where nothing else is said
PRIORITIES = {"low": 0, "middle": 5, "high": 9}
_CHANCE = Random(14)  # noqa: S311 - chance, not secrets
_STUDY = """
name = "{name}"
seed = {seed}
cohort = 4
[data]
source = "digits"
train = 400
validation = 700
test = 697
stratified = true
[network]
hidden = 50
[training]
batch_size = 50
eta_min = 1e-5
eta_max = 1e-1
step_size = {step_size}
cycles = 3
[coarse]
trials = 8
log10_lambda = [-6.0, -1.0]
sampler = "stratified"
cycles = 2
[fine]
trials = 8
keep = 3
[finalists]
keep = 2
replicates = 3
[final]
train = 1000
validation = 100
replicates = 3
"""


@dataclass(slots=True, kw_only=True)
class Log:
    """What was done to the containers."""

    kills: int = 0
    events: list[str] = field(default_factory=list)

    def say(self, event: str) -> None:
        """Note an event."""
        self.events.append(event)
        print(f"{time.strftime('%H:%M:%S')} {event}", flush=True)


def main() -> None:
    """Start it in a clone, disturb it, upgrade it, write."""
    options = read_options(__doc__ or "")
    step_size = 40 if options.quick else 3200
    with tempfile.TemporaryDirectory(prefix="lamsearch-compose-") as temporary:
        stack = Stack(Path(temporary) / "clone")
        stack.down()
        try:
            steps = first_steps(stack)
            text = _STUDY.replace("{step_size}", str(step_size))
            right = undisturbed(stack, text, Path(temporary))
            rows, events = disturbed(stack, text, right, options)
            rows.append(upgraded(stack, text, right))
        finally:
            stack.down()
    publish("compose", _text(stack.revision, steps, rows, events), options)


def first_steps(stack: Stack) -> list[list[str]]:
    """Type the commands of the README; return what each took and showed."""
    rows = []
    for command in COMMANDS:
        begun = time.monotonic()
        shown = until(lambda command=command: _attempt(stack, command), command)  # type: ignore[misc]
        rows.append([f"`{command}`", f"{time.monotonic() - begun:.1f}"])
        print(f"{rows[-1]}", flush=True)
    assert "<html" in shown, shown[:500]
    stack.client().wait("digits")
    assert "Test accuracy" in stack.type(COMMANDS[-1])
    return rows


def _attempt(stack: Stack, command: str) -> str:
    """What a command shows; only the page may have to be asked for again, while serve starts."""
    try:
        return stack.type(command) or " "
    except RuntimeError:
        if command != COMMANDS[-1]:
            raise
        return ""


def undisturbed(stack: Stack, text: str, directory: Path) -> dict[str, exact.Ended]:
    """Run each study alone; return how it ended."""
    found = {}
    for seed, name in enumerate(PRIORITIES):
        study = text.format(name=name, seed=seed)
        url = stack.alone(study, name, directory / f"alone-{name}")
        found[name] = exact.ended(url, name)
        print(f"{name} alone: {found[name].trials.total()} trials", flush=True)
    return found


def disturbed(
    stack: Stack, text: str, right: dict[str, exact.Ended], options: Options
) -> tuple[list[list[str]], str]:
    """Submit three studies, the least urgent first, and disturb whoever works on them; return a
    row for each, and what was done."""
    client, log = stack.client(), Log()
    for seed, (name, priority) in enumerate(PRIORITIES.items()):
        client.submit(text.format(name=name, seed=seed), priority=priority)
    for step in () if options.quick else _steps(stack, log):
        if _all_over(stack):
            log.say("all studies are over")
            break
        step()
        for _ in range(3):
            time.sleep(_CHANCE.uniform(0.5, 3.0))
            victims = stack.containers("worker") + stack.containers("serve")
            if victims:
                log.kills += stack.kill(_CHANCE.choice(victims))
    client = stack.client()
    for name in PRIORITIES:
        client.wait(name, timeout=1800)
    url = stack.storage()
    ends = {name: exact.ended(url, name) for name in PRIORITIES}
    rows = [_row(f"{name}, priority {PRIORITIES[name]}", ends[name], right[name])
            for name in PRIORITIES]  # fmt: skip
    return rows, f"{log.kills} containers killed; {'; '.join(log.events)}. Begun: {_starts(url)}."


def _steps(stack: Stack, log: Log) -> Sequence[Callable[[], None]]:
    """What happens beside kills, in this order."""

    def scale(count: int) -> None:
        stack.compose("up", "--detach", "--no-build", "--scale", f"worker={count}")
        log.say(f"{count} workers")

    def kill_database() -> None:
        stack.kill(stack.containers("postgres")[0])
        log.say("the database's container killed")

    def restart(*services: str) -> None:
        stack.compose("restart", *services)
        log.say(f"restart of {' '.join(services) or 'everything'}")

    def cut_off() -> None:
        with stack.cut_off(_CHANCE.choice(stack.containers("worker"))):
            time.sleep(1.5 * LEASE_SECONDS)
        log.say(f"a worker off its network for {1.5 * LEASE_SECONDS:.0f} s")

    return (
        lambda: scale(4), lambda: restart("postgres"), cut_off, lambda: scale(1),
        kill_database, lambda: scale(3), lambda: restart(), *[lambda: None] * 8,
    )  # fmt: skip


def upgraded(stack: Stack, text: str, right: dict[str, exact.Ended]) -> list[str]:
    """Begin a study with an image of an earlier schema version; end it with this one's."""
    stack.down()
    stack.check_out(earlier := _revision(EARLIER))
    (stack.directory / "secrets").mkdir(mode=0o700)
    passwords = {name: secrets.token_hex(12) for name in ("postgres", "dashboard")}
    for name, password in passwords.items():
        (stack.directory / "secrets" / name).write_text(f"{password}\n", encoding="utf-8")
    (stack.directory / "studies/low.toml").write_text(text.format(name="low", seed=0), "utf-8")
    stack.set(LAMSEARCH_STUDY="low")
    stack.compose("up", "--build", "--detach")
    begun = until(lambda: _complete(stack.storage()), "the earlier version's first trials")
    stack.check_out(stack.revision)
    stack.compose("up", "--build", "--detach", "--remove-orphans")
    until(lambda: stack.admits(passwords["dashboard"]), "the earlier version's password")
    stack.client().wait("low", timeout=1800)
    what = f"low, {begun} of its trials by schema version {EARLIER} ({earlier[:7]})"
    return _row(what, exact.ended(stack.storage(), "low"), right["low"])


def _revision(version: int) -> str:
    """The last commit of the first parents whose tables have a version."""
    path = "lamsearch/storage/schema.py"
    listed = subprocess.run(["git", "-C", str(ROOT), "rev-list", "--first-parent", "HEAD"],
                            check=True, capture_output=True, text=True).stdout.split()  # fmt: skip
    for commit in listed:
        found = subprocess.run(["git", "-C", str(ROOT), "show", f"{commit}:{path}"],
                               check=False, capture_output=True, text=True).stdout  # fmt: skip
        if re.search(rf"^VERSION = {version}$", found, re.MULTILINE):
            return commit
    raise LookupError(f"no commit has schema version {version}")


def _all_over(stack: Stack) -> bool:
    """Whether no study of ours is left, as far as the database says."""
    try:
        return not _scalars(stack.storage(), "SELECT 1 FROM lamsearch_study WHERE finished IS NULL")
    except (sa.exc.OperationalError, RuntimeError, ValueError, KeyError):  # it is being restarted
        return False


def _complete(url: str) -> int:
    """How many trials are complete."""
    return int(_scalars(url, "SELECT count(*) FROM trials WHERE state = 'COMPLETE'")[0])


def _starts(url: str) -> str:
    query = "SELECT name FROM lamsearch_study WHERE name <> 'digits' ORDER BY started"
    return ", ".join(map(str, _scalars(url, query)))


def _scalars(url: str, query: str) -> list[Any]:
    engine = sa.create_engine(parse_url(url), poolclass=sa.NullPool)
    with engine.connect() as connection:
        return list(connection.scalars(sa.text(query)))


def _row(name: str, found: exact.Ended, right: exact.Ended) -> list[str]:
    wrong = exact.compare(found, right)
    print(name, wrong, flush=True)
    counts = (wrong.planned, wrong.lost, wrong.doubled, wrong.beyond, wrong.differing,
              found.takeovers)  # fmt: skip
    return [name, *map(str, counts), "yes" if wrong.none else "NO"]


def _bases() -> str:
    """Say where base images are others than those of the repository."""
    given = [os.environ[name] for name in ("LAMSEARCH_BASE", "LAMSEARCH_POSTGRES")
             if name in os.environ]  # fmt: skip
    return f"Base images: {', '.join(given)}." if given else ""


def _text(revision: str, steps: list[list[str]], rows: list[list[str]], events: str) -> str:
    header = ["study", "trials", "lost", "doubled", "beyond plan",
              "numbers that differ", "leases reclaimed", "as run alone"]  # fmt: skip
    return "\n\n".join(
        [
            f"From a fresh clone (of {revision[:7]}) to a report seen over HTTP: {len(steps)} "
            "commands. Layers that the engine had built before, those of the dependencies above "
            f"all, came from its cache. {_bases()}",
            table(["command", "seconds"], steps),
            "Three studies submitted over the API, the least urgent first, while containers were "
            "disturbed; and one that an earlier version had begun. Each is compared, bit by bit, "
            "with the same study run alone by one worker on SQLite in the same image.",
            events,
            table(header, rows),
        ]
    )


if __name__ == "__main__":
    main()
