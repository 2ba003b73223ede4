"""The dashboard: Optuna's own web application on a study's storage, behind our door.

Enters: a database, an address, a mode. Leaves: pages until somebody ends it. Refuses to write
what it shows: notes, figures, figures and tables are made as they are asked for.
"""

from lamsearch.web.serving import PASSWORD_VARIABLE, serve

__all__ = ["PASSWORD_VARIABLE", "serve"]
