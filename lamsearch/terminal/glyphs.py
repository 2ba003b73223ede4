"""The signs that a screen is made of, for terminals that speak UTF-8 and for those that do not.

Enters: nothing. Leaves: two records. Refuses to know what is drawn with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lamsearch.space import LAMBDA


@dataclass(frozen=True, slots=True, kw_only=True)
class Glyphs:
    """Signs of one cell each: marks by stage, the best, and the parts of an axis.

    ``lam`` is how λ is written, ``more`` stands for what is left out, and ``down`` and ``up`` are
    marks beyond an axis's ends.
    """

    marks: Mapping[str, str]
    best: str
    lam: str
    more: str
    down: str
    up: str
    side: str
    tick: str
    corner: str
    floor: str
    notch: str

    @property
    def axis(self) -> str:
        """The name of the coordinate that scores are drawn over: the first of every space."""
        return LAMBDA.plain_label.replace("λ", self.lam)


UNICODE = Glyphs(
    marks={"coarse": "·", "fine": "○", "finalists": "●", "final": "◆"}, best="★",
    lam="λ", more="…", down="↓", up="↑", side="│", tick="┤", corner="└", floor="─", notch="┬",
)  # fmt: skip
ASCII = Glyphs(
    marks={"coarse": ".", "fine": "o", "finalists": "@", "final": "#"}, best="*", lam="lambda",
    more="...", down="v", up="^", side="|", tick="+", corner="+", floor="-", notch="+",
)  # fmt: skip
