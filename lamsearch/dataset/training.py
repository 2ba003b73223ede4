"""The training pool of a study and its splits: all that stages before the end may see.

Enters: a study and a folder. Leaves: `TrainingData`. Refuses to keep, or to find again, a single
test image: the type has no way to them (law 1).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from lamsearch.dataset.images import LabelledImages
from lamsearch.dataset.sources import read
from lamsearch.dataset.splits import Splits, count_test_images, cut_test_images, split
from lamsearch.results import StageName
from lamsearch.study import Study


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingData:
    """The training pool of a study.

    ``fingerprint`` is the SHA-256 over all that the source holds, test set included; of the test
    set itself only the number of its images is kept.
    """

    fingerprint: str
    classes: tuple[str, ...]
    test_images: int
    pool: LabelledImages = field(repr=False)
    study: Study = field(repr=False)

    @property
    def features(self) -> int:
        """Values per image."""
        return int(self.pool.x.shape[1])

    @property
    def images(self) -> int:
        """Images in the pool, used by a split or not."""
        return len(self.pool)

    def split(self, stage: StageName) -> Splits:
        """Return the training and validation images of a stage, normalised."""
        return split(self.study, stage, self.pool)


def load(study: Study, folder: Path, *, origin: Path | None = None) -> TrainingData:
    """Read the source that ``study`` names and keep its training pool.

    ``folder`` is where the data are (--data-dir); ``origin`` is the folder of the study file,
    where a relative .npz path is looked for next.

    Raises:
        DataError: The source is missing, damaged, or smaller than the study needs.
    """
    contents = read(study.data, folder, origin)
    count = count_test_images(study, contents)
    pool = contents.pool
    if contents.test is None:
        pool = pool.taken(cut_test_images(study, contents)[1])
    return TrainingData(
        fingerprint=contents.fingerprint(),
        classes=contents.classes,
        test_images=count,
        pool=pool,
        study=study,
    )
