"""The final of a fit: networks on all examples, with the λ that validation chose.

Enters: the study of a fit, its examples, log10 λ. Leaves: one network for each replicate. Nothing
is selected any more, so that no example is kept back to validate on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lamsearch.api.in_memory import Processes, one_thread
from lamsearch.data import Contents
from lamsearch.data.images import LabelledImages
from lamsearch.data.sources import given
from lamsearch.data.splits import split
from lamsearch.errors import WorkFailedError
from lamsearch.results import Model
from lamsearch.search import training_seed
from lamsearch.space import LAMBDA
from lamsearch.study import Study, parse_study
from lamsearch.trainers import TrainerFailedError, trainer_for


def trained_on_all(
    fit: Mapping[str, Any],
    contents: Contents,
    coordinate: float,
    *,
    replicates: int,
    mapped: Processes,
) -> tuple[Model, ...]:
    """Return the networks at a coordinate of λ; those whose cost is no longer finite are left out.

    Raises:
        WorkFailedError: None is left.
    """
    trained = _Final(_study(fit, contents, coordinate), contents.pool, len(contents.classes))
    models = [one for one in mapped(trained, range(replicates)) if one is not None]
    if not models:
        raise WorkFailedError("final: no replicate ended with a finite cost; λ or hidden is large")
    return tuple(models)


def _study(fit: Mapping[str, Any], contents: Contents, coordinate: float) -> Study:
    """The study of the final alone, at the schedule of the finalists."""
    given.register()  # a process that was started for this has none of a search's
    # what is measured of one training example says nothing, and is not looked at
    metric = "log_loss" if contents.classes else "mse"
    kept = {key: fit[key] for key in ("name", "seed", "network", "training")}
    return parse_study(
        {
            **kept,
            "metric": metric,
            "data": {"source": "given", "key": "all", "all": len(contents.pool)},
            "final": {LAMBDA.name: coordinate},
        }
    )


class _Final:
    """Trains one replicate, here or wherever it is sent to."""

    def __init__(self, study: Study, pool: LabelledImages, classes: int) -> None:
        self._study, self._pool, self._classes = study, pool, classes

    def __call__(self, replicate: int) -> Model | None:
        study = self._study
        assert study.final is not None and study.final.point is not None  # noqa: S101, PT018
        try:
            with one_thread():
                trainer = trainer_for(
                    study, "final", [study.final.point],
                    splits=split(study, "final", self._pool, replicate=replicate),
                    classes=self._classes, seed=training_seed(study, "final", replicate),
                )  # fmt: skip
                for _ in trainer.run():
                    pass
                return trainer.models()[0]
        except TrainerFailedError:
            return None
