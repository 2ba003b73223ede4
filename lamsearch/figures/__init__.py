"""All that knows matplotlib. Enters: a study's record. Leaves: figures, PNG and SVG bytes.

Refuses to know where records are kept and where figures go. matplotlib is imported at the first
figure, by its object interface alone: no window system, no global state left changed.
"""

from lamsearch.figures.candidates import scores_over_space
from lamsearch.figures.confusion import confusion_matrix
from lamsearch.figures.contour import contour, is_contour, is_drawn, what
from lamsearch.figures.curves import SHOWN, has_curves, learning_curves
from lamsearch.figures.decision import decision
from lamsearch.figures.importance import importance_bars
from lamsearch.figures.plotly import stage_figure, stages_figure
from lamsearch.figures.rates import rate_range
from lamsearch.figures.style import NARROW, Format, count_marks, drawn_on, prepare, render
from lamsearch.statistics import CandidateScore, candidate_scores, validation_images

__all__ = [
    "scores_over_space",
    "confusion_matrix",
    "contour",
    "count_marks",
    "decision",
    "drawn_on",
    "NARROW",
    "is_contour",
    "is_drawn",
    "what",
    "importance_bars",
    "learning_curves",
    "rate_range",
    "prepare",
    "render",
    "Format",
    "candidate_scores",
    "CandidateScore",
    "validation_images",
    "has_curves",
    "SHOWN",
    "stage_figure",
    "stages_figure",
]
