"""The verb create: the older name of submit. Enters and leaves what that does."""

from lamsearch.cli.submit import submit as create

__all__ = ["create"]
