"""What a browser and an HTTP client see: the queue, reports, an API, metrics, Optuna's dashboard.

Enters: a database, an address, who may do what. Leaves: pages and documents until somebody ends it.
Refuses to write what it shows: notes, figures and tables are made as they are asked for.
"""

from lamsearch.planning import Places
from lamsearch.web.credentials import PASSWORD_VARIABLE, Credentials, read_password, read_token
from lamsearch.web.serving import serve

__all__ = [
    "Credentials", "PASSWORD_VARIABLE", "Places", "read_password", "read_token", "serve",
]  # fmt: skip
