"""What a study file may say but hardly means. Enters: a checked study. Leaves: sentences.

Refuses to refuse: what is listed here can be planned and trained.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from lamsearch.results import StageName
from lamsearch.space import LAMBDA
from lamsearch.study.document import Study
from lamsearch.study.sections import Training
from lamsearch.study.stages import lambda_of

_NARROW = 0.01  # an interval of log10 λ that is one λ, practically
_LEAST_AMPLITUDE = 1e-3
_PORTS = (f"{port}{number}" for port in ("com", "lpt") for number in range(10))
_RESERVED = {"con", "prn", "aux", "nul", *_PORTS}  # by Windows, whatever follows the first dot


def cautions(study: Study) -> list[str]:
    """Return a sentence per setting that a reader should look at again."""
    found = [*_name(study.name)]
    for stage in study.stages:
        given = _given(study, stage)
        found += _linear(stage, given)
        found += _narrow(study, stage)
        optimisers = study.searched("optimiser") or (study.training_of(stage).optimiser,)
        if set(optimisers) != {"adam"}:  # which divides by the gradient's size
            found += _unstable(_fastest(study, stage), stage, given)
        found += _uneven(study, stage)
        found += _vanishing(study.training_of(stage), stage)
        found += _decoupled(optimisers)
    return list(dict.fromkeys(found))


def _given(study: Study, stage: StageName) -> tuple[str, Sequence[float]]:
    """The key of a stage that gives log10 λs, and those: bounds, values or one."""
    section = getattr(study, stage)
    if values := getattr(section, "values", None):
        return "values", values
    given = lambda_of(section)
    if given is None:
        return "", ()
    return LAMBDA.name, given if isinstance(given, tuple) else (given,)


def _linear(stage: StageName, given: tuple[str, Sequence[float]]) -> Iterator[str]:
    """λ itself where its logarithm is asked for: small positive numbers, no negative one."""
    key, values = given
    if not values or min(values) <= 0 or min(values) >= 1:
        return
    low = min(values)
    yield (
        f"{stage}.{key} takes logarithms: λ = {low:g} is written {math.log10(low):g}; "
        f"as it stands, λ begins at {10**low:.4g}"
    )


def _narrow(study: Study, stage: StageName) -> Iterator[str]:
    bounds = lambda_of(getattr(study, stage))
    if isinstance(bounds, tuple) and bounds[1] - bounds[0] < _NARROW:
        yield (
            f"{stage}.{LAMBDA.name} is {bounds[1] - bounds[0]:.2g} wide: all its candidates are "
            "nearly the same λ"
        )


def _fastest(study: Study, stage: StageName) -> Training:
    """A stage's training at the highest rate that is searched, where rates are."""
    training = study.training_of(stage)
    rates = [one for one in study.searched("eta_max") if isinstance(one, (int, float))]
    return training.model_copy(update={"eta_max": float(max(rates))}) if rates else training


def _unstable(
    training: Training, stage: StageName, given: tuple[str, Sequence[float]]
) -> Iterator[str]:
    """Weight decay multiplies weights by 1 − 2ηλ, whose size is above 1 where ηλ is."""
    if not given[1]:
        return
    product = training.eta_max * 10.0 ** max(given[1])
    if product > 1:
        yield (
            f"{stage}: at eta_max = {training.eta_max:g} every λ above {1 / training.eta_max:g} "
            "makes weights grow, for weight decay multiplies them by 1 - 2*eta*λ, below -1; "
            f"λ goes up to {10.0 ** max(given[1]):g}"
        )


def _vanishing(training: Training, stage: StageName) -> Iterator[str]:
    if training.schedule != "exp_range":
        return
    if training.gamma**training.step_size < _LEAST_AMPLITUDE:
        yield (
            f"{stage}: gamma = {training.gamma:g} over {training.step_size} updates leaves the "
            f"learning rate at eta_min = {training.eta_min:g}: it never gets near eta_max"
        )


def _uneven(study: Study, stage: StageName) -> Iterator[str]:
    folds, replicates = study.data.folds, getattr(getattr(study, stage), "replicates", None)
    if folds is not None and replicates is not None and replicates % folds:
        yield (
            f"{stage}: {replicates} replicates are no multiple of the {folds} folds: not all "
            "examples are validated with equally often"
        )


def _decoupled(optimisers: Sequence[object]) -> Iterator[str]:
    if "adamw" in optimisers:
        yield (
            "adamw multiplies weights by 1 - 2*eta*λ apart from the cost: its λ compares with no "
            "other optimiser's, and the curves of the cost show a penalty that it does not descend"
        )


def _name(name: str) -> Iterator[str]:
    if name.partition(".")[0].lower() in _RESERVED or name.endswith("."):
        yield f"name: {name!r} cannot be a directory on Windows, where its report may be opened"
