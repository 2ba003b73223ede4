"""What of a study's search splits its cohorts, as its trainer declares.

Enters: a study. Leaves: names. The one place where the storage asks a trainer; a study that
searches λ alone needs none of them loaded.
"""

from __future__ import annotations

from lamsearch.study import Study


def splitting_of(study: Study) -> frozenset[str]:
    """Return the names of what is searched and cannot be trained in one cohort.

    Raises:
        InputError: The study's trainer is not registered here, or cannot be loaded.
    """
    if not study.space.several:
        return frozenset()
    from lamsearch.trainers import splitting

    return splitting(study)
