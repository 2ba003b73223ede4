"""What a search tried, as one table: points and scores of its stages that are trained alike.

Enters: a study's record. Leaves: points with a score each. Refuses to mix scores that do not
compare: a stage with another schedule is left out, and named.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from lamsearch.results import SEARCHING, StageName, StudyRecord, once_per_record
from lamsearch.space import Bounds, Point, span
from lamsearch.statistics.scores import candidate_scores, differing


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """Candidates that ended well: of ``stages``, and what ``left_out`` was trained otherwise.

    ``points`` and ``scores`` are in the order of the stages, then of the candidates; ``bounds``
    hold all of them.
    """

    stages: tuple[StageName, ...]
    left_out: tuple[StageName, ...]
    points: tuple[Point, ...]
    scores: tuple[float, ...]
    bounds: Bounds

    def thinned(self, most: int) -> Searched:
        """Return the same with at most so many candidates, evenly from its order."""
        count = len(self.points)
        if count <= most:
            return self
        kept = [index * count // most for index in range(most)]
        return replace(
            self,
            points=tuple(self.points[index] for index in kept),
            scores=tuple(self.scores[index] for index in kept),
        )


@once_per_record
def searched(record: StudyRecord) -> Searched | None:
    """Return what the search tried; None as long as no trial is complete.

    Stages that draw candidates count, as far as they are trained like the first of them. Where
    candidates were given to finalists alone, theirs do.
    """
    found = {name: candidate_scores(record, name) for name in (*SEARCHING, "finalists")}
    have = [name for name, scores in found.items() if any(one.mean is not None for one in scores)]
    drawing = [name for name in have if name in SEARCHING] or have
    if not drawing:
        return None
    stages = [name for name in drawing if not differing(record, drawing[0], name)]
    every = [
        one for name in stages for one in sorted(found[name], key=lambda score: score.candidate)
    ]
    pairs = [(one.point, one.mean) for one in every if one.point and one.mean is not None]
    points = tuple(point for point, _ in pairs)
    known = [bounds for name in stages if (bounds := record.stages[name].bounds) is not None]
    ends = [point for bounds in known for point in zip(*bounds, strict=True)]
    return Searched(
        stages=tuple(stages),
        left_out=tuple(name for name in drawing if name not in stages),
        points=points,
        scores=tuple(score for _, score in pairs),
        bounds=span([*points, *ends]),
    )
