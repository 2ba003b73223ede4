"""Which training a checkpoint is of, and going on from one that is of this.

Enters: the files of a study, a claim, a fresh trainer. Leaves: the trainer as far as a checkpoint
leads, or as it was. Refuses to go on from what another training has saved, wherever it lies.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from lamsearch.artifacts import Files
from lamsearch.search import training_seed
from lamsearch.storage import Claim, PlannedStudy
from lamsearch.trainers import Guarded, kind_of

_CYCLE, _SHA256 = re.compile(r"[1-9][0-9]{0,8}"), re.compile(r"[0-9a-f]{64}")
Arrays = Mapping[str, npt.NDArray[np.generic]]
_IDENTITY = "identity"
_SNAPSHOTS = "snapshots"  # in the identity's JSON, where no trainer's state has its names


class Checkpoints:
    """The checkpoints of one claimed cohort.

    Args:
        files: where they are.
        stored: the study.
        claim: the lease on the cohort, with the λs of its candidates.

    ``snapshots`` are the digests, by cycle, of the models that were saved at cycle ends so far:
    saved and resumed with the rest.
    """

    def __init__(self, files: Files, stored: PlannedStudy, claim: Claim) -> None:
        self._files, self._stage, self._cohort = files, claim.stage, claim.number
        self._identity = _identity(stored, claim)
        self.snapshots: dict[int, str] = {}

    def save(self, trainer: Guarded) -> None:
        """Save where a training is, and which it is; nothing of one that has no state."""
        if not trainer.resumable:
            return
        said = {**self._identity, _SNAPSHOTS: self.snapshots} if self.snapshots else self._identity
        identity = {_IDENTITY: np.array(json.dumps(said))}
        state = {**trainer.state(), **identity}
        self._files.save_checkpoint(self._stage, self._cohort, trainer.updates, state)

    def resume(self, trainer: Guarded, say: Callable[[str], None]) -> bool:
        """Go on from the newest checkpoint of this training; say whether there is one.

        What is none of it is said and removed, for it would take the place of those to come.
        """
        if not trainer.resumable:
            return False
        for name, state in self._files.checkpoints(self._stage, self._cohort):
            why = self._objection(state) or _restored(trainer, state)
            if why is None:
                self.snapshots = _snapshots(state)
                return True
            say(f"checkpoint {name} of {self._stage} cohort {self._cohort} {why}: it is not used")
            self._files.drop_checkpoint(self._stage, self._cohort, name)
        return False

    def drop(self) -> None:
        """Remove all of them."""
        self._files.drop_checkpoints(self._stage, self._cohort)

    def _objection(self, state: Arrays) -> str | None:
        """Why a checkpoint is not of this training; None where it is."""
        if _IDENTITY not in state:
            return "does not say which training it is of"  # an earlier version wrote it
        try:
            found = json.loads(str(state[_IDENTITY]))
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            return "does not say which training it is of"
        for what, value in self._identity.items():
            if found.get(what) != value:
                return f"is of another training ({what})"
        return None


def _restored(trainer: Guarded, state: Arrays) -> str | None:
    """Restore a trainer, or return why that cannot be done."""
    try:
        trainer.restore({name: array for name, array in state.items() if name != _IDENTITY})
    except ValueError as error:
        return f"cannot be restored ({error})"
    return None


def _snapshots(state: Arrays) -> dict[int, str]:
    """The digests that a checkpoint of this training has; others may have written it."""
    found = json.loads(str(state[_IDENTITY])).get(_SNAPSHOTS)
    if not isinstance(found, dict):
        return {}
    return {
        int(cycle): known
        for cycle, known in found.items()
        if _CYCLE.fullmatch(cycle) and isinstance(known, str) and _SHA256.fullmatch(known)
    }


def _identity(stored: PlannedStudy, claim: Claim) -> dict[str, object]:
    """All that the bits of a training follow from; the files' path says none of it for certain."""
    return {
        "version of the state": kind_of(stored.study).state_version,
        "study id": stored.id,
        "settings": stored.study.fingerprint,
        "data": stored.data_fingerprint,
        "stage": claim.stage,
        "cohort": claim.number,
        "seed": list(training_seed(stored.study, claim.stage, claim.replicate)),
        "candidates": [[trial.candidate, *trial.point] for trial in claim.trials],
    }
