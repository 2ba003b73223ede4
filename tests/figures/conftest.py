"""The figures' tests draw the report's made-up records."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "report"))
