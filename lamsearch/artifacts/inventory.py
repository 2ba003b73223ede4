"""Which studies have files in a place. Enters: its URL. Leaves: ids of studies.

Changes nothing, and refuses to take for lamsearch's what lamsearch did not mark.
"""

from __future__ import annotations

import re

from lamsearch.artifacts.files import MARKER
from lamsearch.artifacts.store import Store

_ID = re.compile(r"[0-9a-f]{32}")


def study_ids(url: str) -> frozenset[str]:
    """Return the names in a place that may be studies' directories; none where it is not there.

    Raises:
        FilesError: It cannot be read.
        InputError: The URL means nothing here.
    """
    store = Store(url)
    with store.saying("read", ""):
        return frozenset(name for name in store.names(".") if _ID.fullmatch(name))


def is_marked(url: str, study_id: str) -> bool:
    """Whether lamsearch wrote into a study's directory that it made it.

    Raises:
        FilesError: That cannot be read.
    """
    store = Store(url)
    path = f"{study_id}/{MARKER}"
    with store.saying("read", path):
        try:
            return store.read(path) == f"{study_id}\n".encode()
        except OSError:
            if store.is_local:  # a link, a file or somebody else's directory of that name
                return False
            raise
