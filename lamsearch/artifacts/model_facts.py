"""What a model's file says beside its arrays: what raw examples are, and what it was trained for.

Enters: a file's metadata, which anybody may have written. Leaves: a checked record, or what is
wrong with them; and the metadata of a model that is to be saved. Refuses to know arrays.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from lamsearch.results import Column, columns_from
from lamsearch.study import ImageShape

PIXELS = 255  # bytes of images are divided by it
_LONGEST = 16_000_000  # characters of a value: 65,536 class names of 100 letters, with room
CONVENTION = (
    "cost = mean loss + lambda * sum(W ** 2) over all weights, not biases; its gradient holds "
    "2 * lambda * W: the weight_decay of other libraries is 2 * lambda"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What the raw examples of a model are.

    ``columns`` are a table's, in the order of the features that they make; none where it was no
    table. With ``fills`` a missing value of theirs counts as the training split's mean.
    ``divisor`` is what raw values are divided by before ``mean`` is subtracted, 255 where they are
    bytes of images, else 1; None where an earlier version did not record it. ``image`` is how
    features make an image.
    """

    columns: tuple[Column, ...] = field(repr=False, default=())
    fills: bool = False
    divisor: int | None = None
    image: ImageShape | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """The names of a model's classes, none where it predicts a quantity, and its inputs."""

    classes: tuple[str, ...]
    inputs: Inputs


def inputs_metadata(inputs: Inputs) -> dict[str, object]:
    """Return the entries of a model's metadata that say what raw examples are, but columns."""
    image = None if inputs.image is None else asdict(inputs.image)
    found: dict[str, object] = {"input": {"divide_by": inputs.divisor or 1, "image": image}}
    return found | ({"missing": "mean"} if inputs.fills else {})


def facts_from(metadata: Mapping[str, str], features: int) -> ModelFacts:
    """Return what the metadata of a model of so many features say.

    Raises:
        ValueError: They are not what lamsearch writes; the sentence says what of them.
    """
    columns = _columns(metadata, features)
    if metadata.get("missing", "mean") != "mean":
        raise ValueError(f"a model's missing must be 'mean', got {metadata['missing'][:50]!r}")
    divisor, image = _input(metadata, features)
    inputs = Inputs(
        columns=columns, fills="missing" in metadata, divisor=divisor, image=image
    )  # fmt: skip
    return ModelFacts(classes=_classes(metadata), inputs=inputs)


def _value(metadata: Mapping[str, str], key: str) -> Any:
    """The JSON under a key; None where there is none, or something that is none."""
    text = metadata.get(key, "null")
    if len(text) > _LONGEST:
        raise ValueError(f"a model's {key} must have at most {_LONGEST:,} characters")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _classes(metadata: Mapping[str, str]) -> tuple[str, ...]:
    found = _value(metadata, "classes")
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise ValueError("a model's metadata must name its classes, as those of a report do")
    if len(set(found)) < len(found):
        raise ValueError("a model's classes must have different names")
    return tuple(found)


def _columns(metadata: Mapping[str, str], features: int) -> tuple[Column, ...]:
    if "columns" not in metadata:
        return ()
    try:
        found = columns_from(_value(metadata, "columns"))
    except ValueError as error:
        raise ValueError(f"a model's columns must be those of a table: {error}") from error
    width = sum(one.width for one in found)
    if width != features:
        raise ValueError(f"a model's columns must make its {features} features, got {width}")
    if len({one.name for one in found}) < len(found):
        raise ValueError("a model's columns must have different names")
    return found


def _input(metadata: Mapping[str, str], features: int) -> tuple[int | None, ImageShape | None]:
    if "input" not in metadata:
        return None, None
    found = _value(metadata, "input")
    if not isinstance(found, dict) or not found.keys() >= {"divide_by", "image"}:
        raise ValueError("a model's input must say divide_by and image")
    divisor, image = found["divide_by"], found["image"]
    if type(divisor) is not int or divisor not in (1, PIXELS):
        raise ValueError(f"a model's divide_by must be 1 or {PIXELS}, got {str(divisor)[:50]}")
    return divisor, None if image is None else _image(image, features)


def _image(found: object, features: int) -> ImageShape:
    kinds = {"height": int, "width": int, "channels": int, "planar": bool}
    known = isinstance(found, dict) and found.keys() == kinds.keys()
    if not known or not isinstance(found, dict):
        raise ValueError(f"a model's image must have {', '.join(kinds)}")
    if any(type(found[key]) is not kind for key, kind in kinds.items()):
        raise ValueError(f"a model's image must have whole sizes, got {str(found)[:100]}")
    image = ImageShape(**found)
    if min(image.axes) < 1 or math.prod(image.axes) != features:
        raise ValueError(f"a model's image must make its {features} features, got {image.axes}")
    return image
