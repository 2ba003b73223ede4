"""The artifacts of trials: learning curves drawn when somebody looks, and what people attached.

Enters: an artifact's id. Leaves: its bytes. Refuses to keep figures anywhere but in memory.
"""

from __future__ import annotations

import csv
import io
import re
import threading
from collections import OrderedDict
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np

from lamsearch.artifacts import Files
from lamsearch.figures import learning_curves, render
from lamsearch.results import Curve, StageRecord, TrialRecord, TrialState
from lamsearch.storage import ArtifactKind, CurveOf, Shown
from lamsearch.storage.optuna_artifacts import ArtifactGoneError

KINDS = (
    ArtifactKind(filename="learning-curve.png", mimetype="image/png"),
    ArtifactKind(filename="learning-curve_points.csv", mimetype="text/csv"),
)
# As Optuna draws them; what a database says instead names no file.
_ATTACHED = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_KEPT = 48  # drawn artifacts kept in memory; a figure has about 150 kB


class Artifacts:
    """An artifact store as Optuna's dashboard wants one.

    Args:
        files: where what people attach is kept.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()
        self.shown: Shown | None = None

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """Return an artifact to read from.

        Raises:
            ArtifactGoneError: There is none of that id.
        """
        content = self._known(artifact_id)
        if content is None and _ATTACHED.fullmatch(artifact_id):
            content = self._files.read_artifact(artifact_id)
        if content is None:
            raise ArtifactGoneError(artifact_id)
        return io.BytesIO(content)

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Keep what somebody attached.

        Raises:
            ArtifactGoneError: An id of another form.
        """
        if not _ATTACHED.fullmatch(artifact_id):
            raise ArtifactGoneError(artifact_id)
        self._files.save_artifact(artifact_id, content_body.read())

    def remove(self, artifact_id: str) -> None:
        """Remove what somebody attached; ours are nowhere, and go with their trial."""
        if _ATTACHED.fullmatch(artifact_id):
            self._files.remove_artifact(artifact_id)

    def _known(self, artifact_id: str) -> bytes | None:
        with self._lock:
            if artifact_id in self._kept:
                self._kept.move_to_end(artifact_id)
                return self._kept[artifact_id]
        found = None if self.shown is None else self.shown.curve_of(artifact_id)
        if found is None:
            return None
        content = figure(found) if found.kind == 0 else table(found)
        with self._lock:
            self._kept[artifact_id] = content
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return content


def figure(found: CurveOf) -> bytes:
    """Draw a trial's learning curves as PNG; those of a failed or pruned one as far as they go."""
    stage = found.record.stages[found.stage]
    drawn = replace(stage, trials=tuple(_drawable(one) for one in stage.trials))
    record = replace(found.record, stages={found.stage: drawn})
    buffer = io.BytesIO()
    render(learning_curves(record, found.stage), buffer, "png")
    return buffer.getvalue()


def table(found: CurveOf) -> bytes:
    """Return a trial's learning curves as CSV, one row per sampling point."""
    curve = _curve(found.record.stages[found.stage])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    known: dict[str, Any] = {} if curve is None else dict(curve.columns())
    writer.writerow(known)
    for row in zip(*known.values(), strict=True):
        writer.writerow([str(value) if np.isfinite(value) else "" for value in row])
    return text.getvalue().encode()


def _curve(stage: StageRecord) -> Curve | None:
    return next((one.curve for one in stage.trials if one.curve is not None), None)


def _drawable(trial: TrialRecord) -> TrialRecord:
    """The trial as the figures draw one: they leave out what cannot be chosen."""
    score = 0.0 if trial.score is None else trial.score
    return replace(trial, state=TrialState.COMPLETE, score=score)
