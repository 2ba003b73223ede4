"""Kills at random moments: a fleet of workers on one study, some of them killed or stopped.

Enters: a site with a planned study, a seed. Leaves: what each kill hit, and what it cost.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from benchmarks.faults import traced
from benchmarks.victims import NAME, Site, Victim, until

WORKERS = 3
_MEAN_SECONDS = 0.9  # between two blows
_AIMED_AT_TRAINING = 0.75  # the other blows hit whoever lives, be it at start-up or in a transition
_STOPS = 0.12  # of all blows


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """One kill: what the process had in work, None at its start or between two cohorts."""

    victim: Victim
    at: float
    work: dict[str, Any] | None


@dataclass(slots=True, kw_only=True)
class Fleet:
    """Workers that are replaced as they die, and the blows they took."""

    site: Site
    chance: Random
    most: int
    workers: int = WORKERS
    real: bool = True  # commands of their own; else forked, which start in no time
    kills: list[Kill] = field(default_factory=list)
    stopped: set[int] = field(default_factory=set)
    strange: list[str] = field(default_factory=list)  # who left otherwise than done or killed
    _members: list[Victim] = field(default_factory=list)
    _paused: dict[int, float] = field(default_factory=dict)
    _done: bool = False

    def run(self) -> None:
        """Work until the study is over, with at most so many kills."""
        self._members = [self._start() for _ in range(self.workers)]
        due = self._next()
        while self._members:
            self._look_after()
            if not self._done and time.monotonic() > due:
                self._strike()
                due = self._next()
            time.sleep(0.01)

    @property
    def noticed(self) -> int:
        """How often a worker noticed that it had been given up."""
        return sum(one.said.count("; dropped") for one in self.site.victims)

    def repeated(self) -> Iterator[float]:
        """The seconds of training that were done again, of each kill that hit a training.

        Workers that had been stopped before are left out: their clocks ran on.
        """
        rows = [(victim, row) for victim in self.site.victims for row in traced(victim.trace)]
        for kill in self.kills:
            work = kill.work
            if work is None or kill.victim.pid in self.stopped:
                continue
            again = [
                row for victim, row in rows
                if victim is not kill.victim and row["begun"] > kill.at
                and (row["stage"], row["number"]) == (work["stage"], work["number"])
            ]  # fmt: skip
            if again:
                yield lost_seconds(work, min(again, key=lambda row: row["begun"]))

    def _look_after(self) -> None:
        now = time.monotonic()
        for member in list(self._members):
            if self._paused.get(member.pid, now + 1) < now or (
                self._done and member.pid in self._paused
            ):
                member.signal(signal.SIGCONT)
                del self._paused[member.pid]
            code = member.poll()
            if code is None:
                continue
            self._members.remove(member)
            if code == 0:
                self._done = True
                continue
            if code != -signal.SIGKILL:
                self.strange.append(f"exit code {code}: {member.said[-500:]}")
                assert len(self.strange) < 3 * self.workers, self.strange
            self._members.append(self._start())

    def _strike(self) -> None:
        able = [one for one in self._members if one.pid not in self._paused]
        if self.chance.random() < _AIMED_AT_TRAINING:
            able = [one for one in able if _in_work(one) is not None]
        if not able:
            return
        victim = self.chance.choice(able)
        if self.chance.random() < _STOPS:
            victim.signal(signal.SIGSTOP)
            self.stopped.add(victim.pid)
            pause = self.site.size.lease_seconds + self.chance.uniform(0.3, 1.5)
            self._paused[victim.pid] = time.monotonic() + pause
        elif len(self.kills) < self.most:
            victim.signal(signal.SIGKILL)
            if victim.wait() == -signal.SIGKILL:
                kill = Kill(victim=victim, at=time.monotonic(), work=_in_work(victim))
                self.kills.append(kill)

    def _start(self) -> Victim:
        words = ("worker", NAME, "--files", str(self.site.files), *self.site.size.timing)
        return self.site.command(*words) if self.real else self.site.fork("none", *words)

    def _next(self) -> float:
        return time.monotonic() + self.chance.expovariate(1 / _MEAN_SECONDS)


def lost_seconds(work: dict[str, Any], again: dict[str, Any]) -> float:
    """Return the seconds of a killed training that its successor had to do again."""
    updates = work["now_updates"] - again["begun_updates"]
    if again["begun_updates"] == work["saved_updates"]:
        return float(work["now"] - work["saved"])
    # it died between a checkpoint's rename and the trace of it, or fell back to an older one
    timing = (work["now"] - work["begun"]) / max(1, work["now_updates"] - work["begun_updates"])
    return max(0.0, float(updates * timing))


def kill_in_training(victim: Victim, after: float) -> dict[str, Any]:
    """Kill a worker so many seconds after a checkpoint; return what it had in work."""

    def ripe() -> bool:
        work = _in_work(victim)
        if work is None or not work["saved_updates"]:
            return False
        return bool(work["now"] - work["saved"] > after)

    until(ripe)
    victim.signal(signal.SIGKILL)
    assert victim.wait() == -signal.SIGKILL, victim.said
    work = _in_work(victim)
    assert work is not None
    return work


def _in_work(victim: Victim) -> dict[str, Any] | None:
    rows = traced(victim.trace)
    return rows[-1] if rows and rows[-1]["in_work"] else None
