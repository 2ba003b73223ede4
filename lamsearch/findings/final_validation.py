"""Why the final's validation score is not the one that decided. Enters: a record. Leaves: text.

Refuses to compare the two: it says what sets them apart.
"""

from __future__ import annotations

from collections.abc import Iterator

from lamsearch.findings.choice import score_words
from lamsearch.findings.stages import deciding, finished
from lamsearch.points import listed
from lamsearch.results import ScoreKind, StageName, StudyRecord
from lamsearch.statistics import best_score, candidate_scores, differing
from lamsearch.study import recorded_settings


def sentences(record: StudyRecord) -> Iterator[str]:
    """Say what sets the final's validation score apart; nothing before both are known."""
    stage, final, chosen = deciding(record), record.stages.get("final"), record.selected
    if stage is None or final is None or chosen is None or chosen.score is None:
        return
    own = best_score(record, "final")
    if own is None or own.mean is None or not finished(final):
        return
    title, what = record.metric.title, "predicted" if _is_predicted(record) else "chosen"
    decided = record.metric.words(chosen.score.mean)
    yield (
        f"The final's validation {title}, {score_words(record, own)}, does not compare with the "
        f"{decided} by which {'the top' if what == 'predicted' else 'the best'} of {stage.name} "
        f"was {what}: {listed(list(_reasons(record, stage.name)))}."
    )


def _is_predicted(record: StudyRecord) -> bool:
    score = None if record.selected is None else record.selected.score
    return score is not None and score.kind is ScoreKind.PREDICTED


def _reasons(record: StudyRecord, stage: StageName) -> Iterator[str]:
    before, after = (recorded_settings(record.settings, name) for name in (stage, "final"))
    apart = differing(record, stage, "final")
    if before is not None and after is not None:
        pairs = (
            ("trained on", before.train_examples, after.train_examples),
            ("validated on", before.validation_examples, after.validation_examples),
        )
        for what, one, other in pairs:
            if one != other and one and other:
                yield f"it was {what} {other:,} examples instead of {one:,}"
    others = [name for name in apart if name not in ("train", "validation")]
    if others:
        yield f"it has its own {listed(others)}"
    yield "its seeds are new"
    ranked = [one for one in candidate_scores(record, stage) if one.mean is not None]
    if len(ranked) > 1:
        yield f"the best of {len(ranked)} is optimistic in expectation"
