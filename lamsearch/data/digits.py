"""The 1797 handwritten digits that scikit-learn carries (Alpaydin & Kaynak 1998).

Enters: nothing. Leaves: float32 images (1797, 64), values 0..16 as they are. Refuses to know a
test set: these have none of their own.
"""

from __future__ import annotations

import numpy as np

from lamsearch.data.images import Contents, LabelledImages
from lamsearch.errors import DataError

# of the data that scikit-learn has carried since 2010
FINGERPRINT = "0cede1737b1981fb06b93080ce5a7ea52f89113b85efe46f7f0f7e784486eb39"


def read() -> Contents:
    """Return the digits.

    Raises:
        DataError: scikit-learn is not there.
    """
    try:
        from sklearn.datasets import load_digits  # heavy, and needed for this source only
    except ImportError as error:
        raise DataError(f"digits: needs scikit-learn: {error}") from error
    x, y = load_digits(return_X_y=True)
    pool = LabelledImages(x=np.ascontiguousarray(x, np.float32), y=np.asarray(y, np.int64).copy())
    return Contents(name="digits", classes=tuple("0123456789"), pool=pool, test=None)
