"""What is searched beside λ: whether it may be, the settings that it takes the place of, cohorts.

Enters: a study and its kind of trainer. Leaves: issues, names, a cohort's settings. Refuses to know
how candidates are drawn and who trains them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, product
from typing import Any

from pydantic import BaseModel, ValidationError

from lamsearch.axes import AXES, axis_of
from lamsearch.errors import Issue, StudyFileError
from lamsearch.results import StageName
from lamsearch.space import Dimension, Interval, Point
from lamsearch.study import Augment, Study, Training, issues_of, issues_with, laid_over
from lamsearch.trainers.kind import TrainerKind
from lamsearch.trainers.protocol import Parameter

_Searched = Sequence[tuple[Parameter, Dimension, Interval]]
_Tables = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortSettings:
    """A stage's settings for the points of one cohort, as a `Task` has them."""

    training: Training
    options: BaseModel
    augment: Augment
    per_model: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)


def splitting(study: Study, kind: TrainerKind) -> frozenset[str]:
    """Return the names of what is searched and does not share a cohort."""
    known = kind.searchable
    names = [one.name for one in study.space.dimensions[1:]]
    return frozenset(name for name in names if name in known and not known[name].shares_cohort)


def settings_at(
    study: Study, kind: TrainerKind, stage: StageName, points: Sequence[Point]
) -> CohortSettings:
    """Return a stage's settings for a cohort's points: what they have alike is laid over them.

    Raises:
        ValueError: The points differ in what does not share a cohort.
        StudyFileError: They hold what no study file may.
    """
    tables: _Tables = {}
    per_model: dict[str, tuple[Any, ...]] = {}
    known = kind.searchable
    for index, dimension in enumerate(study.space.dimensions[1:], start=1):
        values = tuple(dimension.value(point[index]) for point in points)
        parameter = known[dimension.name]
        if parameter.shares_cohort:
            per_model[dimension.name] = values
        elif any(one != values[0] for one in values):
            raise ValueError(f"a cohort's trials must have the same {dimension.name}")
        else:
            tables.setdefault(parameter.table, {})[dimension.name] = values[0]
    try:
        return CohortSettings(
            training=laid_over(study.training_of(stage), tables.get("training", {})),
            options=options_of(study, kind, tables),
            augment=laid_over(study.augment, tables.get("augment", {})),
            per_model=per_model,
        )
    except ValidationError as error:
        raise StudyFileError(
            issues_of(error, (f"study {study.name}: {stage}",), Training)
        ) from error


def options_of(study: Study, kind: TrainerKind, tables: Mapping[str, Any]) -> BaseModel:
    """Return the trainer's own settings, from the table that has them, with values over them."""
    values = tables.get(kind.table, {})
    if kind.table == "network":
        return laid_over(study.network, values)
    return kind.options.model_validate({**study.trainer.options, **values})


def searched_issues(study: Study, kind: TrainerKind) -> Iterator[Issue]:
    """Yield what is wrong with what a study searches beside λ."""
    search = study.search
    if search is None or not search.space:
        return
    where = f"{'coarse' if study.coarse else 'fine'}.space"
    known, found = kind.searchable, []
    for name, entry in search.axes.items():
        if (parameter := known.get(name)) is None:
            names = ", ".join(known) or "none beside λ"
            rule = f"must be a parameter of trainer {kind.name!r}: {names}"
            yield Issue(where=f"{where}.{name}", rule=rule, value=name)
            continue
        own = list(_own_issues(study, where, parameter, entry))
        yield from own
        if not own:
            found.append((parameter, *axis_of(name, entry)))
    yield from _issues_of_values(study, kind, where, found)


def _own_issues(
    study: Study, where: str, parameter: Parameter, entry: Mapping[str, Any]
) -> Iterator[Issue]:
    """What is wrong with one of them, whatever its values do elsewhere."""
    (key,) = entry
    place = f"{where}.{parameter.name}.{key}"
    if AXES[key] not in parameter.scales:
        keys = [one for one, scale in AXES.items() if scale in parameter.scales]
        yield Issue(where=place, rule=f"must be one of {', '.join(keys)}", value=key)
        return
    numbers = [one for one in entry[key] if isinstance(one, (int, float))]
    low, high = parameter.low, parameter.high
    for value in numbers:
        if not isinstance(value, bool) and not low <= value <= high:
            yield Issue(where=place, rule=f"must lie between {low:g} and {high:g}", value=value)
    overridden = study.stages if parameter.table == "training" else ()
    for stage in overridden:
        if (given := getattr(getattr(study, stage), parameter.name, None)) is not None:
            rule = f"must not be given where {where} searches it"
            yield Issue(where=f"{stage}.{parameter.name}", rule=rule, value=given)


def _issues_of_values(
    study: Study, kind: TrainerKind, where: str, found: _Searched
) -> Iterator[Issue]:
    """What the tables say to the values, each by itself and the ends of each two together."""
    said: dict[str, Issue] = {}
    for values in _settings(found):
        for issue in _issues_at(study, kind, values):
            table, _, key = issue.where.partition("[")[0].partition(".")
            searched = any(one.name == key and one.table == table for one, *_ in found)
            place = f"{where}.{key}" if searched else issue.where
            said.setdefault(place, Issue(where=place, rule=issue.rule, value=issue.value))
    yield from said.values()


def _issues_at(study: Study, kind: TrainerKind, tables: _Tables) -> Iterator[Issue]:
    others = {name: values for name, values in tables.items() if name != "trainer"}
    yield from issues_with(study, others)
    try:
        options_of(study, kind, {"trainer": tables.get("trainer", {})})
    except ValidationError as error:
        yield from issues_of(error, ("trainer",), kind.options)


def _settings(found: _Searched) -> Iterator[_Tables]:
    """Each value by itself, the others at their first; then both ends of each two."""
    first = [_values(dimension, bounds)[0] for _, dimension, bounds in found]
    for index, (_, dimension, bounds) in enumerate(found):
        for value in _values(dimension, bounds):
            yield _tables(found, [*first[:index], value, *first[index + 1 :]])
    for one, other in combinations(range(len(found)), 2):
        ends = [_values(*found[index][1:]) for index in (one, other)]
        for left, right in product(*((values[0], values[-1]) for values in ends)):
            values = list(first)
            values[one], values[other] = left, right
            yield _tables(found, values)


def _values(dimension: Dimension, bounds: Interval) -> list[Any]:
    """All choices, numbers in their order; of what has an order both ends."""
    if dimension.ordered:
        return [dimension.value(x) for x in bounds]
    numbers = all(isinstance(one, (int, float)) for one in dimension.choices)
    return sorted(dimension.choices) if numbers else list(dimension.choices)


def _tables(found: _Searched, values: Sequence[Any]) -> _Tables:
    tables: _Tables = {}
    for (parameter, *_), value in zip(found, values, strict=True):
        tables.setdefault(parameter.table, {})[parameter.name] = value
    return tables
