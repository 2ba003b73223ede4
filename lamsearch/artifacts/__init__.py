"""Files: checkpoints and models, each whole or not at all, in a directory or an object store.

Enters: an fsspec URL and a study's id; arrays and models. Leaves: the same again, or None where
there is none that is whole. Refuses to know what the arrays mean.
"""

from lamsearch.artifacts.files import Files
from lamsearch.artifacts.inventory import is_marked, study_ids
from lamsearch.artifacts.locations import DEFAULT_NAME, holds, locate
from lamsearch.artifacts.model_facts import (
    CONVENTION,
    PIXELS,
    Inputs,
    ModelFacts,
    facts_from,
    inputs_metadata,
)
from lamsearch.artifacts.models import (
    ModelFile,
    digest_of,
    files_of,
    metadata_of,
    model_bytes,
    model_from,
)

__all__ = [
    "Files", "locate", "holds", "DEFAULT_NAME", "model_bytes", "model_from", "digest_of",
    "ModelFile", "files_of", "metadata_of",
    "CONVENTION", "PIXELS", "Inputs", "ModelFacts", "facts_from", "inputs_metadata",
    "is_marked", "study_ids",
]  # fmt: skip
