"""Reading study files: all issues in one answer, said in the file's own terms."""

from __future__ import annotations

import codecs
import difflib
import json
import os
import re
import select
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from lamsearch.errors import InputError, Issue, StudyFileError, shown
from lamsearch.results import STAGES
from lamsearch.study.checks import all_issues
from lamsearch.study.data import Data
from lamsearch.study.document import SECTIONS, Study
from lamsearch.study.sections import Section
from lamsearch.study.sources import choose, properties
from lamsearch.study.tasks import task_issues

_MOST_BYTES = 1_000_000
_PATIENCE_SECONDS = 10.0
_SCHEMA_ID = "urn:lamsearch:study"  # a name, no address: what it names lies in the wheel


def read_study(path: str | Path) -> Study:
    """Read and check a study file.

    Raises:
        InputError: The file is missing, unreadable or no TOML.
        StudyFileError: The file has issues; the error lists all of them as
            ``file: key: rule, got value``.
    """
    path = Path(path)
    try:
        content = _content(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    return parse_file(content, where=str(path))


def parse_file(content: bytes, *, where: str) -> Study:
    """Check a study file given as its bytes; ``where`` opens every line of the error.

    Raises:
        InputError: It is no TOML, or too long.
        StudyFileError: It has issues.
    """
    if len(content) > _MOST_BYTES:
        raise _too_long(where)
    try:
        document = tomllib.loads(_text(content, where))
    except RecursionError as error:
        raise InputError(f"{where}: must be TOML: it is nested too deeply") from error
    except ValueError as error:  # of TOML, and of Python's about numbers of thousands of digits
        raise InputError(f"{where}: must be TOML: {error}") from error
    return parse_study(document, where=where)


def _content(path: Path) -> bytes:
    """The file's bytes, no more of them than a study file has; a pipe is read to its end."""
    if not hasattr(os, "O_NONBLOCK"):  # Windows, whose select waits for sockets alone
        with path.open("rb") as whole:
            return whole.read(_MOST_BYTES + 1)
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe without a writer would block
    with os.fdopen(handle, "rb", buffering=0) as file:
        content = b""
        while len(content) <= _MOST_BYTES:
            if not select.select([handle], [], [], _PATIENCE_SECONDS)[0]:
                raise InputError(f"{path}: cannot be read: nothing is written to it")
            part = file.read(_MOST_BYTES)
            if not part:
                return content
            content += part
    raise _too_long(str(path))


def _too_long(where: str) -> InputError:
    return InputError(f"{where}: must be a study file: it has more than {_MOST_BYTES:,} bytes")


def _text(content: bytes, where: str) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in content[:4]:
        raise InputError(f"{where}: must be UTF-8 text: this is UTF-16, save it as UTF-8")
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: must be UTF-8 text: {error}") from error


def parse_study(document: Mapping[str, Any], *, where: str = "study") -> Study:
    """Check a study given as a dictionary; ``where`` opens every line of the error."""
    found: list[Issue] = []
    sections: dict[str, Section | None] = {}
    for key, model in SECTIONS.items():
        if key in document:
            section, issues = _section(key, model, document[key])
            found += issues
            if section is not None:
                sections[key] = section
    broken = {key for key in SECTIONS if key in document and key not in sections}
    cohort = document.get("cohort", Study.model_fields["cohort"].default)
    found += all_issues({key: sections.get(key) for key in SECTIONS}, broken, cohort=cohort)
    data, metric = (
        sections.get("data"),
        document.get("metric", Study.model_fields["metric"].default),
    )
    found += task_issues(metric, data if isinstance(data, Data) else None)
    top = {key: value for key, value in document.items() if key not in SECTIONS}
    if not any(name in document for name in STAGES):
        rule = f"needs at least one stage of {', '.join(STAGES)}"
        found.append(Issue(where="the file", rule=rule))
    try:
        study = Study.model_validate(
            {**top, **{k: v for k, v in sections.items() if v is not None}}
        )
    except StudyFileError as error:  # of all_issues, which has found the same already
        study, found = None, found or list(error.issues)
    except ValidationError as error:
        missing = [e for e in issues_of(error, (), Study) if e.where not in broken]
        found = missing + found
        study = None
    if found or study is None:
        raise StudyFileError(
            Issue(where=f"{where}: {m.where}", rule=m.rule, value=m.value) for m in found
        )
    return study


def _section(
    key: str, model: type[Section], document: object
) -> tuple[Section | None, list[Issue]]:
    """A table that parsed, else None, and what is wrong in it."""
    issues: list[Issue] = []
    whole = True
    if key == "data":
        chosen = choose(document)
        model, document, issues, whole = (
            chosen.table, chosen.document, chosen.issues, chosen.whole,
        )  # fmt: skip
    try:
        section = model.model_validate(document)
    except ValidationError as error:
        return None, issues + issues_of(error, (key,), model)
    return section if whole else None, issues


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return a line per key that differs between two canonical forms, ``key: old → new``."""
    before, after = dict(_flat(old)), dict(_flat(new))
    absent = "(absent)"
    return [
        f"{key}: {before.get(key, absent)} → {after.get(key, absent)}"
        for key in sorted(before.keys() | after.keys())
        if before.get(key, absent) != after.get(key, absent)
    ]


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a study file, for editors; the wheel has it as a file, too."""
    schema = Study.model_json_schema()
    schema["$defs"]["Data"]["properties"] = properties()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": _SCHEMA_ID, **schema}


def _flat(document: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in document.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", json.dumps(value)


def issues_of(
    error: ValidationError, prefix: tuple[str, ...], model: type[BaseModel]
) -> list[Issue]:
    """Return what pydantic found wrong with a table, under its keys, as issues of a study file."""
    found: dict[str, Issue] = {}
    for item in error.errors(include_url=False, include_context=True):
        where, value = _place(prefix, item["loc"]), item["input"]
        if item["type"] == "missing":
            issue = Issue(where=where, rule="is required")
        elif item["type"] == "extra_forbidden":
            *within, key = item["loc"]
            table = _place(prefix, tuple(within)) if within else ".".join(prefix)
            where = ".".join(filter(None, (table, _key(str(key)))))
            issue = Issue(where=where, rule=_unknown_key(str(key), model if not within else None))
        else:
            issue = Issue(where=where, rule=_rule(item["type"], item["msg"], where), value=value)
        # a union reports one error per member: the key stands once, with all its rules
        if where in found:
            rule = f"{found[where].rule}, or {issue.rule.removeprefix('must be ')}"
            issue = Issue(where=where, rule=rule, value=issue.value)
        found[where] = issue
    return list(found.values())


def _place(prefix: tuple[str, ...], location: tuple[int | str, ...]) -> str:
    """Dotted key with array positions; names of union members are not the file's own."""
    place = ".".join(prefix)
    for part in location:
        if isinstance(part, int):
            place += f"[{part}]"
        elif re.fullmatch(r"[A-Za-z0-9_]+", part) and part not in {"int", "float", "str", "bool"}:
            place += f".{part}" if place else part
    return place or "the file"


def _key(text: str) -> str:
    """A key as one word of a sentence: any text may be one."""
    return text if re.fullmatch(r"[\w.-]{1,60}", text) else shown(text)


def _unknown_key(key: str, model: type[BaseModel] | None) -> str:
    close = difflib.get_close_matches(key, model.model_fields if model else (), n=1)
    return "unknown key" + (f"; did you mean {close[0]}?" if close else "")


def _rule(kind: str, message: str, where: str) -> str:
    if kind == "string_pattern_mismatch" and where == "name":
        signs = "'.', '_', '-', the first no sign"
        return f"must be a file name: at most 100 ASCII letters, digits, {signs}"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return "must be a table"
    if kind == "finite_number":
        return "must be finite"
    words = {
        "Input should be a valid integer": "must be a whole number",
        "Input should be a valid number": "must be a number",
        "Input should be a valid string": "must be a string",
        "Input should be a valid boolean": "must be true or false",
        "Input should be a valid tuple": "must be an array",
        "greater than or equal to": "at least",
        "less than or equal to": "at most",
        "greater than": "above",
        "less than": "below",
        "Input should be": "must be",
        "Tuple should have": "must have",
        " after validation": "",
        "Value error, ": "",
        "Field required": "is missing a value",
    }
    for old, new in words.items():
        message = message.replace(old, new)
    return message
