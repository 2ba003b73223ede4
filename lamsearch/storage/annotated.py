"""What the dashboard is shown: Optuna's storage with what lamsearch knows added as it is read.

Enters: a view of the database, and a annotator that puts results into words and figures. Leaves: a
storage for the dashboard: studies with a note, figures and attributes, trials with artifacts.
Refuses to write any of that down: Optuna's tables hold exactly what was planned and told.
"""

from __future__ import annotations

import copy
import json
import re
import threading
import time
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, cast

from optuna.artifacts.exceptions import ArtifactNotFound as ArtifactGoneError
from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage, RDBStorage, get_storage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState
from sqlalchemy import RowMapping

from lamsearch.errors import StudyStateError
from lamsearch.results import StageName, StageRecord, StudyRecord
from lamsearch.storage import dashboard_bridge
from lamsearch.storage.optuna_bridge import FrozenStudy, study_id, trial_id
from lamsearch.storage.planned import LEFT_OUT
from lamsearch.storage.reading import study_record
from lamsearch.storage.trial_records import trial_records
from lamsearch.storage.viewing import PlannedStage, Progress, View

__all__ = ["ArtifactGoneError", "ArtifactKind", "CurveOf", "Shown", "Annotator"]
_OURS = (dashboard_bridge.NOTES, dashboard_bridge.FIGURES, dashboard_bridge.METRICS)
_ARTIFACT_ID = re.compile(r"([0-9a-f]{12})-([0-9a-f]+)-([0-9a-f])")
_FRESH_SECONDS = 1.0  # a list of trials is read anew after this, or ten times its reading's length
_MEASURE = "validation accuracy"
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


