"""Checkpoints as bytes: a digest, then NumPy's own archive, uncompressed and without pickles.

Enters: arrays by name; bytes. Leaves: bytes; the arrays, or None where they are not as they were
written. Refuses to know what the arrays mean.
"""

from __future__ import annotations

import hashlib
import io
import logging
import zipfile
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import numpy.typing as npt

Arrays = Mapping[str, npt.NDArray[np.generic]]
State = dict[str, npt.NDArray[np.generic]]
_DIGEST = hashlib.sha256().digest_size
_log = logging.getLogger(__name__)


def state_bytes(state: Arrays) -> bytes:
    """Return arrays as bytes that tell whether they are whole."""
    buffer = io.BytesIO()
    np.savez(buffer, **cast("dict[str, Any]", dict(state)))
    body = buffer.getvalue()
    return hashlib.sha256(body).digest() + body


def state_from(content: bytes) -> State | None:
    """Return the arrays of a checkpoint, None where it is not as it was written."""
    digest, body = content[:_DIGEST], content[_DIGEST:]
    if hashlib.sha256(body).digest() != digest:
        return None
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            if any(one.compress_type != zipfile.ZIP_STORED for one in archive.infolist()):
                return None  # `state_bytes` compresses nothing, and others might too well
        with np.load(io.BytesIO(body), allow_pickle=False) as arrays:
            return dict(arrays)
    except Exception as error:  # what zipfile and NumPy raise at foreign bytes has many types
        _log.debug("a checkpoint cannot be read: %s", error)
        return None
