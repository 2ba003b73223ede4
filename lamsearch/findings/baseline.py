"""What no learning gets: the metric's constant answer, beside the study's results.

Enters: a record. Leaves: scores, words. Refuses to guess: where nobody counted the targets when the
study was planned, nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lamsearch.findings.stages import deciding
from lamsearch.metrics import Constant, beside
from lamsearch.results import StudyRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A constant answer by the metric, and the scores that it gets.

    ``answer`` is the most frequent class of the training labels, empty where targets are
    quantities; ``value`` is their mean or median. ``validation`` is the score in the deciding stage
    (in the final where nothing was selected), and ``test`` is known once the final has been scored,
    with the models' ``gain`` over it and its 95 % interval; None where not known.
    ``test_beside`` is the share of test examples of the most frequent class, which is what always
    answering with it gets by the metric `beside` the study's.
    """

    kind: Constant
    answer: str
    value: float | None
    validation: float | None
    test: float | None
    gain: float | None = None
    gain_interval95: tuple[float, float] | None = None
    test_beside: float | None = None

    @property
    def words(self) -> str:
        """What is done where nothing is learned, on a single line."""
        if self.kind == "majority":
            return self.class_words
        if self.kind == "guess":
            return "guessing classes with their shares of the training split"
        if self.kind == "shares":
            return "always answering with the classes' shares of the training split"
        value = "" if self.value is None else f" ({self.value:.5g})"
        return f"always answering with the {self.kind} of the training targets{value}"

    @property
    def class_words(self) -> str:
        """What is done where the share of right answers is meant."""
        return f"always answering with the most frequent class ({' '.join(self.answer.split())})"


def baseline(record: StudyRecord) -> Baseline | None:
    """Return the study's baseline; None where an earlier version planned it by another metric than
    the default, or looked at none of its data."""
    facts, metric, final = record.data, record.metric, record.final
    if facts is None or not (facts.constants or metric.is_default):
        return None
    stage = deciding(record)
    name = "final" if stage is None else stage.name
    known, share = None if final is None else final.baseline, _majority_share(record)
    constant = facts.constants.get(name, ())
    test = share if metric.is_default else None
    return Baseline(
        kind=metric.answer,
        answer=facts.majority,
        value=constant[0] if metric.task == "regression" and constant else None,
        validation=facts.baseline.get(name),
        test=test if known is None else known.mean,
        gain=None if known is None else known.gain,
        gain_interval95=None if known is None else known.gain_interval95,
        test_beside=None if metric.is_default else share,
    )


def baseline_sentences(record: StudyRecord) -> Iterator[str]:
    """Say what the baseline gets, as far as it is known."""
    found = baseline(record)
    if found is None:
        return
    known = [
        f"{record.metric.words(score)} on {split}"
        for score, split in ((found.validation, "validation"), (found.test, "test"))
        if score is not None
    ]
    if known:
        yield f"Baseline: {found.words} gets {' and '.join(known)}."
    other = beside(record.metric)
    if other is not None and found.test_beside is not None:
        share, words = other.words(found.test_beside), found.class_words
        yield f"{words[0].upper()}{words[1:]} has a test {other.title} of {share}."


def _majority_share(record: StudyRecord) -> float | None:
    """The share of test examples whose class is the majority: its row of the confusion matrix."""
    if record.final is None or record.data is None or not record.final.confusion:
        return None
    rows = [sum(row) for row in record.final.confusion]
    classes = record.classes
    if len(classes) != len(rows) or record.data.majority not in classes or not sum(rows):
        return None
    return rows[classes.index(record.data.majority)] / sum(rows)