class Shown(BaseStorage):
    """Optuna's storage as the dashboard is shown it.

    Args:
        view: where it is read.
        annotator: what puts it into words.
        kinds: the artifacts of a trial with a curve.
    """

    def __init__(self, view: View, annotator: Annotator, kinds: Sequence[ArtifactKind]) -> None:
        self._view, self._annotator, self._kinds = view, annotator, tuple(kinds)
        self._lock = threading.RLock()
        self._identities: dict[int, tuple[str, str | None]] = {}
        self._renew()

    def curve_of(self, artifact: str) -> CurveOf | None:
        """Return what an artifact of ours is made of, None where it is none or is gone."""
        parts = _ARTIFACT_ID.fullmatch(artifact)
        if parts is None:
            return None
        trial = int(parts[2], 16)
        place = self._view.planned().get(self._view.number_of(trial) or 0)
        row = None if place is None else self._view.study_row(place.study)
        if place is None or row is None or not row["id"].startswith(parts[1]):
            return None
        planned = [one for one in self._view.trials(place) if one.trial == trial]
        blobs = {
            (one.candidate, one.replicate): blob
            for one in planned
            if (blob := self._view.curve(place, one)) is not None
        }
        told = trial_records(planned, [self._cache.get_trial(trial)], blobs)
        if not blobs or not told:
            return None
        stage = StageRecord(name=place.stage, interval=place.interval, trials=told)
        record = study_record(row, {place.stage: stage})
        return CurveOf(kind=int(parts[3], 16), stage=place.stage, record=record)

    def refusal(self, number: int, *, renaming: bool = False) -> str | None:
        """Say why a study may not be removed or renamed; None where it may.

        What is planned stays until the study is over; renamed it would be lost to lamsearch.
        """
        place = self._view.planned().get(number)
        if place is None or (place.over and not renaming):
            return None
        why = "belongs to lamsearch" if renaming else "is being worked on"
        return f"study {place.study!r} {why}; to remove all of it: lamsearch delete {place.study}"

    def get_all_studies(self) -> list[FrozenStudy]:
        """Return all studies, those that lamsearch planned with what it knows of them."""
        planned = self._view.planned()
        found = self._cache.get_all_studies()
        self._recognise(found, planned)
        for study in found:
            if (place := planned.get(study_id(study))) is not None:
                study.user_attrs = {**self._annotator.attributes(place), **study.user_attrs}
                study.system_attrs = self._attributes(place, planned, study.system_attrs)
        return found

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        """Return a study's system attributes, its note and figures among them."""
        base = self._cache.get_study_system_attrs(study_id)
        planned = self._view.planned()
        place = planned.get(study_id)
        return base if place is None else self._attributes(place, planned, base)

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        """Return a study's user attributes, ours among them."""
        base = self._cache.get_study_user_attrs(study_id)
        place = self._view.planned().get(study_id)
        return base if place is None else {**self._annotator.attributes(place), **base}

    def get_study_id_from_name(self, study_name: str) -> int:
        """Return a study's number."""
        return self._cache.get_study_id_from_name(study_name)

    def get_study_name_from_id(self, study_id: int) -> str:
        """Return a study's name."""
        return self._cache.get_study_name_from_id(study_id)

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        """Return a study's directions."""
        return self._cache.get_study_directions(study_id)

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[OptunaState] | None = None,
    ) -> list[FrozenTrial]:
        """Return a study's trials with their artifacts, at most a little out of date."""
        trials = self._trials(study_id)
        if states is not None:
            trials = [trial for trial in trials if trial.state in states]
        return copy.deepcopy(trials) if deepcopy else list(trials)

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """Return a trial with its artifacts."""
        trial = self._cache.get_trial(trial_id)
        number = self._view.number_of(trial_id)
        place = self._view.planned().get(number or 0)
        return trial if place is None else self._shown(place, [trial])[0]

    def create_new_study(
        self, directions: Sequence[StudyDirection], study_name: str | None = None
    ) -> int:
        """Write a study."""
        return self._writer().create_new_study(directions, study_name)

    def delete_study(self, study_id: int) -> None:
        """Remove a study, unless it is part of a plan that is being worked on."""
        if (why := self.refusal(study_id)) is not None:
            raise self._refuse(why)
        self._writer().delete_study(study_id)
        self._renew()

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        """Write a study's attribute."""
        self._writer().set_study_user_attr(study_id, key, value)

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        """Write a study's attribute, such as people's own note."""
        self._writer().set_study_system_attr(study_id, key, value)

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Write a trial, unless the study's trials are planned."""
        self._unplanned(study_id)
        return self._writer().create_new_trial(study_id, template_trial)

    def set_trial_param(
        self,
        trial_id: int,
        param_name: str,
        param_value_internal: float,
        distribution: BaseDistribution,
    ) -> None:
        """Write a parameter, unless the trial is planned."""
        self._unplanned(self._view.number_of(trial_id))
        self._writer().set_trial_param(trial_id, param_name, param_value_internal, distribution)

    def set_trial_state_values(
        self, trial_id: int, state: OptunaState, values: Sequence[float] | None = None
    ) -> bool:
        """Write a state, unless the trial is planned."""
        self._unplanned(self._view.number_of(trial_id))
        return self._writer().set_trial_state_values(trial_id, state, values)

    def set_trial_intermediate_value(
        self, trial_id: int, step: int, intermediate_value: float
    ) -> None:
        """Write a value, unless the trial is planned."""
        self._unplanned(self._view.number_of(trial_id))
        self._writer().set_trial_intermediate_value(trial_id, step, intermediate_value)

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Write a trial's attribute."""
        self._writer().set_trial_user_attr(trial_id, key, value)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Write a trial's attribute."""
        self._writer().set_trial_system_attr(trial_id, key, value)

    def _writer(self) -> RDBStorage:
        if self._view.writer is None:
            raise self._refuse("this dashboard is read-only")
        return self._view.writer

    def _unplanned(self, number: int | None) -> None:
        if self._view.planned().get(number or 0) is not None:
            raise self._refuse("the trials are planned by lamsearch and told by its workers")

    def _refuse(self, why: str) -> StudyStateError:
        self._view.refuse(why)  # Optuna's application keeps to itself what is raised
        return StudyStateError(f"dashboard: {why}")

    def _renew(self) -> None:
        """Forget all that was read."""
        with self._lock:
            self._cache = get_storage(self._view.reader)
            self._lists: dict[int, tuple[float, list[FrozenTrial]]] = {}
            self._trials_shown: dict[int, tuple[FrozenTrial, FrozenTrial]] = {}
            self._told: dict[int, tuple[object, dict[str, Any]]] = {}

    def _recognise(self, found: list[FrozenStudy], planned: Mapping[int, PlannedStage]) -> None:
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
                self._renew()
            self._identities = now

    def _trials(self, number: int) -> list[FrozenTrial]:
        with self._lock:
            until, kept = self._lists.get(number, (0.0, []))
            if time.monotonic() < until:
                return kept
            began = time.monotonic()
            place = self._view.planned().get(number)
            known = self._identities.get(number)
            if place is not None and known is not None and known[1] != place.study_id:
                self._renew()  # the number was given out again since the studies were listed
            trials = self._cache.get_all_trials(number, deepcopy=False)
            if place is not None:
                trials = self._shown(place, trials)
            now = time.monotonic()
            self._lists[number] = (now + max(_FRESH_SECONDS, 10 * (now - began)), trials)
            return trials

    def _shown(self, place: PlannedStage, trials: list[FrozenTrial]) -> list[FrozenTrial]:
        """The trials with artifacts; a running one also says who trains it, and how far it is."""
        with self._lock:
            kept = self._trials_shown
            fresh = [one for one in trials if kept.get(trial_id(one), (None,))[0] is not one]
            ours = self._done(place) if any(map(_is_finished, fresh)) else {}
            running = any(one.state == OptunaState.RUNNING for one in trials)
            progress = self._view.progress(place.study) if running else {}
            for one in fresh:
                if one.state.is_finished():
                    files = self._artifacts(place, one) if ours.get(trial_id(one)) else {}
                    marks = {} if trial_id(one) in ours else {LEFT_OUT: _NOT_PLANNED}
                    kept[trial_id(one)] = (one, _with(one, user_attrs=marks, system_attrs=files))
            return [
                kept[trial_id(one)][1] if one.state.is_finished()
                else _with(one, user_attrs=_progress(progress.get(trial_id(one))))
                for one in trials
            ]  # fmt: skip

    def _done(self, place: PlannedStage) -> dict[int, bool]:
        """By Optuna's ids of the planned trials that are done, whether they have curves."""
        found = self._view.with_curves(place)
        return {
            one.trial: (one.candidate, one.replicate) in found
            for one in self._view.trials(place)
            if one.done
        }

    def _artifacts(self, place: PlannedStage, trial: FrozenTrial) -> dict[str, str]:
        found = {}
        for number, kind in enumerate(self._kinds):
            name = f"{place.study_id[:12]}-{trial_id(trial):x}-{number:x}"
            meta = {
                "artifact_id": name, "filename": kind.filename, "mimetype": kind.mimetype,
                "encoding": None,
            }  # fmt: skip
            found[dashboard_bridge.ARTIFACTS + name] = json.dumps(meta)
        return found

    def _attributes(
        self, place: PlannedStage, planned: Mapping[int, PlannedStage], base: dict[str, Any]
    ) -> dict[str, Any]:
        """System attributes; note and figures are made when they are asked for."""
        told = _Attributes(base, lambda: self._tell(place, planned))
        return cast("dict[str, Any]", told)  # read-only, which is all that is done to it

    def _tell(self, place: PlannedStage, planned: Mapping[int, PlannedStage]) -> Mapping[str, Any]:
        """The note and the figures of a stage, made anew when something has changed."""
        row = self._view.study_row(place.study)
        if row is None:
            return {}
        found = self._stages_of(place.study, planned)
        counts = {one.stage: sum(map(_is_finished, trials)) for one, trials in found}
        state = (row["id"], counts, place.over, row["selected"], row["final"], row["failure"])
        with self._lock:
            known, told = self._told.get(place.number, (None, {}))
            if known != state and place.stage in counts:
                told = self._made(row, place.stage, found)
                self._told[place.number] = (state, told)
            return told

    def _stages_of(
        self, study: str, planned: Mapping[int, PlannedStage]
    ) -> list[tuple[PlannedStage, list[FrozenTrial]]]:
        """The stages of a study with their trials, less those that somebody has removed."""
        found = []
        for one in planned.values():
            if one.study == study:
                with suppress(KeyError):
                    found.append((one, self._trials(one.number)))
        return found

    def _made(
        self,
        row: RowMapping,
        stage: StageName,
        found: list[tuple[PlannedStage, list[FrozenTrial]]],
    ) -> dict[str, Any]:
        records = {
            one.stage: StageRecord(
                name=one.stage,
                interval=one.interval,
                trials=trial_records(self._view.trials(one), trials, {}),
            )
            for one, trials in found
        }
        record = study_record(row, records)
        numbers = {one.stage: one.number for one, _ in found}
        told: dict[str, Any] = {
            dashboard_bridge.METRICS: [_MEASURE],
            # people's own first note is version 1, and takes its place
            dashboard_bridge.NOTE_VERSION: 0,
            dashboard_bridge.NOTE: self._annotator.note(record, stage, numbers),
        }
        for name, figure in self._annotator.figures(record, stage).items():
            told[dashboard_bridge.figure_key(name)] = figure
        return told


class _Attributes(Mapping[str, Any]):
    """Attributes of which ours are made at the first look at one of them; people's own win."""

    def __init__(self, base: Mapping[str, Any], make: Callable[[], Mapping[str, Any]]) -> None:
        self._base, self._make = base, make
        self._whole: Mapping[str, Any] | None = None

    def __getitem__(self, key: str) -> Any:
        return (self._all() if key.startswith(_OURS) else self._base)[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> Mapping[str, Any]:
        if self._whole is None:
            made = dict(self._make())
            if dashboard_bridge.NOTE_VERSION in self._base:
                made = {
                    key: value
                    for key, value in made.items()
                    if not key.startswith(dashboard_bridge.NOTES)
                }
            self._whole = {**made, **self._base}
        return self._whole


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
