"""What the dashboard is shown: Optuna's storage with what lamsearch knows added as it is read.

Enters: a view of the database, and an annotator that puts results into words and figures. Leaves: a
storage for the dashboard: studies with a note, figures and attributes, trials with artifacts.
Refuses to write any of that down: Optuna's tables hold exactly what was planned and reported.
"""

from __future__ import annotations

import copy
from collections.abc import Container, Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage, RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from lamsearch.errors import StudyStateError
from lamsearch.storage.annotations import Annotations, Annotator, ArtifactKind, CurveOf
from lamsearch.storage.optuna_bridge import FrozenStudy, study_id
from lamsearch.storage.viewing import View


class Shown(BaseStorage):
    """Optuna's storage as the dashboard is shown it.

    Args:
        view: where it is read.
        annotator: what puts it into words.
        kinds: the artifacts of a trial with a curve.
    """

    def __init__(self, view: View, annotator: Annotator, kinds: Sequence[ArtifactKind]) -> None:
        self._view, self._annotator = view, annotator
        self._annotations = Annotations(view, annotator, kinds)

    def curve_of(self, artifact: str) -> CurveOf | None:
        """Return what an artifact of ours is made of, None where it is none or is gone."""
        return self._annotations.curve_of(artifact)

    def refusal(self, number: int, *, renaming: bool = False) -> str | None:
        """Say why a study may not be removed or renamed; None where it may.

        What is planned stays until the study is over; renamed it would be lost to lamsearch.
        """
        stage = self._view.planned().get(number)
        if stage is None or (stage.over and not renaming):
            return None
        why = "belongs to lamsearch" if renaming else "is being worked on"
        return f"study {stage.study!r} {why}; to remove all of it: lamsearch delete {stage.study}"

    def get_all_studies(self) -> list[FrozenStudy]:
        """Return all studies, those that lamsearch planned with what it knows of them."""
        planned = self._view.planned()
        found = self._annotations.cache.get_all_studies()
        self._annotations.recognise(found, planned)
        for study in found:
            if (stage := planned.get(study_id(study))) is not None:
                study.user_attrs = {**self._annotator.attributes(stage), **study.user_attrs}
                study.system_attrs = self._annotations.attributes(
                    stage, planned, study.system_attrs
                )
        return found

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        """Return a study's system attributes, its note and figures among them."""
        base = self._annotations.cache.get_study_system_attrs(study_id)
        planned = self._view.planned()
        stage = planned.get(study_id)
        return base if stage is None else self._annotations.attributes(stage, planned, base)

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        """Return a study's user attributes, ours among them."""
        base = self._annotations.cache.get_study_user_attrs(study_id)
        stage = self._view.planned().get(study_id)
        return base if stage is None else {**self._annotator.attributes(stage), **base}

    def get_study_id_from_name(self, study_name: str) -> int:
        """Return a study's number."""
        return self._annotations.cache.get_study_id_from_name(study_name)

    def get_study_name_from_id(self, study_id: int) -> str:
        """Return a study's name."""
        return self._annotations.cache.get_study_name_from_id(study_id)

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        """Return a study's directions."""
        return self._annotations.cache.get_study_directions(study_id)

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[OptunaState] | None = None,
    ) -> list[FrozenTrial]:
        """Return a study's trials with their artifacts, at most a little out of date."""
        trials = self._annotations.trials(study_id)
        if states is not None:
            trials = [trial for trial in trials if trial.state in states]
        return copy.deepcopy(trials) if deepcopy else list(trials)

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """Return a trial with its artifacts."""
        trial = self._annotations.cache.get_trial(trial_id)
        number = self._view.number_of(trial_id)
        stage = self._view.planned().get(number or 0)
        return trial if stage is None else self._annotations.shown(stage, [trial])[0]

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
        self._annotations.renew()

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
            raise self._refuse("the trials are planned by lamsearch and completed by its workers")

    def _refuse(self, why: str) -> StudyStateError:
        self._view.refuse(why)  # Optuna's application keeps to itself what is raised
        return StudyStateError(f"dashboard: {why}")
