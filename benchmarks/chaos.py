"""Workers killed and stopped at any moment, PostgreSQL taken away: what is lost, doubled, changed.

Everything is compared with one undisturbed worker on SQLite: trials and rows by plain SQL, results
and curves by their bits. Random kills hit real commands; the aimed ones strike at fault points.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from statistics import median

from benchmarks import exact, outages, victims
from benchmarks.common import Options, publish, read_options, table
from benchmarks.faults import NONE, POINTS
from benchmarks.kills import WORKERS, Fleet
from benchmarks.postgres import Server, Stop
from benchmarks.strikes import strike, struck
from benchmarks.victims import Site, Size, url_of

STORAGES = ("SQLite", "PostgreSQL")
_KILLS, _STRIKES = 104, 3  # per storage; per point and storage
_SEED = 4
_FLEET = Size(trials=8, step_size=2000, lease_seconds=1.5, checkpoint_seconds=0.25)
_AIMED = Size(trials=6)
_OUTAGE = Size(step_size=4000, lease_seconds=5.0, checkpoint_seconds=1.0)
# seconds, how it is stopped, the lease, whether over TCP (else over a socket in its directory)
_OUTAGES: tuple[tuple[float, Stop, float, bool], ...] = (
    (2, "fast", 5, True), (2, "immediate", 5, True), (2, "immediate", 5, False),
    (15, "fast", 5, True), (15, "immediate", 5, True), (15, "immediate", 20, True),
    (60, "fast", 5, True), (60, "immediate", 5, True),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """One disturbed study: how it differs, how often it was taken over."""

    differences: exact.Differences
    takeovers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Aimed:
    """The studies of one fault point: strikes that hit, and how the studies ended."""

    strikes: int
    studies: list[Study]


def main() -> None:
    """Disturb, count, write."""
    options = read_options(__doc__ or "")
    with tempfile.TemporaryDirectory() as temporary, Server(tcp=True) as server:
        directory = Path(temporary)
        parts = [
            _random(directory / "random", server, options),
            _aimed(directory / "aimed", server, options),
            _away(directory / "away", server, options),
        ]
    publish("chaos", f"{(__doc__ or '').strip()}\n\n" + "\n\n".join(parts), options)


def _random(directory: Path, server: Server, options: Options) -> str:
    """Kill workers at random moments, over repeated studies."""
    cache = directory / "cache"
    right = victims.undisturbed(directory / "right", _FLEET, cache)
    rows, costs, hits = [], list[float](), [0, 0]
    for kind in STORAGES:
        wanted, chance = (3 if options.quick else _KILLS), Random(f"{_SEED} {kind}")  # noqa: S311 - chance, not secrets
        studies, fleets = list[Study](), list[Fleet]()
        while (left := wanted - sum(len(fleet.kills) for fleet in fleets)) > 0:
            place = directory / f"{kind}-{len(studies)}"
            with victims.site(place, url_of(kind, place, server), _FLEET, cache) as site:
                assert site.create().wait() == 0
                fleet = Fleet(site=site, chance=chance, most=left)
                fleet.run()
                studies.append(_study(site, right))
                costs += fleet.repeated()
                fleets.append(fleet)
        kills = [kill for fleet in fleets for kill in fleet.kills]
        hits[0] += len(kills)
        hits[1] += sum(kill.work is not None for kill in kills)
        rows.append([
            kind, str(len(studies)), str(len(kills)),
            str(sum(len(fleet.stopped) for fleet in fleets)),
            str(sum(fleet.noticed for fleet in fleets)),
            str(sum(len(fleet.strange) for fleet in fleets)),
            str(sum(study.takeovers for study in studies)), *_exactness(studies),
        ])  # fmt: skip
    header = ["random kills", "studies", "kills", "stops", "noticed", "other deaths", "takeovers"]
    repeated = (
        f"work repeated per kill, in checkpoint intervals: median {median(costs):.2f}, "
        f"most {max(costs):.2f} ({len(costs)} kills)" if costs else "none had to be repeated"
    )  # fmt: skip
    return (
        f"{WORKERS} workers per study, a lease of {_FLEET.lease_seconds} s, a checkpoint every "
        f"{_FLEET.checkpoint_seconds} s; stops are SIGSTOPs for longer than the lease, noticed "
        f"says how often a worker then dropped what had been given to another.\n\n"
        f"{table([*header, *_EXACTNESS], rows)}\n\n"
        f"{hits[1]} of {hits[0]} kills hit a cohort in training; {repeated}."
    )


def _aimed(directory: Path, server: Server, options: Options) -> str:
    """Kill workers at every fault point, several studies at a time."""
    cache = directory / "cache"
    right = victims.undisturbed(directory / "right", _AIMED, cache)
    most = 1 if options.quick else _STRIKES

    def disturb(task: tuple[str, str]) -> Aimed:
        point, kind = task
        place = directory / f"{kind}-{point}"
        studies, strikes = list[Study](), 0
        while strikes < most:
            here = place / str(len(studies))
            with victims.site(here, url_of(kind, here, server), _AIMED, cache) as site:
                hits = _strike(site, point, most - strikes)
                studies.append(_study(site, right))
            assert hits, f"{point} never struck"
            strikes += hits
        return Aimed(strikes=strikes, studies=studies)

    points = list(POINTS)[:: 5 if options.quick else 1]
    tasks = [(point, kind) for point in points for kind in STORAGES]
    with ThreadPoolExecutor(2) as pool:
        found = dict(zip(tasks, pool.map(disturb, tasks), strict=True))
    rows = [
        [point, *(str(found[point, kind].strikes) for kind in STORAGES),
         *_exactness(one for kind in STORAGES for one in found[point, kind].studies)]
        for point in points
    ]  # fmt: skip
    return table(["fault point", *(f"strikes, {kind}" for kind in STORAGES), *_EXACTNESS], rows)


def _strike(site: Site, point: str, most: int) -> int:
    """Let a point strike on one study as often as it does, then end the study; return how often."""
    hits = 0
    if point == "passing":  # the plan of the first stage is a transition too
        planning = site.create(point)
        planning.wait()
        hits += struck(planning, point)
    assert site.create().wait() == 0
    while hits < most:
        armed = f"{point}:{hits + 1}" if POINTS[point].often else point
        victim = strike(site, armed)
        if not struck(victim, point):
            assert victim.poll() == 0, victim.said
            break
        hits += 1
    last = strike(site, NONE)
    assert last.poll() == 0, last.said
    return hits


def _away(directory: Path, server: Server, options: Options) -> str:
    """Take PostgreSQL away in the middle of a study, and give it back."""
    cache = directory / "cache"
    wanted = replace(_OUTAGE, step_size=1000) if options.quick else _OUTAGE
    right = victims.undisturbed(directory / "right", wanted, cache)

    def run(name: str, here: Server, size: Size, **outage: object) -> outages.Outcome:
        with victims.site(directory / name, here.database(), size, cache) as site:
            return outages.run(site, here, **outage)  # type: ignore[arg-type]

    peace = [run(f"peace-{n}", server, wanted).seconds for n in range(1 if options.quick else 2)]
    rows = []
    with Server() as other:
        planned = _OUTAGES[1:2] if options.quick else _OUTAGES
        for number, (seconds, mode, lease, tcp) in enumerate(planned):
            size = replace(wanted, lease_seconds=lease)
            here = server if tcp else other
            found = run(str(number), here, size, mode=mode, seconds=seconds)
            study = Study(
                differences=exact.compare(found.ended, right), takeovers=found.ended.takeovers
            )
            rows.append([
                f"{mode}, {seconds:.0f} s", "TCP" if tcp else "socket", f"{lease:.0f} s",
                str(found.code), str(found.reruns), str(found.failed),
                f"{found.said.count('database away')} / {found.said.count('database back')}",
                *_exactness([study]), f"{found.seconds - median(peace):+.1f} s",
            ])  # fmt: skip
    header = ["PostgreSQL stopped", "by", "lease", "exit code", "operator actions", "failed trials",
              "lines: away / back"]  # fmt: skip
    return (
        f"`lamsearch run --workers {outages.WORKERS}`; without an outage it takes "
        f"{median(peace):.1f} s, start and report included.\n\n"
        + table([*header, *_EXACTNESS, "took longer by"], rows)
    )


def _study(site: Site, right: exact.Ended) -> Study:
    found = site.ended()
    return Study(differences=exact.compare(found, right), takeovers=found.takeovers)


_EXACTNESS = ("planned", "lost", "doubled", "rows beyond", "rows missing", "differing", "openings")
_COUNTED: tuple[Callable[[exact.Differences], int], ...] = (
    lambda one: one.planned, lambda one: one.lost, lambda one: one.doubled,
    lambda one: one.beyond, lambda one: one.missing, lambda one: one.differing,
)  # fmt: skip


def _exactness(studies: Iterable[Study]) -> list[str]:
    """Add up what is wrong; openings of the test set are the most that a study has."""
    found = [study.differences for study in studies]
    assert all(one.finished for one in found)
    sums = [str(sum(count(one) for one in found)) for count in _COUNTED]
    return [*sums, str(max(one.openings for one in found))]


if __name__ == "__main__":
    main()
