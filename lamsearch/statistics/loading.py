"""What the statistics load when it is asked for, loaded before that: while nobody waits for it."""

from __future__ import annotations

from lamsearch.statistics import model, quantiles


def load(*, modelled: bool) -> None:
    """Load what intervals and tests need, and where a study is ``modelled`` what fits its model."""
    quantiles.load()
    if modelled:
        model.load()
