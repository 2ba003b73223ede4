"""The rules between the tables of a study file. Enters: those that parsed. Leaves: issues."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise
from typing import Any

from lamsearch.errors import Issue
from lamsearch.results import STAGES
from lamsearch.space import LAMBDA
from lamsearch.study.data import Data
from lamsearch.study.sections import MOST, Training
from lamsearch.study.settings import StageSettings, stage_settings
from lamsearch.study.shares import numbered
from lamsearch.study.stages import (
    LEAST_SNAPSHOTS,
    MOST_SNAPSHOTS,
    Coarse,
    Final,
    Fine,
    Stage,
    lambda_of,
)

_CYCLES_TO_HALVE = 2  # models leave at the end of a cycle, and the last one's end is the end
_COHORT_TO_HALVE = 2  # a cohort always keeps one
_MOST_TRIALS = 1_000_000  # of a stage, planned in one transaction
_MOST_SPLITS = 100  # of a stage, each normalised and kept apart
_ADDRESSABLE = 2**47  # bytes that a process can have at all


def all_issues(
    sections: Mapping[str, Any], broken: Collection[str] = (), *, cohort: object = None
) -> Iterator[Issue]:
    """Yield what is wrong inside each section that parsed, and between those.

    ``broken`` names the sections that are there but did not parse: they are not missed. ``cohort``
    is the file's own, as it stands there. Shares are checked as numbers where the source's size is
    known.
    """
    data = sections["data"]
    if data is not None and data.sizes is not None:
        small, numbers = numbered(sections, data.sizes.examples, data.source)
        yield from small
        sections = {**sections, **numbers}
    for section in sections.values():
        if section is not None:
            yield from section.issues()
    yield from _stage_issues(sections, broken)
    yield from _training_issues(sections)
    yield from _cohort_issues(sections, cohort)
    yield from _final_issues(sections, broken)
    yield from _resplit_issues(sections, broken)
    yield from _components_issues(sections)
    yield from _batch_norm_issues(sections)
    yield from _augment_issues(sections)
    yield from _size_issues(sections, cohort)


def _stage_issues(sections: Mapping[str, Any], broken: Collection[str]) -> Iterator[Issue]:
    coarse, fine, finalists = sections["coarse"], sections["fine"], sections["finalists"]
    no_coarse = coarse is None and "coarse" not in broken
    no_fine = fine is None and "fine" not in broken
    if coarse is not None and coarse.values is None and lambda_of(coarse) is None:
        yield Issue(where=f"coarse.{LAMBDA.name}", rule="is required")
    if fine is not None:
        yield from _fine_issues(fine, coarse, no_coarse)
    modelled = "finalists" in broken or (finalists is not None and finalists.rule == "model")
    if coarse is not None and coarse.start_from is not None and not modelled:
        rule = 'needs [finalists] with rule = "model": no other rule can start from scores'
        yield Issue(where="coarse.start_from", rule=rule, value=coarse.start_from)
    if finalists is not None and no_coarse and no_fine:
        yield Issue(where="finalists", rule="needs a [coarse] or [fine] stage to come from")


def _fine_issues(fine: Fine, coarse: Coarse | None, no_coarse: bool) -> Iterator[Issue]:
    if fine.values is None:
        if no_coarse and lambda_of(fine) is None:
            yield Issue(where=f"fine.{LAMBDA.name}", rule="is required where there is no [coarse]")
        if not no_coarse and lambda_of(fine) is not None:
            rule = "must not be given after [coarse]: it is the span of coarse's best"
            yield Issue(where=f"fine.{LAMBDA.name}", rule=rule, value=list(lambda_of(fine)))
    if not no_coarse and fine.space:
        rule = "must not be given after [coarse]: fine searches what coarse did"
        yield Issue(where="fine.space", rule=rule, value=sorted(fine.space))
    if coarse is not None and coarse.space and fine.values is not None:
        rule = "must not be given after coarse.space: they would be log10 λ alone"
        yield Issue(where="fine.values", rule=rule, value=list(fine.values))
    if no_coarse and fine.keep is not None and fine.rounds == 1:
        yield Issue(where="fine.keep", rule="needs a [coarse] stage", value=fine.keep)
    if no_coarse and fine.extend:
        rule = "needs a [coarse] stage, whose interval is the limit"
        yield Issue(where="fine.extend", rule=rule, value=True)
    if coarse is not None and fine.keep is not None:
        count = coarse.trials or len(coarse.values or ())
        if fine.keep > count:
            rule = f"must be at most the {count} candidate{'s' * (count != 1)} of coarse"
            yield Issue(where="fine.keep", rule=rule, value=fine.keep)


def _cohort_issues(sections: Mapping[str, Any], cohort: object) -> Iterator[Issue]:
    if not isinstance(cohort, int) or cohort >= _COHORT_TO_HALVE:
        return
    for name in STAGES:
        if getattr(sections[name], "halving", False):
            rule = f"needs cohort to be at least {_COHORT_TO_HALVE}: nobody leaves a cohort of one"
            yield Issue(where=f"{name}.halving", rule=rule, value=cohort)


def _training_issues(sections: Mapping[str, Any]) -> Iterator[Issue]:
    training, data = sections["training"], sections["data"]
    if training is None:
        return
    inherited: dict[str, StageSettings] = {}
    for name in STAGES:
        stage = sections[name]
        if stage is None:
            continue
        settings = stage_settings(training, data, stage)
        if stage.batch_size is None:
            inherited[name] = settings
        if settings.training.eta_min > settings.training.eta_max and (
            training.eta_min <= training.eta_max
        ):
            rule = f"must be at most eta_max = {settings.training.eta_max!r}"
            yield Issue(where=f"{name}.eta_min", rule=rule, value=settings.training.eta_min)
        yield from _schedule_issues(name, stage, settings)
        if isinstance(stage, Final):
            yield from _snapshot_issues(stage, settings.training.cycles)
    yield from _batch_issues(training, inherited)


def _snapshot_issues(final: Final, cycles: int) -> Iterator[Issue]:
    if final.snapshots is False:
        return
    if cycles < LEAST_SNAPSHOTS:
        rule = f"needs at least {LEAST_SNAPSHOTS} cycles in the schedule of final"
        yield Issue(where="final.snapshots", rule=rule, value=cycles)
    elif final.snapshots is True and cycles > MOST_SNAPSHOTS:
        rule = f"must be a number of cycle ends, at most {MOST_SNAPSHOTS}, of so many cycles"
        yield Issue(where="final.snapshots", rule=rule, value=True)
    elif final.snapshots > cycles:
        rule = f"must be at most the {cycles} cycles of final"
        yield Issue(where="final.snapshots", rule=rule, value=final.snapshots)


def _schedule_issues(name: str, stage: Stage, settings: StageSettings) -> Iterator[Issue]:
    training, size = settings.training, settings.train_examples
    if settings.halving and training.cycles < _CYCLES_TO_HALVE:
        rule = f"needs at least {_CYCLES_TO_HALVE} cycles in the schedule of {name}"
        yield Issue(where=f"{name}.halving", rule=rule, value=training.cycles)
    if training.updates > MOST:
        where = f"{name if stage.step_size or stage.cycles else 'training'}.step_size"
        rule = f"2 * step_size * cycles must be at most {MOST} updates"
        yield Issue(where=where, rule=rule, value=training.step_size)
    if stage.batch_size is not None and size is not None and training.batch_size > size:
        rule = f"must be at most the {size} training images of {name}"
        yield Issue(where=f"{name}.batch_size", rule=rule, value=training.batch_size)


def _batch_issues(training: Training, settings: Mapping[str, StageSettings]) -> Iterator[Issue]:
    """Yield that a mini-batch is beyond the smallest of the splits that it is drawn from: once."""
    sizes = {name: one.train_examples for name, one in settings.items()}
    known = {name: size for name, size in sizes.items() if size is not None}
    least = min(known, key=lambda name: known[name], default=None)
    if least is None or training.batch_size <= known[least]:
        return
    rule = f"must be at most the {known[least]} training images of {least}"
    if "batch_size" not in training.model_fields_set:
        rule = f"{rule}; where it is not given it is {training.batch_size}"
    yield Issue(where="training.batch_size", rule=rule, value=training.batch_size)


def _batch_norm_issues(sections: Mapping[str, Any]) -> Iterator[Issue]:
    network, training = sections["network"], sections["training"]
    if network is None or training is None or not network.batch_norm:
        return
    for where, table in [("training", training), *((name, sections[name]) for name in STAGES)]:
        if table is not None and table.batch_size == 1:
            rule = "must be at least 2 with network.batch_norm: one example has no variance"
            yield Issue(where=f"{where}.batch_size", rule=rule, value=1)


def _final_issues(sections: Mapping[str, Any], broken: Collection[str]) -> Iterator[Issue]:
    final, data = sections["final"], sections["data"]
    if final is None:
        return
    found = {name for name in STAGES if sections[name] is not None} | set(broken)
    selects = any(name in found for name in STAGES if name != "final")
    if lambda_of(final) is not None and selects:
        rule = "must not be given where a stage selects λ"
        yield Issue(where=f"final.{LAMBDA.name}", rule=rule, value=lambda_of(final))
    if lambda_of(final) is None and not selects:
        yield Issue(where=f"final.{LAMBDA.name}", rule="is required where no stage selects λ")
    if final.test_curves and selects:
        rule = "must be false where a stage selects λ: nothing before the end may read the test set"
        yield Issue(where="final.test_curves", rule=rule, value=True)
    if data is not None:
        yield from _final_split_issues(final, data)


def _final_split_issues(final: Final, data: Data) -> Iterator[Issue]:
    if data.assigned is not None or data.folds is not None:
        maker = "folds" if data.assigned is None else data.assigned.key
        for key in ("train", "validation"):
            if getattr(final, key) is not None:
                rule = f"must not stand beside data.{maker}"
                yield Issue(where=f"final.{key}", rule=rule, value=getattr(final, key))
    elif data.sizes is not None:
        have = data.sizes.examples - data.least_test
        sizes = final.train or data.train, final.validation or data.validation
        total = sum(size for size in sizes if isinstance(size, int))
        if total > have > 0 and (final.train or final.validation):
            rule = f"train + validation must be at most the {have} images of the training pool"
            yield Issue(where="final", rule=rule, value=total)


def _resplit_issues(sections: Mapping[str, Any], broken: Collection[str]) -> Iterator[Issue]:
    data = sections["data"]
    if data is None or not (data.resplit or data.folds is not None):
        return
    key = "resplit" if data.folds is None else "folds"
    where, value = f"data.{key}", getattr(data, key)
    if data.resplit and data.folds is not None:
        rule = "must not stand beside data.folds, which give each replicate a split of its own"
        yield Issue(where="data.resplit", rule=rule, value=True)
    if data.assigned is not None:
        rule = f"must not stand beside data.{data.assigned.key}, which leaves nothing to draw"
        yield Issue(where=where, rule=rule, value=value)
    stages = {name: sections[name] for name in ("finalists", "final")}
    found = {name: stage.replicates for name, stage in stages.items() if stage is not None}
    if max(found.values(), default=1) == 1 and not stages.keys() & set(broken):
        rule = "needs [finalists] or [final] with at least 2 replicates, whose splits it draws"
        yield Issue(where=where, rule=rule, value=value)
    for name, count in found.items():
        if count > _MOST_SPLITS:
            rule = f"must be at most {_MOST_SPLITS} with {where}: each has a split of its own"
            yield Issue(where=f"{name}.replicates", rule=rule, value=count)


def _components_issues(sections: Mapping[str, Any]) -> Iterator[Issue]:
    data = sections["data"]
    if data is not None and data.whiten and data.components is None:
        rule = "must be false where data.components is not given: components are what is whitened"
        yield Issue(where="data.whiten", rule=rule, value=True)
    if data is not None and data.sizes is not None:
        yield from feature_issues(sections, data.sizes.features, data.source)


def feature_issues(sections: Mapping[str, Any], features: int, source: str) -> Iterator[Issue]:
    """Yield where more principal components are asked for than the data have features."""
    for name in ("data", *STAGES):
        section = sections[name]
        if section is not None and (section.components or 0) > features:
            rule = f"must be at most the {features} features of {source}"
            yield Issue(where=f"{name}.components", rule=rule, value=section.components)


def _augment_issues(sections: Mapping[str, Any]) -> Iterator[Issue]:
    augment, data = sections["augment"], sections["data"]
    if augment is None:
        return
    if data is not None and data.sizes is not None and data.sizes.image is not None:
        yield from augment.image_issues(data.sizes.image, data.source)


def _size_issues(sections: Mapping[str, Any], cohort: object) -> Iterator[Issue]:
    """Refuse what no machine can hold: too many trials, weights beyond all addresses."""
    for name in STAGES:
        if (stage := sections[name]) is None:
            continue
        many = getattr(stage, "trials", None) or getattr(stage, "keep", None) or 1
        planned = many * getattr(stage, "rounds", 1) * getattr(stage, "replicates", 1)
        if planned > _MOST_TRIALS:
            rule = f"must plan at most {_MOST_TRIALS:,} trials"
            yield Issue(where=name, rule=rule, value=planned)
    network, training, data = sections["network"], sections["training"], sections["data"]
    if network is None or not isinstance(cohort, int):
        return
    features = data.sizes.features if data is not None and data.sizes is not None else 1
    batch = training.batch_size if training else 1
    sizes = (features, *network.units)
    weights = sum(max(above, batch) * below for above, below in pairwise(sizes))
    if 4 * weights * cohort > _ADDRESSABLE:
        rule = "must fit memory: the weights and activations of a cohort need more than 2^47 bytes"
        yield Issue(where="network.hidden", rule=rule, value=network.hidden)
