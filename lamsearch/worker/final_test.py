"""The test at a study's end. Enters: the lease on it. Leaves: the committed test score.

The opening is recorded before the test examples are read; which models are evaluated is what the
storage says of the final's replicates.
"""

from __future__ import annotations

from lamsearch.artifacts import digest_of, model_from
from lamsearch.errors import InterruptedWorkError, LeaseLostError
from lamsearch.results import Model
from lamsearch.space import Point
from lamsearch.storage import Claim
from lamsearch.trainers import TrainerFailedError
from lamsearch.worker import final
from lamsearch.worker.context import CURVES_TEST, SELECTED_TEST, Context
from lamsearch.worker.renewer import LeaseRenewer


def evaluate_final(context: Context, claim: Claim, renewer: LeaseRenewer) -> None:
    """Open the test set, record first, and evaluate the final's models."""
    leases, retried = context.leases, context.retried
    purpose = CURVES_TEST if context.wants_test_curves else SELECTED_TEST
    examples = context.open_test(claim, purpose.format(context.metric.title))
    # a replicate that failed has no model, and would fail again
    recorded = retried(leases.trained)
    contents = {
        replicate: _model(context, replicate, digest) for replicate, digest in recorded.items()
    }
    whole = {replicate: found for replicate, found in contents.items() if found is not None}
    if renewer.lost:
        raise LeaseLostError("the test was given to another worker")
    result = final.score(
        [model_from(content) for content in whole.values()], examples, context.metric
    )
    digests = {replicate: digest_of(content) for replicate, content in whole.items()}
    retried(lambda: leases.complete_test(claim, result, digests))


def _model(context: Context, replicate: int, sha256: str | None) -> bytes | None:
    """The model of a replicate; where its file is not to be had whole, the same one again."""
    content = context.files.read_model(replicate, sha256)
    if content is not None:
        return content
    chosen = context.retried(context.leases.chosen)
    context.say(
        f"model of replicate {replicate} is not in {context.files.shown}, or not as it was "
        "saved: training it again"
    )
    model = _trained_again(context, chosen, replicate)
    return None if model is None else context.save_model(replicate, model, chosen)


def _trained_again(context: Context, point: Point, replicate: int) -> Model | None:
    """Train a replicate of the final again, for its model; None where it fails now."""
    try:
        trainer = context.trainer("final", [point], replicate)
        for _ in trainer.run():
            if context.stop.is_set():
                raise InterruptedWorkError("interrupted before the test; run again to go on")
        return trainer.models()[0]
    except TrainerFailedError as error:
        context.say(f"final replicate {replicate} failed: {error}")
        return None
