"""Accuracy beside another metric, as a study's row keeps it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from storage_stub import FINAL
from test_storage_snapshots import SCORE

from lamsearch.results import ScoreBeside
from lamsearch.storage.documents import final_document
from lamsearch.storage.study_json import final_from

BESIDE = ScoreBeside(
    mean=0.9, sd=0.01, n=2, interval95=(0.85, 0.95), ensemble=0.91, scores=(0.89, 0.91)
)


def test_it_is_read_as_it_was_written() -> None:
    """The final's and the snapshots' accuracies come back as the same records."""
    final = replace(FINAL, beside=BESIDE, snapshots=replace(SCORE, beside=BESIDE))
    assert final_from(json.loads(json.dumps(final_document(final)))) == final


def test_without_it_a_document_is_as_every_version_has_written_it() -> None:
    """The text of a study whose metric is accuracy has no key for it, and reads as having none."""
    text = json.dumps(final_document(FINAL))
    assert text == (
        '{"mean": 0.9, "sd": 0.01, "n": 2, "interval95": [0.85, 0.95], "ensemble": 0.91, '
        '"test_images": 200, "confusion": [[3, 1], [0, 4]], "accuracies": [0.89, 0.91]}'
    )
    assert final_from(json.loads(text)) == FINAL
    with_snapshots = final_document(replace(FINAL, snapshots=SCORE))
    assert "accuracy" not in with_snapshots["snapshots"]
    assert final_from(json.loads(json.dumps(with_snapshots))) == replace(FINAL, snapshots=SCORE)


@pytest.mark.parametrize("found", [7, [], {}, {"mean": "x"}, "0.9"])
def test_what_nobody_wrote_is_refused(found: object) -> None:
    """Where others wrote into it, the final score is damaged as a whole."""
    with pytest.raises((ValueError, TypeError)):
        final_from({**final_document(FINAL), "accuracy": found})
