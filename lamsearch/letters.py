"""Plain letters for streams that cannot write ours: λ as lambda, ± as +/-.

Enters: text, an encoding. Leaves: text that the encoding has. A letter without plain ones is
written as its escape, which in JSON means that letter. Refuses to know what the text says.
"""

from __future__ import annotations

import codecs
import io
import re
import sys
import unicodedata
from typing import TextIO

from lamsearch.visible import is_obeyed, visible

_HANDLER = "lamsearch.plain"
_PLAIN_ASCII = "plain_ascii"
_WORDS = {
    "λ": "lambda", "Λ": "Lambda", "µ": "mu", "∂": "d", "Σ": "sum", "√": "sqrt", "∞": "inf",
    "±": "+/-", "×": "x", "·": "*", "−": "-", "–": "-", "—": "-", "…": "...", "→": "->",
    "←": "<-", "≤": "<=", "≥": ">=", "≈": "~", "≠": "!=", "²": "^2", "³": "^3", "‖": "||",
    "★": "*", "●": "@", "○": "o", "◆": "#", "•": "*", "«": '"', "»": '"', "“": '"', "”": '"',
    "„": '"', "‘": "'", "’": "'", "ß": "ss", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "ł": "l",
    "Ł": "L", "đ": "d", "Đ": "D", "œ": "oe", "Œ": "OE", "€": "EUR", "⌊": "[", "⌋": "]",
}  # fmt: skip
_GREEK = re.compile(r"GREEK (SMALL|CAPITAL) LETTER (?:FINAL )?([A-Z]+)")
_GAP = re.compile(r"(?<=\S)( {2,})")  # between columns, not between words


def speak_plainly(stream: TextIO | None) -> None:
    """Make a stream write plain letters where it has no others, whatever its encoding."""
    if not isinstance(stream, io.TextIOWrapper):
        return
    if codecs.lookup(stream.encoding).name == "ascii":
        # click takes a stream that says "ascii" for a issue, and writes UTF-8 to it
        stream.reconfigure(encoding=_PLAIN_ASCII)
    stream.reconfigure(errors=_HANDLER)


def print_text(text: str) -> None:
    """Print text in columns on standard output, in letters that it has, without moving them."""
    text = visible(text.rstrip("\n"), keep="\n")
    print(plain_columns(text, sys.stdout.encoding or "utf-8"), flush=True)


def print_json(text: str) -> None:
    """Print JSON text on standard output; it means the same in any encoding."""
    print(plain_json(text.rstrip("\n"), sys.stdout.encoding or "utf-8"), flush=True)


def plain(text: str, encoding: str) -> str:
    """Return the text as a stream of that encoding writes it."""
    return text.encode(encoding, _HANDLER).decode(encoding)


def plain_columns(text: str, encoding: str) -> str:
    """Return the text as `plain` does; what grows takes the room of the spaces before it."""
    return "".join(_line(line, encoding) for line in text.splitlines(keepends=True))


def plain_json(text: str, encoding: str) -> str:
    """Return JSON text that means the same and that the encoding has."""
    wide = encoding.lower().startswith("utf")
    if wide and text.replace("\n", "").isprintable():
        return text
    return "".join(one if one == "\n" or _stays(one, wide=wide) else _escape(one) for one in text)


def _stays(letter: str, *, wide: bool) -> bool:
    """Whether JSON text keeps a letter; JSON itself escapes only the first control characters."""
    return (wide or letter.isascii()) and not is_obeyed(letter)


def _line(line: str, encoding: str) -> str:
    """The line with each cell's growth taken from the gap before it, or else from the next one."""
    done, debt = "", 0
    cells = _GAP.split(line)
    for gap, cell in zip(["", *cells[1::2]], cells[::2], strict=True):
        said = plain(cell, encoding)
        debt += len(said) - len(cell)
        spared = max(0, min(debt, len(gap) - 1))
        debt -= spared
        done += gap[spared:] + said
    return done


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    return "".join(map(_plain_letter, letters)), error.end


def _plain_letter(letter: str) -> str:
    if letter.isascii() or letter in _WORDS:
        return _WORDS.get(letter, letter)
    name = unicodedata.name(letter, "")
    if found := _GREEK.match(name):
        return found[2].lower() if found[1] == "SMALL" else found[2].capitalize()
    if name.startswith("BOX DRAWINGS"):
        kind = name.rpartition(" ")[2]
        return {"HORIZONTAL": "-", "VERTICAL": "|"}.get(kind if name.count(" ") == 3 else "", "+")
    parts = [one for one in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(one)]
    simple = "".join(parts)
    return simple if simple.isascii() and simple else _escape(letter)


def _escape(letter: str) -> str:
    """A letter as JSON escapes it: two of them where it is beyond the first 65,536."""
    halves = letter.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{halves[at : at + 2].hex()}" for at in range(0, len(halves), 2))


def _plain_ascii(name: str) -> codecs.CodecInfo | None:
    """ASCII by another name."""
    if name != _PLAIN_ASCII:
        return None
    ascii_ = codecs.lookup("ascii")
    return codecs.CodecInfo(
        name=name, encode=ascii_.encode, decode=ascii_.decode,
        incrementalencoder=ascii_.incrementalencoder, incrementaldecoder=ascii_.incrementaldecoder,
        streamwriter=ascii_.streamwriter, streamreader=ascii_.streamreader,
    )  # fmt: skip


codecs.register(_plain_ascii)
codecs.register_error(_HANDLER, _replaced)
