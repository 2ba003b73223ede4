"""The reference pages that are made from the code: the study file's keys, the command line.

Enters: the JSON Schema of a study file, click's commands. Leaves: MyST Markdown, in which each key
and each option is a target of its own. Refuses to know Sphinx and where the text is shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from inspect import cleandoc
from typing import Any

import click

from lamsearch.cli import cli
from lamsearch.study import json_schema
from lamsearch.trainers import kind_named

_MOST = 2**31 - 1
_STAGES = ("coarse", "fine", "finalists", "final")
_SIGNS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
_SPECIAL = re.compile(r"([\\*_`<>\[\]$])")

Schema = dict[str, Any]


def study_keys() -> str:
    """Return the reference of the study file's keys."""
    schema = json_schema()
    tables = {"": schema} | dict(_tables(schema))
    parts = []
    for name, table in tables.items():
        parts.append(f"## {f'`[{name}]`' if name else 'Top level'}\n")
        shared = _shared(name, table, schema)
        own = {k: v for k, v in table["properties"].items() if k not in (*tables, *shared)}
        parts += [_key(name, key, value, table) for key, value in own.items()]
        if shared:
            listed = ", ".join(f"{{confval}}`{key} <training.{key}>`" for key in shared)
            parts.append(f"This stage may have its own values of `[training]`: {listed}.\n")
        parts += _trainer_options() if name == "trainer" else []
    return "\n".join(parts)


def command_line() -> str:
    """Return the reference of all verbs and their options."""
    context = click.Context(cli, info_name="lamsearch", **cli.context_settings)
    return "\n".join(_command(cli, context, "##"))


def _tables(schema: Schema) -> Iterator[tuple[str, Schema]]:
    """Yield the tables of a study file; [coarse.space] has one entry's keys."""
    for key, value in schema["properties"].items():
        for one in (value, *value.get("anyOf", ())):
            if "$ref" in one:
                yield key, schema["$defs"][one["$ref"].rpartition("/")[2]]
        if key == "coarse":
            yield "coarse.space", schema["$defs"]["Axis"]


def _trainer_options() -> list[str]:
    """Entries of the options that the trainer `sklearn` has beside its name."""
    model = kind_named("sklearn").options.model_json_schema()
    return [_key("trainer", key, value, model) for key, value in model["properties"].items()]


def _shared(name: str, table: Schema, schema: Schema) -> list[str]:
    """The keys of [training] that a stage may have."""
    training = schema["$defs"]["Training"]["properties"] if name in _STAGES else ()
    return [key for key in table["properties"] if key in training]


def _key(table_name: str, key: str, value: Schema, table: Schema) -> str:
    """The entry of one key."""
    name = ".".join(filter(None, (table_name, key)))
    default = "required" if key in table.get("required", ()) else _default(value.get("default"))
    facts = "; ".join(filter(None, (words(value), default)))
    said = [_sentence(part) for part in (facts, value.get("description")) if part]
    return f":::{{confval}} {name}\n{' '.join(said)}\n:::\n"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _default(value: Any) -> str:
    if value is None or value == {}:
        return ""
    if isinstance(value, bool):
        return f"default `{str(value).lower()}`"
    return f'default `"{value}"`' if isinstance(value, str) else f"default `{value}`"


def words(value: Schema) -> str:
    """Return what a key's value must be."""
    if "anyOf" in value:
        kinds = [words(one) for one in value["anyOf"] if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "enum" in value:
        return " or ".join(f'`"{one}"`' for one in value["enum"])
    match value.get("type"):
        case "boolean":
            return "`true` or `false`"
        case "integer":
            return "whole number" + _bounds(value)
        case "number":
            return "number" + _bounds(value)
        case "string":
            return "text"
        case "array" if "prefixItems" in value:
            return f"`[low, high]`, each a {words(value['prefixItems'][0])}"
        case "array":
            return f"list, each a {words(value.get('items', {}))}"
        case "object":
            return "table"
    return ""


def _bounds(value: Schema) -> str:
    known = {sign: value.get(key, _MOST) for key, sign in _SIGNS.items()}
    found = [f"{sign} {limit:g}" for sign, limit in known.items() if limit < _MOST]
    return " " + " and ".join(found) if found else ""


def _command(command: click.Command, context: click.Context, heading: str) -> Iterator[str]:
    """Yield the section of a command, then those of its verbs."""
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"{heading} `{context.command_path}`\n"
    yield f"```text\n{context.command_path} {usage}\n```\n"
    yield from map(_paragraph, cleandoc(command.help or "").split("\n\n"))
    yield f"```{{program}} {context.command_path}\n```\n"
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record and record[1] and (parameter.name != "help" or context.parent is None):
            yield f":::{{option}} {record[0]}\n{_escaped(record[1])}\n:::\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            verb = command.get_command(context, name)
            if verb is not None and not verb.hidden:
                within = click.Context(verb, parent=context, info_name=name)
                yield from _command(
                    verb, within, heading if context.parent is None else heading + "#"
                )


def _paragraph(text: str) -> str:
    """A paragraph of a help text; one after \\b keeps its lines, as an example does."""
    if not text.startswith("\b"):
        return _escaped(text) + "\n"
    lines = text.splitlines()[1:]
    words_before = [line for line in lines if not line.startswith(" ")]
    code = [line for line in lines if line.startswith(" ")]
    return f"{_escaped(' '.join(words_before))}\n\n```sh\n{cleandoc(chr(10).join(code))}\n```\n"


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)
