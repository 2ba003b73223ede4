"""What lamsearch knows of a study and its trials, as attributes that the dashboard shows.

Enters: a view of the database, an annotator, the kinds of artifacts. Leaves: trials and attributes
with ours added; lists are kept for a moment, notes and figures until something has changed. Refuses
to write.
"""

from __future__ import annotations

import copy
import json
import re
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, cast

from optuna.storages import BaseStorage, get_storage
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState
from sqlalchemy import RowMapping

from lamsearch.results import StageName, StageRecord, StudyRecord
from lamsearch.space import space_of
from lamsearch.storage import dashboard_bridge
from lamsearch.storage.lazy_attributes import LazyAttributes
from lamsearch.storage.optuna_bridge import FrozenStudy, study_id, trial_id
from lamsearch.storage.planned import LEFT_OUT
from lamsearch.storage.reading import study_record
from lamsearch.storage.trial_records import trial_records
from lamsearch.storage.viewing import PlannedStage, Progress, View

_ARTIFACT_ID = re.compile(r"([0-9a-f]{12})-([0-9a-f]+)-([0-9a-f])")
_FRESH_SECONDS = 1.0  # a list of trials is read anew after this, or ten times its reading's length
_NOT_PLANNED = "not planned by lamsearch: left out of its results"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactKind:
    """One file that every trial with a curve carries."""

    filename: str
    mimetype: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveOf:
    """What an artifact is made of: its kind, and a record of the one trial with its curve."""

    kind: int
    stage: StageName
    record: StudyRecord


class Annotator(Protocol):
    """Puts what is known of a stage into the words and figures that the dashboard shows."""

    def attributes(self, stage: PlannedStage) -> Mapping[str, object]:
        """Return the study's user attributes; asked for often."""

    def note(self, record: StudyRecord, stage: StageName, numbers: Mapping[StageName, int]) -> str:
        """Return the study's note in Markdown; ``numbers`` are Optuna's, for links."""

    def figures(self, record: StudyRecord, stage: StageName) -> Mapping[str, str]:
        """Return Plotly figures as JSON by their HTML id."""


