"""What people and programs read of a study. Enters: its record. Leaves: JSON, CSV, pages, files.

Refuses to know where records come from and to decide anything: it says what the record says.
"""

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
