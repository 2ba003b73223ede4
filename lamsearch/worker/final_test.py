"""The test at a study's end. Enters: the lease on it. Leaves: the committed test score.

The opening is recorded before the test examples are read; which models are evaluated is what the
storage says of the final's replicates, and at which cycle ends is what the study says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from lamsearch.artifacts import ModelFile, digest_of, model_from
from lamsearch.data import LabelledImages
from lamsearch.errors import InterruptedWorkError, LeaseLostError
from lamsearch.results import FinalScore, Model, TrialRecord
from lamsearch.space import Point
from lamsearch.storage import Claim
from lamsearch.trainers import TrainerFailedError
from lamsearch.worker import final
from lamsearch.worker.context import Context
from lamsearch.worker.renewer import LeaseRenewer

# A replicate's models by cycle: None is the end of its training, the others are snapshots.
Contents = Mapping[int | None, bytes]


def evaluate_final(context: Context, claim: Claim, renewer: LeaseRenewer) -> None:
    """Open the test set, record first, and evaluate the final's models."""
    leases, retried = context.leases, context.retried
    examples = context.open_test(claim)
    # a replicate that failed has no model, and would fail again
    recorded = retried(leases.trained)
    found = {replicate: _models(context, trial) for replicate, trial in recorded.items()}
    whole = {replicate: contents for replicate, contents in found.items() if None in contents}
    if renewer.lost:
        raise LeaseLostError("the test was given to another worker")
    result = _scored(context, whole, examples)
    digests = {
        replicate: {cycle: digest_of(content) for cycle, content in contents.items()}
        for replicate, contents in whole.items()
    }
    ends = {replicate: known[None] for replicate, known in digests.items()}
    snapshots = {
        replicate: {cycle: one for cycle, one in known.items() if cycle is not None}
        for replicate, known in digests.items()
    }
    retried(lambda: leases.complete_test(claim, result, ends, snapshots))


def _scored(
    context: Context, whole: Mapping[int, Contents], examples: LabelledImages
) -> FinalScore:
    """The score of the models at the ends of training, and that of means over cycle ends."""
    models = {
        replicate: {cycle: model_from(content) for cycle, content in contents.items()}
        for replicate, contents in whole.items()
    }
    result = final.score(
        [one[None] for one in models.values()], examples, context.metric, context.constant
    )
    cycles = context.study.snapshot_cycles
    wanted = (*cycles[:-1], None)
    members = {
        replicate: [found[cycle] for cycle in wanted]
        for replicate, found in models.items()
        if all(cycle in found for cycle in wanted)
    }
    if not cycles or not members:
        return result
    step_size = context.study.training_of("final").step_size
    updates = [2 * step_size * cycle for cycle in cycles]
    return replace(
        result, snapshots=final.score_snapshots(members, updates, examples, context.metric)
    )


def _models(context: Context, trial: TrialRecord) -> Contents:
    """The models of a replicate; those whose files are not to be had whole once more.

    None at its end, or not all snapshots, where it fails now.
    """
    wanted = [
        ModelFile(replicate=trial.replicate, sha256=trial.model_sha256),
        *(
            ModelFile(
                replicate=trial.replicate, cycle=cycle, sha256=trial.snapshot_sha256.get(cycle)
            )
            for cycle in context.study.snapshot_cycles[:-1]
        ),
    ]
    found = {one.cycle: content for one in wanted if (content := _read(context, one)) is not None}
    missing = [one for one in wanted if one.cycle not in found]
    if not missing:
        return found
    for one in missing:
        context.say(
            f"{one.words} is not in {context.files.shown}, or not as it was saved: "
            "training it again"
        )
    chosen = context.retried(context.leases.chosen)
    again = _trained_again(context, chosen, trial.replicate)
    for one in missing:
        if (model := again.get(one.cycle)) is not None:
            found[one.cycle] = context.save_model(one.replicate, model, chosen, one.cycle)
    return found


def _read(context: Context, wanted: ModelFile) -> bytes | None:
    """A model's file as it was saved; a snapshot that nobody recorded is none of this training."""
    if wanted.cycle is not None and wanted.sha256 is None:
        return None
    return context.files.read_model(wanted.replicate, wanted.sha256, wanted.cycle)


def _trained_again(
    context: Context, chosen: Point, replicate: int
) -> dict[int | None, Model | None]:
    """Train a replicate of the final again, for its models by cycle; none where it fails now."""
    found: dict[int | None, Model | None] = {}
    kept = context.study.snapshot_cycles[:-1]
    try:
        trainer = context.trainer("final", [chosen], replicate)
        for progress in trainer.run():
            if context.stop.is_set():
                raise InterruptedWorkError("interrupted before the test; run again to go on")
            if progress.cycle_end and progress.cycles in kept:
                found[progress.cycles] = trainer.snapshot()[0]
        found[None] = trainer.models()[0]
    except TrainerFailedError as error:
        context.say(f"final replicate {replicate} failed: {error}")
        return {}
    return found
