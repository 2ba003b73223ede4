"""Local files: written whole or not at all, and found below a directory without following links.

Enters: a directory, a path below it, bytes. Leaves: the bytes, or the system's error. Refuses to
leave the directory: where the system opens a file from the handle of its directory, whoever may
write there and whatever they put in the way meanwhile; elsewhere (Windows) each step is looked at
before it is taken.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

if sys.platform != "win32" and hasattr(os, "O_DIRECTORY") and os.open in os.supports_dir_fd:
    from lamsearch.local_files.by_handle import (
        find_below,
        list_below,
        read_below,
        remove_below,
        remove_empty_below,
        write_below,
    )
else:
    from lamsearch.local_files.by_path import (
        find_below,
        list_below,
        read_below,
        remove_below,
        remove_empty_below,
        write_below,
    )

__all__ = [
    "find_below",
    "list_below",
    "read_below",
    "remove_below",
    "remove_empty_below",
    "write_below",
    "write_whole",
]


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it appears whole or not at all, and survives a power cut."""
    write_below(path.parent, path.name, content)
