"""The small figure of a study in the queue's page."""

from __future__ import annotations

import re

from lamsearch.results import QueuedStudy, StudyState
from lamsearch.storage import Scored
from lamsearch.web.small_figure import small_figure


def test_one_bad_candidate_does_not_flatten_the_others() -> None:
    """52 and 53.6 % lie at both ends of the height beside 10 %, which is an arrow below them."""
    study = QueuedStudy(
        name="s", id="0", state=StudyState.RUNNING, priority=0, created=0.0, started=None, age=1.0,
        finished_trials=3, planned_trials=3, progress=0.5, workers=0, selected=None,
    )  # fmt: skip
    scores = (0.52, 0.536, 0.1)
    points = [Scored(stage="coarse", at=float(x), score=y) for x, y in enumerate(scores)]
    figure = str(small_figure(study, points))
    heights = [float(y) for y in re.findall(r'<circle[^>]* cy="([\d.]+)"', figure)]
    assert heights == [51.0, 5.0]
    assert len(re.findall(r'<path class="coarse"', figure)) == 1
    assert "<path" not in str(small_figure(study, points[:2]))
