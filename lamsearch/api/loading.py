"""Results that are there already.

Enters: a report's results.json, or a study's name and its storage. Leaves: its `Result`. Refuses a
document that is no result of lamsearch's, and changes nothing.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lamsearch import defaults
from lamsearch.api.gathering import gathered
from lamsearch.api.result import Result, result_of
from lamsearch.errors import InputError
from lamsearch.storage import Database, Mode

_NAME = "results.json"
_KEYS = {
    "study", "state", "seed", "metric", "stages", "selected", "final", "uncertainty", "warnings",
    "failure",
}  # fmt: skip


def load_results(
    source: str | Path | None = None,
    *,
    name: str | None = None,
    storage: str | None = None,
    files: str | None = None,
) -> Result:
    """Read what came of a study: from its report, or from the storage that it is in.

    Args:
        source: a report's directory or its ``results.json``.
        name: the study's name, instead of ``source``.
        storage: the URL of its storage; else ``LAMSEARCH_STORAGE``, else
            ``sqlite:///lamsearch.db``, as for the command line.
        files: where its models are, unless beside the storage.

    Raises:
        InputError: There is no such thing, or it is not lamsearch's; or both or neither of
            ``source`` and ``name`` are given.

    Example:
        >>> import lamsearch  # doctest: +SKIP
        >>> lamsearch.load_results("lamsearch-report/digits").best_lambda
        >>> lamsearch.load_results(name="digits", storage="sqlite:///lamsearch.db").to_frame()
    """
    if (source is None) == (name is None):
        raise InputError("load_results: needs a report's path, or name= of a study in a storage")
    if name is not None:
        return stored_result(name, defaults.storage_url(storage), files)
    if storage is not None or files is not None:
        raise InputError("load_results: storage and files go with name=, not with a report's path")
    path = Path(source or "")
    path = path / _NAME if path.is_dir() else path
    return Result(document=_document(path), directory=path.resolve().parent)


def stored_result(name: str, storage: str, files: str | None) -> Result:
    """Return the result of a study in a storage."""
    database = Database(storage, Mode.READ)
    try:
        record, models = gathered(database, name, files, say=lambda _line: None)
    finally:
        database.close()
    return result_of(record, models)


def _document(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: must be a report's {_NAME}: it is no JSON") from error
    if not isinstance(found, dict) or not found.keys() >= _KEYS:
        raise InputError(f"{path}: must be a report's {_NAME}, as this version writes it")
    return found
