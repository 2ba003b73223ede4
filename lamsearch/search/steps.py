"""What a study does next: more trials, a choice, the test set, or nothing.

Enters: a checked study, and what is done of it. Leaves: one step. Pure: the same standing gives the
same step, whoever asks and how often. Refuses to know storages and who will do the work.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from lamsearch.errors import WorkFailedError
from lamsearch.metrics import metric_of
from lamsearch.results import (
    SEARCHING,
    STAGES,
    Counts,
    Decision,
    DecisionKind,
    Selected,
    StageName,
    StageRecord,
    TrialState,
)
from lamsearch.search.choice import winner
from lamsearch.search.finalists import extension, finalists, proposals, spacing
from lamsearch.search.narrowing import Batch, further, narrow, searched
from lamsearch.search.plan import StagePlan, plan_candidates, plan_search
from lamsearch.search.prior import seen_before
from lamsearch.space import Bounds, Point
from lamsearch.study import Study

GIVEN = "given in the study file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is done of a study: its planned stages, every trial of which has ended.

    ``examples`` has by stage how many validation examples it has, ``rounds`` how many rounds of
    candidates were planned for it. ``tested`` says that the test set's opening is planned,
    and ``search_ended`` why searching ended before its stages did. ``splitting`` names what is
    searched and cannot be trained in one cohort, as its trainer declares.
    """

    examples: Mapping[StageName, int]
    stages: Mapping[StageName, StageRecord] = field(default_factory=dict)
    rounds: Mapping[StageName, int] = field(default_factory=dict)
    selected: Selected | None = None
    tested: bool = False
    search_ended: str | None = None
    splitting: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Further trials: of a new stage, or ``extends`` one that has some. ``rounds`` are added."""

    trials: StagePlan
    decision: Decision
    extends: bool = False
    rounds: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Choose:
    """The choice of a candidate."""

    selected: Selected


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """The final is trained: open the test set."""

    __test__ = False  # pytest would collect the name


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """Nothing is left to do."""


Step = Plan | Choose | Test | Done


def next_step(study: Study, standing: Standing) -> Step:
    """Return what comes next.

    Raises:
        WorkFailedError: Too little ended well to go on with.
    """
    todo = [stage for stage in study.stages if stage not in standing.stages]
    if standing.search_ended is not None:
        todo = [stage for stage in todo if stage not in SEARCHING]
        standing = replace(standing, stages=_with_results(standing))
    if standing.selected is None:
        more = None if standing.search_ended is not None else _more(study, standing)
        if more is not None:
            return more
        if todo and todo[0] != "final":
            return _plan(_plan_stage(study, todo[0], standing), standing)
        chosen = _choice(study, standing)
        return Choose(selected=replace(chosen, inputs=_inputs(standing)))
    if todo:
        return _plan(_candidates(study, "final", standing, [standing.selected.point]), standing)
    final = standing.stages.get("final")
    if final is None or standing.tested:
        return Done()
    if not final.count(TrialState.COMPLETE):
        raise WorkFailedError("final: no replicate ended with a finite cost; lower eta_max")
    return Test()


def next_steps(study: Study, standing: Standing) -> Iterator[Step]:
    """Yield the steps that can be made now: a choice, and what it leads to.

    Raises:
        WorkFailedError: Too little ended well to go on with.
    """
    step = next_step(study, standing)
    yield step
    if isinstance(step, Choose):
        yield next_step(study, replace(standing, selected=step.selected))


def _with_results(standing: Standing) -> dict[StageName, StageRecord]:
    """The stages less those that search of which nothing is complete.

    Raises:
        WorkFailedError: Nothing of them is.
    """
    found = {
        name: stage
        for name, stage in standing.stages.items()
        if name not in SEARCHING or stage.count(TrialState.COMPLETE)
    }
    if any(name in SEARCHING for name in standing.stages) and not set(SEARCHING) & set(found):
        raise WorkFailedError(
            f"search: nothing to select from, no trial was complete when searching ended: "
            f"{standing.search_ended}"
        )
    return found


def _plan_stage(study: Study, stage: StageName, standing: Standing) -> StagePlan:
    """The first trials of coarse, fine or finalists."""
    done, examples = standing.stages, standing.examples
    if stage == "finalists" and study.finalists is not None:
        source: StageName = "fine" if "fine" in done else "coarse"
        keep = study.finalists.keep
        chosen = finalists(done[source], keep=keep, examples=examples[source], space=study.space)
        return _candidates(study, stage, standing, chosen)
    fine = study.fine
    if stage == "fine" and fine is not None and fine.values is None and "coarse" in done:
        bounds = _narrowed(study, standing)
        return plan_search(study, stage, bounds, splitting=standing.splitting)
    return plan_search(study, stage, splitting=standing.splitting)


def _more(study: Study, standing: Standing) -> Plan | None:
    """What a stage that is done still wants: further draws, further finalists.

    A stage that has been followed by another wants nothing more: its answer is the same again.
    """
    if (batch := _fine_batch(study, standing)) is not None:
        trials = plan_search(
            study, "fine", batch.bounds,
            count=batch.count, part=batch.part, after=_planned(standing.stages["fine"]),
            splitting=standing.splitting,
        )  # fmt: skip
        kind = DecisionKind.EXTENSION if batch.extension else DecisionKind.ROUND
        return _plan(trials, standing, kind)
    if points := _extension(study, standing):
        return _plan(_further(study, standing, points), standing, DecisionKind.EXTENSION)
    if points := _next_round(study, standing):
        return _plan(_further(study, standing, points), standing, DecisionKind.FURTHER_FINALISTS)
    return None


def _plan(trials: StagePlan, standing: Standing, kind: DecisionKind = DecisionKind.FIRST) -> Plan:
    """The step that plans trials, with the decision that they are of."""
    numbers = [trial.candidate for cohort in trials.cohorts for trial in cohort.trials]
    decision = Decision(
        kind=kind,
        candidates=(min(numbers), max(numbers) + 1),
        bounds=trials.bounds,
        inputs=_inputs(standing),
    )
    extends, rounds = kind is not DecisionKind.FIRST, int(kind is not DecisionKind.EXTENSION)
    return Plan(trials=trials, decision=decision, extends=extends, rounds=rounds)


def _inputs(standing: Standing) -> dict[StageName, Counts]:
    """How many trials had ended, by stage: what a decision is made from."""
    return {
        stage: Counts(
            complete=record.count(TrialState.COMPLETE),
            pruned=record.count(TrialState.PRUNED),
            failed=record.count(TrialState.FAIL),
        )
        for stage, record in sorted(standing.stages.items(), key=lambda item: STAGES.index(item[0]))
    }


def _fine_batch(study: Study, standing: Standing) -> Batch | None:
    """What fine draws next: past its edge, or in a further round."""
    fine, done, examples = study.fine, standing.stages, standing.examples
    if fine is None or fine.values is not None or "fine" not in done:
        return None
    if not fine.extend and fine.rounds == 1:
        return None
    if "coarse" in done:
        within = searched(done["coarse"])
        first = _narrowed(study, standing)
    else:
        first = within = searched(done["fine"])
    return further(
        done["fine"], fine, first, within=within, examples=examples["fine"], space=study.space
    )


def _narrowed(study: Study, standing: Standing) -> Bounds:
    """Where coarse's best lie."""
    keep = study.fine.kept if study.fine is not None else 1
    return narrow(
        standing.stages["coarse"],
        keep=keep, examples=standing.examples["coarse"], space=study.space,
    )  # fmt: skip


