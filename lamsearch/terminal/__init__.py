"""What a terminal shows of a study at work. All that knows rich.

Enters: a study's status, lines worth telling. Leaves: text on a console: a live screen on a
terminal, plain lines elsewhere. Reads and decides nothing.
"""

from lamsearch.letters import print_json, print_text, speak_plainly
from lamsearch.terminal.layout import Layout
from lamsearch.terminal.live import Screen, print_queue, print_status
from lamsearch.terminal.plot import plot
from lamsearch.terminal.tables import Transfer, print_table

__all__ = [
    "Layout", "Screen", "Transfer", "plot", "print_json", "print_queue", "print_status",
    "print_table", "print_text", "speak_plainly",
]  # fmt: skip
