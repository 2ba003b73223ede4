"""Files of examples to predict: a table, arrays, images, MNIST's format.

Enters: paths, and what the models' raw examples are. Leaves: examples, read batch by batch where a
file is an example; or one sentence. Nothing in a file is executed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lamsearch.api.ensemble import Ensemble
from lamsearch.api.raw_examples import Given, given, of_cells
from lamsearch.artifacts import PIXELS
from lamsearch.data import new_rows
from lamsearch.data.image_files import images_below, is_image, pixels
from lamsearch.data.sources import idx, table
from lamsearch.errors import DataError, InputError

_KINDS = "a table (.csv, .tsv, .parquet, .arrow, .feather), an .npz file, images, or an idx file"


def examples_in(paths: Sequence[Path], models: Ensemble) -> Given:
    """Return the examples that files hold; several paths must be images.

    Raises:
        InputError: They are of no kind that is known, or not of the kind that the models know.
        DataError: One is damaged, or lacks what the models need; the sentence names it.
    """
    first, *others = paths
    if others:
        strange = next((one for one in paths if not is_image(one)), None)
        if strange is not None:
            raise InputError(f"{strange}: several inputs must be images")
        return _images(paths, paths, models)
    if first.is_dir():
        found = images_below(first)
        if not found:
            raise InputError(f"{first}: must hold images; of other data name the file")
        return _images(found, [one.relative_to(first) for one in found], models)
    if not first.is_file():
        raise InputError(f"{first}: must be {_KINDS}, but there is no such file")
    if is_image(first):
        return _images(paths, paths, models)
    if first.suffix in table.SUFFIXES:
        return _rows(first, models)
    if first.suffix == ".npz":
        return given(_arrays(first), models.inputs, models.features, f"{first}: X")
    if idx.is_images(first):
        return given(idx.read_images(first), models.inputs, models.features, str(first))
    raise InputError(f"{first}: must be {_KINDS}")


def _rows(path: Path, models: Ensemble) -> Given:
    columns = models.inputs.columns
    if not columns:
        rule = "must be an .npz file or images: the models were trained on examples without columns"
        raise InputError(f"{path}: {rule}")
    return of_cells(new_rows.read(path, columns), models.inputs, str(path))


def _arrays(path: Path) -> npt.NDArray[Any]:
    """The array X of an .npz file; what else it has is nobody's."""
    try:
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.lib.npyio.NpzFile):
                found = loaded["X"]
                return np.asarray(found)
    except KeyError as error:
        raise DataError(f"{path}: X: is required") from error
    except Exception as error:  # zipfile, zlib and NumPy have a dozen ways to say "not readable"
        raise DataError(f"{path}: must be a whole .npz file without pickles: {error}") from error
    raise DataError(f"{path}: must be an .npz archive, got a single array")


def _images(files: Sequence[Path], names: Sequence[Path], models: Ensemble) -> Given:
    """Images at the size of the models' own, decoded when their batch is asked for."""
    inputs, where = models.inputs, str(files[0])
    shape = inputs.image
    if shape is None or inputs.divisor != PIXELS or shape.channels not in (1, 3):
        rule = "must not be an image: the models were not trained on bytes of images"
        if inputs.divisor is None:
            rule = "the models must say of which images they are, as those of this version do"
        raise InputError(f"{where}: {rule}")

    def rows(part: slice) -> npt.NDArray[np.uint8]:
        found = [pixels(one, shape) for one in files[part]]
        return np.array(found, np.uint8).reshape(len(found), models.features)

    return Given(count=len(files), rows=rows, names=tuple(one.as_posix() for one in names))
