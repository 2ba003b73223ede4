"""Numbers as documents have them. Enters: floats. Leaves: floats that JSON can hold, or None."""

from __future__ import annotations

import math


def finite(value: float | None) -> float | None:
    """Return ``value`` as a plain float, None where it is not a finite number."""
    return None if value is None or not math.isfinite(value) else float(value)
