"""Tables in Apache Arrow's formats: Parquet, and Arrow's own (.arrow, .feather), file or stream.

Enters: a path. Leaves: its columns, or one sentence. What is read is validated before a value of
it is used, batch by batch, and only the columns that are wanted. pyarrow is an extra of lamsearch,
imported here alone and when a table asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lamsearch.data.labels import MOST_CLASSES
from lamsearch.data.tables import MOST_VALUES, Cells
from lamsearch.errors import DataError, shown
from lamsearch.installed import lacking

Wanted = Callable[[Sequence[str]], Sequence[str]]
_ROWS = 65_536  # of a batch


def read(path: Path, wanted: Wanted, categories: Sequence[str]) -> list[Cells]:
    """Return the columns of a file that ``wanted`` chooses from all their names.

    Those in ``categories`` are texts whatever they hold, dates too.

    Raises:
        DataError: pyarrow is not there, or the file is no such table; the sentence says why.
    """
    pa = _library(path)
    try:
        opened = _parquet if path.suffix == ".parquet" else _ipc
        schema, batches = opened(pa, path, wanted)
        columns = [_Column(pa, str(path), field, field.name in categories) for field in schema]
        rows = 0
        for batch in batches:
            batch.validate(full=True)  # offsets and texts of a stranger's file
            rows += batch.num_rows
            if rows * max(1, len(columns)) > MOST_VALUES:
                raise DataError(f"{path}: must have at most {MOST_VALUES:,} cells")
            for column in columns:
                column.add(batch.column(column.name))
        return [column.cells() for column in columns]
    except (pa.ArrowException, OSError, MemoryError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        what = "Parquet" if path.suffix == ".parquet" else "Arrow"
        raise DataError(f"{path}: must be a whole {what} table: {reason}") from error


class _Column:
    """A column that is being read, by the type that its field has."""

    def __init__(self, pa: Any, where: str, field: Any, is_text: bool) -> None:
        self.name: str = field.name
        self._pa, self._where = pa, f"{where}: column {shown(field.name)}"
        kind = field.type
        if pa.types.is_dictionary(kind):
            kind, is_text = kind.value_type, True
        types = pa.types
        if types.is_temporal(kind) and not is_text:
            rule = "must be numbers or categories, not dates or times: name it in data.ignore, or "
            raise DataError(f"{self._where}: {rule}write what matters as numbers, got {kind}")
        number = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
        texts = (types.is_string, types.is_large_string, types.is_string_view, types.is_boolean)
        text = any(check(kind) for check in texts)
        if not (number or text or types.is_null(kind) or types.is_temporal(kind)):
            rule = "must be numbers, texts or truth values: name it in data.ignore"
            raise DataError(f"{self._where}: {rule}, got {shown(str(kind))}")
        self._kind = kind
        self._codes: dict[str, int] | None = {} if text or is_text else None
        self._blocks: list[npt.NDArray[Any]] = []

    def add(self, array: Any) -> None:
        """Add the values of a batch."""
        if self._codes is None:
            self._blocks.append(self._cast(array, self._pa.float64()).to_numpy(False))
            return
        encoded = self._texts(array).dictionary_encode()
        own = self._codes
        texts = [text.strip() for text in encoded.dictionary.to_pylist()]
        codes = np.array([own.setdefault(one, len(own)) if one else -1 for one in texts] + [-1])
        if len(own) > MOST_CLASSES:
            rule = f"must have at most {MOST_CLASSES} different texts: an identifier or free text "
            raise DataError(f"{self._where}: {rule}belongs in data.ignore")
        places = encoded.indices.fill_null(len(texts)).to_numpy(False)
        self._blocks.append(codes[places])

    def cells(self) -> Cells:
        """Return the whole column."""
        texts = None if self._codes is None else tuple(self._codes)
        empty = np.zeros(0, np.float64 if texts is None else np.int64)
        return Cells(name=self.name, values=np.concatenate([empty, *self._blocks]), texts=texts)

    def _texts(self, array: Any) -> Any:
        """Values as texts; floats as the whole numbers that they must be."""
        pa = self._pa
        if pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        if pa.types.is_floating(self._kind) or pa.types.is_decimal(self._kind):
            array = self._cast(array, pa.int64())
        return self._cast(array, pa.large_string())

    def _cast(self, array: Any, kind: Any) -> Any:
        try:
            return array.cast(kind)
        except self._pa.ArrowException as error:
            rule = "whole numbers must lie within ±2⁵³: an identifier belongs in data.ignore"
            if not self._pa.types.is_integer(self._kind):
                rule = f"must be {'numbers' if self._codes is None else 'whole numbers or texts'}"
            raise DataError(f"{self._where}: {rule}") from error


def _parquet(pa: Any, path: Path, wanted: Wanted) -> tuple[list[Any], Iterator[Any]]:
    """The wanted fields of a Parquet file, and its batches of those."""
    from pyarrow import parquet

    file = parquet.ParquetFile(pa.OSFile(str(path)))
    schema = file.schema_arrow
    if file.metadata.num_rows * max(1, len(schema.names)) > MOST_VALUES:
        raise DataError(f"{path}: must have at most {MOST_VALUES:,} cells")
    fields = [schema.field(schema.names.index(name)) for name in wanted(schema.names)]
    return fields, file.iter_batches(_ROWS, columns=[field.name for field in fields])


def _ipc(pa: Any, path: Path, wanted: Wanted) -> tuple[list[Any], Iterator[Any]]:
    """The wanted fields of a file in Arrow's own format, and its batches of those."""
    names = list(_opened(pa, path, None)[0].names)
    kept = [names.index(name) for name in wanted(names)]
    schema, batches = _opened(pa, path, pa.ipc.IpcReadOptions(included_fields=sorted(kept)))
    return list(schema), batches


def _opened(pa: Any, path: Path, options: Any) -> tuple[Any, Iterator[Any]]:
    """The schema and the batches of a file or, where it is none, of a stream."""
    try:
        file = pa.ipc.open_file(pa.OSFile(str(path)), options=options)
    except pa.ArrowInvalid:
        stream = pa.ipc.open_stream(pa.OSFile(str(path)), options=options)
        return stream.schema, iter(stream)
    return file.schema, (file.get_batch(index) for index in range(file.num_record_batches))


def _library(path: Path) -> Any:
    try:
        import pyarrow as pa
        import pyarrow.ipc
    except ImportError as error:
        raise DataError(
            lacking(str(path), "pyarrow", install="'lamsearch[table]'")
            + ", or save the table as .csv"
        ) from error
    return pa
