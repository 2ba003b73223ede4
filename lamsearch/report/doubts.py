"""How sure the choice is, in plain words: what it beats, what it cannot be told apart from.

Enters: a study's record. Leaves: sentences and a table of unescaped text.
"""

from __future__ import annotations

from collections.abc import Iterator

from lamsearch import selection
from lamsearch.results import StageName, StageRecord, StudyRecord
from lamsearch.selection import Difference


def deciding(record: StudyRecord) -> StageRecord | None:
    """Return the stage that decided, or will; None as long as nothing is planned."""
    order: tuple[StageName, ...] = ("finalists", "fine", "coarse")
    return next((record.stages[name] for name in order if name in record.stages), None)


def compared(record: StudyRecord) -> tuple[Difference, ...]:
    """Return the chosen λ's differences to the others of its stage; empty where none are known.

    A λ that a model chose between those tried is compared by the tried one that is nearest.
    """
    stage, selected, nearest = deciding(record), record.selected, _nearest(record)
    if stage is None or nearest is None:
        return ()
    if selected is None or selected.validation_accuracy is None:
        return ()
    return selection.differences(stage, nearest)


def title(record: StudyRecord) -> str:
    """Name the table of differences: whose they are."""
    nearest = _stand_in(record)
    if nearest is None:
        return "The chosen λ against the others"
    return f"The nearest λ tried, log₁₀ λ = {nearest:.3f}, against the others"


def rows(found: tuple[Difference, ...]) -> tuple[tuple[str, ...], ...]:
    """Return a row per difference: log10 λ, points better, interval, verdict."""
    return tuple(
        (
            f"{one.log10_lambda:.4f}",
            f"{100 * one.mean:+.2f}",
            f"{100 * one.interval95[0]:+.2f} to {100 * one.interval95[1]:+.2f}",
            _verdict(one),
        )
        for one in found
    )


def sentences(record: StudyRecord) -> Iterator[str]:
    """Say what the choice cannot be told apart from, and what became of the picked ones."""
    found, whose = compared(record), _subject(record)
    close = [one.log10_lambda for one in found if not one.apart]
    if found and close:
        values = ", ".join(f"{value:.3f}" for value in close)
        yield (
            f"{whose} cannot be told apart from log₁₀ λ = {values}: 0 lies in the 95 % "
            "intervals of their paired differences, over seeds and validation images."
        )
    elif found:
        yield f"{whose} is told apart from every other one of its stage, at 95 %."
    yield from _curse(record)


def _subject(record: StudyRecord) -> str:
    """Name what is compared: the chosen λ, or the tried one that stands for it."""
    nearest = _stand_in(record)
    if nearest is None:
        return "The chosen λ"
    return f"The chosen λ lies between those tried; the nearest of them, log₁₀ λ = {nearest:.3f},"


def _stand_in(record: StudyRecord) -> float | None:
    """Return the tried log10 λ that stands for the chosen one; None where that was tried itself."""
    chosen, nearest = record.selected, _nearest(record)
    return nearest if chosen is not None and nearest != chosen.log10_lambda else None


def _nearest(record: StudyRecord) -> float | None:
    """Return the log10 λ nearest to the chosen one of those that the deciding stage tried."""
    stage, chosen = deciding(record), record.selected
    if stage is None or chosen is None:
        return None
    tried = [trial.log10_lambda for trial in stage.trials if trial.log10_lambda is not None]
    return min(tried, key=lambda value: abs(value - chosen.log10_lambda))


def _verdict(one: Difference) -> str:
    return "told apart" if one.apart else "cannot be told apart"


def _curse(record: StudyRecord) -> Iterator[str]:
    """Say how far those who were picked by one score fell, on seeds that picked nobody."""
    finalists, picked = record.stages.get("finalists"), _picking(record)
    if finalists is None or picked is None or record.selected is None:
        return
    drops = selection.drops(picked, finalists)
    if not drops:
        return
    mean = sum(one.picked - one.fresh for one in drops) / len(drops)
    same = record.settings.get(picked.name) or {}
    schedules = ("batch_size", "eta_min", "eta_max", "step_size", "cycles", "components")
    other = isinstance(same, dict) and any(key in same for key in schedules)
    why = " (the schedules of the two stages differ, which is in this number too)" if other else ""
    yield (
        f"Winner's curse: the {len(drops)} λs picked from {picked.name} scored "
        f"{100 * abs(mean):.2f} points {'less' if mean >= 0 else 'more'} on fresh seeds, "
        f"on average{why}."
    )


def _picking(record: StudyRecord) -> StageRecord | None:
    return record.stages.get("fine") or record.stages.get("coarse")
