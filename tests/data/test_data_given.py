"""Examples that a program holds in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lamsearch import data
from lamsearch.data import Contents, LabelledImages
from lamsearch.data.sources.given import hold, let_go
from lamsearch.errors import DataError
from lamsearch.study import parse_study

DOCUMENT = {
    "name": "given", "seed": 1,
    "training": {"batch_size": 5, "step_size": 5, "eta_min": 1e-3, "eta_max": 0.1},
    "coarse": {"trials": 2, "log10_lambda": [-3.0, 0.0]},
}  # fmt: skip


def test_examples_of_this_process_are_a_source_by_their_key() -> None:
    """A study names them by what `hold` returned; once they are let go nobody finds them."""
    x = np.random.default_rng(1).normal(size=(40, 3)).astype(np.float32)
    y = np.arange(40, dtype=np.int64) % 2
    contents = Contents(
        name="mine", classes=("no", "yes"), pool=LabelledImages(x=x, y=y), test=None
    )
    key = hold(contents)
    table = {"source": "given", "key": key, "train": 20, "validation": 10}
    study = parse_study({**DOCUMENT, "data": table})
    loaded = data.load(study, Path())
    assert (loaded.fingerprint, loaded.classes) == (key, ("no", "yes"))
    assert loaded.split("coarse").train_x.shape == (20, 3)
    assert hold(contents) == key  # whoever holds them too
    let_go(key)
    assert data.load(study, Path()).fingerprint == key
    let_go(key)
    with pytest.raises(DataError, match=r"^data\.key: must be of examples that this very process"):
        data.load(study, Path())
