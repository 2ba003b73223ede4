"""A page's commands as a reader types them, without the seconds that each start would take, nor
those of figures.

That they are found on the path, begin by themselves and draw, test_readme.py shows in an
environment of its own.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import forked


def environment(**added: str) -> dict[str, str]:
    """Return the environment without what somebody has set of lamsearch, and with what is added."""
    return {k: v for k, v in os.environ.items() if not k.startswith("LAMSEARCH_")} | added


def typed(lines: str, directory: Path, **added: str) -> str:
    """Call lamsearch as each line says, one after another; return what they print."""
    printed = ""
    for words in (shlex.split(line, comments=True) for line in lines.splitlines()):
        assert words[0] == "lamsearch", words
        done = forked.run(
            [*forked.COMMAND, *words[1:]], cwd=directory,
            env=environment(**forked.UNDRAWN, **added), capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        printed += done.stdout
    return printed
