"""The verb create: the older name of submit. Enters and leaves what that does."""

from __future__ import annotations

from copy import copy

from lamsearch.cli.submit import submit

create = copy(submit)
create.name = "create"
create.help = (submit.help or "").replace("lamsearch submit", "lamsearch create")
create.short_help = "The older name of submit."
