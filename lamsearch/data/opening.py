"""The test set, against the record of its opening.

Enters: a study, a directory, and the committed `TestOpening`. Leaves: the raw test images. Refuses
to know who asks: that the record exists is the storage's promise.
"""

from __future__ import annotations

from pathlib import Path

from lamsearch.data.cuts import cut_test_images
from lamsearch.data.images import LabelledImages
from lamsearch.data.sources import read
from lamsearch.errors import DataError
from lamsearch.results import TestOpening
from lamsearch.study import Study, sized


def open_test(
    study: Study,
    directory: Path,
    opening: TestOpening,
    *,
    fingerprint: str,
    origin: Path | None = None,
) -> LabelledImages:
    """Return the raw test images of ``study``: x uint8 or float32 (n, features), y (n,)
    as `LabelledImages` has it.

    ``fingerprint`` is that of the data the study was trained on; ``directory`` and ``origin`` are
    as for `load`. Normalise with `normalise` and the moments of the training split.

    Raises:
        DataError: The opening is another study's, the data are no longer those of the study,
            or there is no test image.
    """
    if opening.study != study.name:
        rule = f"the opening must be recorded for study {study.name}"
        raise DataError(f"test set: {rule}, got {opening.study!r}")
    contents = read(study.data, directory, origin, study.task)
    found = contents.fingerprint()
    if found != fingerprint:
        rule = f"must be the data that the study was planned with (fingerprint {fingerprint})"
        raise DataError(f"{contents.name}: {rule}, got {found}")
    test = contents.test
    if test is None:
        whole = sized(study, len(contents.pool), own_test=False)
        test = contents.pool.taken(cut_test_images(whole, contents)[0])
    if not len(test):
        raise DataError(f"{contents.name}: must leave at least one image for the test set, got 0")
    return test
