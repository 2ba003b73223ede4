"""SciPy's special functions without the rest of `scipy.special`, which takes a seventh of a second
to load, most of it other array libraries' names.

Enters: nothing. Leaves: what has the functions of `scipy.special` by their names: the very same
objects. Where SciPy keeps them elsewhere, or other threads might look for the package meanwhile, it
is that package itself.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
from functools import cache
from typing import Any

_PACKAGE, _EXTENSION = "scipy.special", "scipy.special._ufuncs"


@cache
def special() -> Any:
    """Return what has the functions."""
    alone = threading.active_count() == 1 and _PACKAGE not in sys.modules
    found = _alone() if alone else None
    return importlib.import_module(_PACKAGE) if found is None else found


def _alone() -> Any:
    """The extension that has them, with the modules that it needs; None where it is not there.

    While it is loaded an empty package stands for the whole one.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None:
        return None
    sys.modules[_PACKAGE] = importlib.util.module_from_spec(spec)
    try:
        return importlib.import_module(_EXTENSION)
    except ImportError:
        return None
    finally:  # whoever imports the package finds its modules as SciPy does
        for name in [one for one in sys.modules if one.startswith(_PACKAGE)]:
            del sys.modules[name]