class Annotations:
    """What is added to studies and trials as they are read.

    Args:
        view: where they are read.
        annotator: what puts them into words.
        kinds: the artifacts of a trial with a curve.
    """

    cache: BaseStorage

    def __init__(self, view: View, annotator: Annotator, kinds: Sequence[ArtifactKind]) -> None:
        self._view, self._annotator, self._kinds = view, annotator, tuple(kinds)
        self._lock = threading.RLock()
        self._identities: dict[int, tuple[str, str | None]] = {}
        self.renew()

    def curve_of(self, artifact: str) -> CurveOf | None:
        """Return what an artifact of ours is made of, None where it is none or is gone."""
        parts = _ARTIFACT_ID.fullmatch(artifact)
        if parts is None:
            return None
        trial = int(parts[2], 16)
        stage = self._view.planned().get(self._view.number_of(trial) or 0)
        row = None if stage is None else self._view.study_row(stage.study)
        if stage is None or row is None or not row["id"].startswith(parts[1]):
            return None
        planned = [one for one in self._view.trials(stage) if one.trial == trial]
        blobs = {
            (one.candidate, one.replicate): blob
            for one in planned
            if (blob := self._view.curve(stage, one)) is not None
        }
        ended = trial_records(
            planned, [self.cache.get_trial(trial)], blobs, space=space_of(row["document"])
        )
        if not blobs or not ended:
            return None
        found = StageRecord(name=stage.stage, bounds=stage.bounds, trials=ended)
        record = study_record(row, {stage.stage: found})
        return CurveOf(kind=int(parts[3], 16), stage=stage.stage, record=record)

    def renew(self) -> None:
        """Forget all that was read."""
        with self._lock:
            self.cache = get_storage(self._view.reader)
            self._lists: dict[int, tuple[float, list[FrozenTrial]]] = {}
            self._trials_shown: dict[int, tuple[FrozenTrial, FrozenTrial]] = {}
            self._made_of: dict[int, tuple[object, dict[str, Any]]] = {}

    def recognise(self, found: list[FrozenStudy], planned: Mapping[int, PlannedStage]) -> None:
        """Forget all where a number now means another study: SQLite gives numbers out again."""
        now = {
            study_id(study): (
                study.study_name,
                planned[study_id(study)].study_id if study_id(study) in planned else None,
            )
            for study in found
        }
        with self._lock:
            if any(now.get(number) != identity for number, identity in self._identities.items()):
                self.renew()
            self._identities = now

    def trials(self, number: int) -> list[FrozenTrial]:
        """Return the trials of a study as they are shown, at most a little out of date."""
        with self._lock:
            until, kept = self._lists.get(number, (0.0, []))
            if time.monotonic() < until:
                return kept
            began = time.monotonic()
            stage = self._view.planned().get(number)
            known = self._identities.get(number)
            if stage is not None and known is not None and known[1] != stage.study_id:
                self.renew()  # the number was given out again since the studies were listed
            trials = self.cache.get_all_trials(number, deepcopy=False)
            if stage is not None:
                trials = self.shown(stage, trials)
            now = time.monotonic()
            self._lists[number] = (now + max(_FRESH_SECONDS, 10 * (now - began)), trials)
            return trials

    def shown(self, stage: PlannedStage, trials: list[FrozenTrial]) -> list[FrozenTrial]:
        """Return trials with artifacts; a running one says who trains it, and how far it is."""
        with self._lock:
            kept = self._trials_shown
            fresh = [one for one in trials if kept.get(trial_id(one), (None,))[0] is not one]
            ours = self._done(stage) if any(map(_is_finished, fresh)) else {}
            running = any(one.state == OptunaState.RUNNING for one in trials)
            progress = self._view.progress(stage.study) if running else {}
            for one in fresh:
                if one.state.is_finished():
                    files = self._artifacts(stage, one) if ours.get(trial_id(one)) else {}
                    marks = {} if trial_id(one) in ours else {LEFT_OUT: _NOT_PLANNED}
                    kept[trial_id(one)] = (one, _with(one, user_attrs=marks, system_attrs=files))
            return [
                kept[trial_id(one)][1] if one.state.is_finished()
                else _with(one, user_attrs=_progress(progress.get(trial_id(one))))
                for one in trials
            ]  # fmt: skip

    def _done(self, stage: PlannedStage) -> dict[int, bool]:
        """By Optuna's ids of the planned trials that are done, whether they have curves."""
        found = self._view.with_curves(stage)
        return {
            one.trial: (one.candidate, one.replicate) in found
            for one in self._view.trials(stage)
            if one.done
        }

    def _artifacts(self, stage: PlannedStage, trial: FrozenTrial) -> dict[str, str]:
        found = {}
        for number, kind in enumerate(self._kinds):
            name = f"{stage.study_id[:12]}-{trial_id(trial):x}-{number:x}"
            meta = {
                "artifact_id": name, "filename": kind.filename, "mimetype": kind.mimetype,
                "encoding": None,
            }  # fmt: skip
            found[dashboard_bridge.ARTIFACTS + name] = json.dumps(meta)
        return found

    def attributes(
        self, stage: PlannedStage, planned: Mapping[int, PlannedStage], base: dict[str, Any]
    ) -> dict[str, Any]:
        """Return system attributes; note and figures are made when they are asked for."""
        made = LazyAttributes(base, lambda: self._annotated(stage, planned))
        return cast("dict[str, Any]", made)  # read-only, which is all that is done to it

    def _annotated(
        self, stage: PlannedStage, planned: Mapping[int, PlannedStage]
    ) -> Mapping[str, Any]:
        """The note and the figures of a stage, made anew when something has changed."""
        row = self._view.study_row(stage.study)
        if row is None:
            return {}
        found = self._stages_of(stage.study, planned)
        counts = {one.stage: sum(map(_is_finished, trials)) for one, trials in found}
        state = (
            row["id"],
            counts,
            stage.over,
            row["selected"],
            row["final"],
            row["failure"],
        )
        with self._lock:
            known, made = self._made_of.get(stage.number, (None, {}))
            if known != state and stage.stage in counts:
                made = self._make(row, stage.stage, found)
                self._made_of[stage.number] = (state, made)
            return made

    def _stages_of(
        self, study: str, planned: Mapping[int, PlannedStage]
    ) -> list[tuple[PlannedStage, list[FrozenTrial]]]:
        """The stages of a study with their trials, less those that somebody has removed."""
        found = []
        for one in planned.values():
            if one.study == study:
                with suppress(KeyError):
                    found.append((one, self.trials(one.number)))
        return found

    def _make(
        self,
        row: RowMapping,
        stage: StageName,
        found: list[tuple[PlannedStage, list[FrozenTrial]]],
    ) -> dict[str, Any]:
        space = space_of(row["document"])
        records = {
            one.stage: StageRecord(
                name=one.stage,
                bounds=one.bounds,
                trials=trial_records(self._view.trials(one), trials, {}, space=space),
            )
            for one, trials in found
        }
        record = study_record(row, records)
        numbers = {one.stage: one.number for one, _ in found}
        made: dict[str, Any] = {
            dashboard_bridge.METRICS: [f"validation {record.metric.score_title}"],
            # people's own first note is version 1, and takes its place
            dashboard_bridge.NOTE_VERSION: 0,
            dashboard_bridge.NOTE: self._annotator.note(record, stage, numbers),
        }
        for name, figure in self._annotator.figures(record, stage).items():
            made[dashboard_bridge.figure_key(name)] = figure
        return made


def _is_finished(trial: FrozenTrial) -> bool:
    return trial.state.is_finished()


def _progress(progress: Progress | None) -> dict[str, object]:
    if progress is None:
        return {}
    return {"worker": progress.worker, "updates": f"{progress.updates} of {progress.total}"}


def _with(
    trial: FrozenTrial,
    *,
    user_attrs: Mapping[str, object] | None = None,
    system_attrs: Mapping[str, str] | None = None,
) -> FrozenTrial:
    shown = copy.copy(trial)
    shown.user_attrs = {**trial.user_attrs, **(user_attrs or {})}
    shown.system_attrs = {**trial.system_attrs, **(system_attrs or {})}
    return shown
