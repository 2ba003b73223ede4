"""All of Optuna's dashboard that is not public: what is relied on, and why, in one place.

Enters: a storage and an artifact store as the dashboard wants them. Leaves: its application, and
the names of the attributes that it reads. What it changes of them is said by
tests/storage/test_storage_dashboard_bridge.py, thing by thing.
"""

from __future__ import annotations

import logging
from typing import Any
from wsgiref.types import WSGIApplication

from optuna.storages import BaseStorage

# Attributes that the dashboard shows. Its functions that set them, such as `save_note`, write to
# the database; ours are made when somebody looks, and stand nowhere.
NOTES = "dashboard:note_"
NOTE, NOTE_VERSION = f"{NOTES}str:0", f"{NOTES}ver"  # the text in pieces, of which ours is one
FIGURES = "dashboard:plot_data:"
ARTIFACTS = "artifacts:"
METRICS = "study:metric_names"  # Optuna's own, which `Study.set_metric_names` writes
# What it logs of requests that failed: a whole traceback, which its terminal is spared.
_LOGGERS = ("optuna_dashboard._bottle_util", "optuna_dashboard._app")


def figure_key(name: str) -> str:
    """Return the attribute of a Plotly figure of that HTML id, in one piece."""
    return f"{FIGURES}{name}:0"


def application(storage: BaseStorage, artifacts: Any, heard: logging.Filter) -> WSGIApplication:
    """Return the dashboard's application; it lets exceptions through, and logs by the filter.

    Its public function returns a Bottle application, whose `catchall` says who answers to
    exceptions.
    """
    import optuna_dashboard

    made: Any = optuna_dashboard.wsgi(storage, artifacts)
    made.catchall = False
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(heard)
    return made  # type: ignore[no-any-return]  # it ships no types
