"""The first moments of the command line."""

from __future__ import annotations

import signal
import subprocess
import sys
import time


def test_ctrl_c_while_it_loads_is_one_sentence() -> None:
    """Ctrl-C at any moment of the start ends with 130 and no traceback."""
    for delay in (0.15, 0.4, 0.7):
        process = subprocess.Popen(
            [sys.executable, "-c", "print('up', flush=True)\n"
             "from lamsearch.__main__ import main\nmain()", "gradcheck"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(delay)  # moments inside the imports, which give no sign of their own
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=30)
        assert process.returncode in (130, 0)
        assert "Traceback" not in stderr
