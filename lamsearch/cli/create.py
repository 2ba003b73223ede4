"""The verb create: the older name of submit. Enters and leaves what that does."""

from __future__ import annotations

from lamsearch.cli.older_names import older_name
from lamsearch.cli.submit import submit

create = older_name(submit, "create")
