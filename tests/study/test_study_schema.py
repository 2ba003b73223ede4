from __future__ import annotations

import json
import tomllib
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from study_documents import changed

from lamsearch.study import json_schema

STUDIES = Path(__file__).parents[2] / "studies"
FILES = sorted(STUDIES.glob("**/*.toml"))
SCHEMA = STUDIES / "study.schema.json"


@pytest.mark.parametrize("path", [SCHEMA, resources.files("lamsearch.study") / SCHEMA.name])
def test_the_schema_files_are_the_code_s(path: Traversable) -> None:
    """The schema beside the studies, and that in the package, are what the code says, to the
    byte."""
    expected = json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
    assert path.read_text(encoding="utf-8") == expected


@pytest.fixture(scope="module")
def validator() -> Any:
    """A validator of the schema file, itself checked against its dialect."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(STUDIES).as_posix())
def test_every_shipped_study_fits_the_schema(path: Path, validator: Any) -> None:
    """An editor that knows the schema finds nothing wrong with the shipped studies."""
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    assert [error.message for error in validator.iter_errors(document)] == []


@pytest.mark.parametrize(
    "changes",
    [{"zzz": 1}, {"coarse": {"zzz": 1}}, {"cohort": 0}, {"seed": None}, {"name": "a/b"},
     {"coarse": {"sampler": "grid"}}, {"coarse": {"log10_lambda": [-5.0]}}, {"cohort": "many"}],
    ids=str,
)  # fmt: skip
def test_the_schema_finds_what_an_editor_can_find(changes: dict[str, Any], validator: Any) -> None:
    """Unknown keys, wrong types, values out of bounds and missing keys break the schema."""
    assert list(validator.iter_errors(changed({})) or []) == []
    assert list(validator.iter_errors(changed(changes))) != []