def _extension(study: Study, standing: Standing) -> Sequence[Point]:
    """Further finalists, where the best one is the outermost."""
    done = standing.stages
    if study.finalists is None or not study.finalists.extend or "finalists" not in done:
        return ()
    source = done.get("fine") or done["coarse"]
    within = done.get("coarse", source).bounds or source.bounds
    if within is None:
        return ()
    return extension(
        done["finalists"],
        step=spacing(source, study.space), within=within,
        examples=standing.examples["finalists"], space=study.space,
    )  # fmt: skip


def _next_round(study: Study, standing: Standing) -> Sequence[Point]:
    """Further finalists that a model of those before proposes, as many rounds as are wanted."""
    settings, done = study.finalists, standing.stages
    if settings is None or "finalists" not in done:
        return ()
    if standing.rounds["finalists"] >= settings.rounds:
        return ()
    examples = standing.examples["finalists"]
    return proposals(
        done["finalists"],
        count=settings.keep,
        examples=examples,
        space=study.space,
        prior=seen_before(study),
    )


def _further(study: Study, standing: Standing, points: Sequence[Point]) -> StagePlan:
    """The plan of more finalists, numbered after those there are, with the replicates' seeds."""
    after = _planned(standing.stages["finalists"])
    return _candidates(study, "finalists", standing, points, after=after)


def _candidates(
    study: Study,
    stage: StageName,
    standing: Standing,
    points: Sequence[Point],
    after: tuple[int, int] = (0, 0),
) -> StagePlan:
    return plan_candidates(study, stage, points, after=after, splitting=standing.splitting)


def _planned(stage: StageRecord) -> tuple[int, int]:
    """How many candidates and cohorts a stage has."""
    candidates = {trial.candidate for trial in stage.trials}
    return len(candidates), len({trial.cohort for trial in stage.trials})


def _choice(study: Study, standing: Standing) -> Selected:
    final, done = study.final, standing.stages
    if final is not None and final.point is not None:
        return Selected(point=final.point, rule=GIVEN, score=None)
    stages = [done[stage] for stage in ("coarse", "fine") if stage in done]
    deciding = done.get("finalists") or stages[-1]
    settings = study.finalists
    rule = "best" if settings is None or deciding.name != "finalists" else settings.rule
    return winner(
        deciding, stages,
        examples=standing.examples[deciding.name], rule=rule, metric=metric_of(study.metric),
        space=study.space, prior=seen_before(study),
    )  # fmt: skip
