"""Whether figures can be drawn. Enters: nothing. Leaves: why not, in one sentence, or nothing."""

from __future__ import annotations

from lamsearch.installed import is_installed, lacking


def undrawn() -> str | None:
    """Return why there are no figures, and how there will be; None where they can be drawn."""
    if is_installed("matplotlib"):
        return None
    return lacking("figures", "matplotlib", install="matplotlib")
