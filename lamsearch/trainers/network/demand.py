"""What a cohort of the built-in network asks of a machine: memory from its sizes, time as measured.

Enters: a network, its training, sizes. Leaves: bytes, the least that there must be, and seconds of
a usual core. The four rates are those that fit an update's processor time for cohorts of 1 to 256
of ten networks within a third (`python -m benchmarks.cohorts`); of other cores they differ all by
much the same factor, which no choice of a cohort depends on.
"""

from __future__ import annotations

from itertools import pairwise

from pydantic import BaseModel

from lamsearch.study import Network, Training
from lamsearch.trainers.demand import Demand, Shape
from lamsearch.trainers.network.rules import rule_of

_FLOAT32 = 4
_CALLS = 120e-6  # seconds of an update's calls, whatever is trained
_GATHERED = 1.7e-9  # for each number of a mini-batch: gathering, and the first product's reading
_OPERATION = 1 / 80e9  # of a product
_ACTIVATION = 5e-9  # for each activation: what stands between products


def demand(options: BaseModel, training: Training, shape: Shape) -> Demand:
    """Weights, a copy, the optimiser's moments, a mini-batch with its activations."""
    network = Network.model_validate(options)
    units = (*network.units, shape.classes or 1)
    sizes, batch = (shape.features, *units), training.batch_size
    first, *further = (above * below for above, below in pairwise(sizes))
    weights = first + sum(further)
    copies = 2 + len(rule_of(training).moments)
    buffers = 3 if network.batch_norm else 2
    # forward and back, of further layers also to the activations below
    operations = batch * (4 * first + 6 * sum(further))
    return Demand(
        shared_bytes=_FLOAT32 * batch * shape.features,
        model_bytes=_FLOAT32 * (copies * weights + batch * buffers * sum(units)),
        shared_seconds=_CALLS + _GATHERED * batch * shape.features,
        model_seconds=_OPERATION * operations + _ACTIVATION * batch * sum(units),
    )
