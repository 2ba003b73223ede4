"""Settings as TOML. Enters: the study file's canonical form. Leaves: text that parses back to it.

Refuses to know what the keys mean.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def settings_toml(settings: Mapping[str, object]) -> str:
    """Return settings as TOML, tables last; `<` and `>` in strings are written as escapes."""
    lines = [_line(key, value) for key, value in settings.items() if _is_plain(value)]
    for key, table in settings.items():
        if isinstance(table, Mapping):
            lines += ["", f"[{_key(key)}]"]
            lines += [_line(inner, value) for inner, value in table.items() if value is not None]
    return "\n".join(lines).strip()


def _is_plain(value: object) -> bool:
    return value is not None and not isinstance(value, Mapping)


def _line(key: str, value: object) -> str:
    return f"{_key(key)} = {_value(value)}"


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _value(key)


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items() if v is not None)
        return f"{{{inner}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_value(item) for item in value)}]"
    if isinstance(value, float):
        return repr(value)
    text = json.dumps(value, ensure_ascii=False)
    # in TOML these escapes are the same characters; on a page they cannot open a tag
    return text.replace("<", "\\u003C").replace(">", "\\u003E").replace("\x7f", "\\u007F")
