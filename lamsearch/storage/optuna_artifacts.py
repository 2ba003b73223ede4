"""The error by which Optuna's artifact stores say that there is nothing of an id.

Leaves: the error. Apart from the rest, for who loads it loads the libraries of all its stores, and
only who serves artifacts needs it.
"""

from optuna.artifacts.exceptions import ArtifactNotFound as ArtifactGoneError

__all__ = ["ArtifactGoneError"]
