"""The way in: ``python -m lamsearch`` and the ``lamsearch`` command."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from lamsearch.cli import cli

    cli(prog_name="lamsearch")


if __name__ == "__main__":
    main()
