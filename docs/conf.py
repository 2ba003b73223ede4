"""The documentation site: what Sphinx is told. `nox -s docs` builds it into `site/`.

Nothing on the site is loaded from elsewhere: no fonts, no scripts, no analytics; its search is
local.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "tools")]

from lamsearch import __version__  # noqa: E402  # the extension is found first

project = "lamsearch"
author = "The lamsearch developers"
project_copyright = author
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "documentation",
]
source_suffix = {".md": "markdown"}
exclude_patterns = ["kubernetes"]
default_role = "py:obj"  # `name` in a docstring: a link where there is such an object

myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]

autodoc_preserve_defaults = True
# types that are long where they are written out
_LONG = ("npt.ArrayLike", "TrainFunction", "OwnFunction", "StudyLike")
autodoc_type_aliases = {name: name.removeprefix("npt.") for name in _LONG}
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80

html_theme = "furo"
html_title = "lamsearch"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
