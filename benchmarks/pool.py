"""A pool that serves twenty studies while its workers are killed: what is lost, doubled, changed.

Studies of three priorities, eight workers without names, random SIGKILLs, two studies paused and
resumed, one cancelled. Each study is compared with itself run alone by one worker on SQLite.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

from benchmarks import exact
from benchmarks.common import publish, read_options, table
from benchmarks.pool_site import SEEDS, Asked, Disturbance, PoolSite, alone, pool_site
from benchmarks.postgres import Server
from benchmarks.victims import Size, url_of

STORAGES = ("SQLite", "PostgreSQL")
_SIZE = Size(step_size=400, lease_seconds=1.5, checkpoint_seconds=0.1)
_SEED = 14
_STATES_OF_CANCELLED = {"COMPLETE", "FAIL", "WAITING"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is disturbed."""

    studies: int
    workers: int
    kills: int


def main() -> None:
    """Disturb, count, write."""
    options = read_options(__doc__ or "")
    plan = Plan(studies=20, workers=8, kills=40)
    if options.quick:
        plan = Plan(studies=6, workers=3, kills=6)
    with tempfile.TemporaryDirectory() as temporary, Server(tcp=True) as server:
        directory = Path(temporary)
        cache = directory / "cache"
        right = alone(directory / "alone", _SIZE, cache, SEEDS)
        rows = [
            disturbed(directory / kind, url_of(kind, _made(directory / kind), server), plan, right,
                      cache, kind)
            for kind in STORAGES
        ]  # fmt: skip
    publish("pool", _text(plan, rows), options)


def disturbed(
    directory: Path, url: str, plan: Plan, right: dict[int, exact.Ended], cache: Path, kind: str
) -> list[str]:
    """Disturb a pool; return a row of what came of it."""
    chance = Random(f"{_SEED} {kind}")  # noqa: S311 - chance, not secrets
    asked = [
        Asked(name=f"study-{number:02}", seed=SEEDS[number % len(SEEDS)], priority=priority)
        for number, priority in enumerate(chance.choices((0, 1, 2), k=plan.studies))
    ]
    halted = chance.sample([one.name for one in asked], 3)
    with pool_site(directory, url, _SIZE, cache) as site:
        site.submit(asked)
        begun = time.monotonic()
        site.start(plan.workers)
        disturbance = Disturbance(
            site=site, chance=chance, kills=plan.kills, mean_seconds=1.0,
            to_pause=halted[:2], to_cancel=halted[2:],
        )  # fmt: skip
        disturbance.run()
        seconds = time.monotonic() - begun
        assert [move for move, _ in disturbance.moved].count("resume") == 2, disturbance.moved
        assert ("cancel", halted[2]) in disturbance.moved, disturbance.moved
        codes = site.dismiss()
        strange = [code for code in codes if code != 130]
        assert not strange, [one.said[-2000:] for one in site.workers]
        return [
            kind, str(len(asked)), str(disturbance.killed), *counts(site, asked, right, halted[2:]),
            "as priorities say" if in_order(site, asked) else "otherwise", f"{seconds:.0f}",
        ]  # fmt: skip


def counts(
    site: PoolSite, asked: list[Asked], right: dict[int, exact.Ended], cancelled: list[str]
) -> list[str]:
    """Add up what is otherwise than in the studies run alone; reclaims are those of all."""
    found = {one.name: exact.ended(site.site.url, one.name) for one in asked}
    whole = [exact.compare(found[one.name], right[one.seed])
             for one in asked if one.name not in cancelled]  # fmt: skip
    for one in whole:
        assert one.none, one
    for name in cancelled:
        _check_cancelled(found[name], next(right[one.seed] for one in asked if one.name == name))
    reclaims = sum(one.takeovers for one in found.values())
    return [str(reclaims), *(str(sum(getattr(one, what) for one in whole)) for what in COUNTED)]


COUNTED = ("planned", "lost", "doubled", "beyond", "missing", "differing")


def _check_cancelled(found: exact.Ended, right: exact.Ended) -> None:
    """A cancelled study has no trial twice, none beyond its plan, none that still runs."""
    assert not found.finished
    assert all(count == 1 for count in found.trials.values()), found.trials
    assert all(found.rows[name] <= right.rows[name] for name in ("studies", "stages", "cohorts"))
    states = {trial["state"] for stage in found.answer["stages"] for trial in stage["trials"]}
    assert states <= _STATES_OF_CANCELLED, states


def in_order(site: PoolSite, asked: list[Asked]) -> bool:
    """Whether studies had their first leases by priority, and of one priority by age."""
    ranked = sorted(asked, key=lambda one: -one.priority)  # stable: else as they were handed in
    return site.order_of_starts() == [one.name for one in ranked]


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True)
    return directory


def _text(plan: Plan, rows: list[list[str]]) -> str:
    header = ["storage", "studies", "SIGKILLs", "reclaimed", "planned trials", "lost", "doubled",
              "rows beyond", "rows missing", "differing", "order of starts", "s"]  # fmt: skip
    return (
        f"{(__doc__ or '').strip()}\n\n{plan.workers} workers, replaced as they die, a lease of "
        f"{_SIZE.lease_seconds} s, a checkpoint every {_SIZE.checkpoint_seconds} s. The cancelled "
        "study is not among the trials that are counted; it has none twice, none beyond its plan "
        f"and none that runs.\n\n{table(header, rows)}"
    )


if __name__ == "__main__":
    main()
