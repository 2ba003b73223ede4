"""What people and programs read of a study. Enters: its record. Leaves: JSON, CSV, pages, files.

Refuses to know where records come from and to decide anything: it says what the record says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lamsearch.lazily import parts_of

if TYPE_CHECKING:
    from lamsearch.report.directory import check_output
    from lamsearch.report.html_page import page
    from lamsearch.report.markdown_page import markdown
    from lamsearch.report.result import document, to_json, trials_csv
    from lamsearch.report.terminal import summary
    from lamsearch.report.writing import prepare, write

__all__ = [
    "document", "to_json", "trials_csv", "markdown", "page", "summary", "check_output", "prepare",
    "write",
]  # fmt: skip
# Loaded when they are wanted: who only asks how far a study is loads no page and no figure.
_MODULES = {
    "check_output": "directory", "document": "result", "markdown": "markdown_page",
    "page": "html_page", "prepare": "writing", "summary": "terminal", "to_json": "result",
    "trials_csv": "result", "write": "writing",
}  # fmt: skip
__getattr__ = parts_of(__name__, _MODULES)
