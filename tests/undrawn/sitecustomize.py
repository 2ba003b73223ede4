"""As where matplotlib is not installed, for who has this directory in PYTHONPATH: to draw figures
is most of what a small study's run takes."""

import sys

sys.modules["matplotlib"] = None  # type: ignore[assignment]
