"""The verb gradcheck: analytic against numerical gradients.

Enters: nothing. Leaves: a table, and exit code 1 where a gradient is past its tolerance.
"""

from __future__ import annotations

import click

from lamsearch.cli.echo import echo
from lamsearch.errors import LamsearchError
from lamsearch.terminal import print_table


@click.command()
def gradcheck() -> None:
    """Compare analytic with numerical gradients; exit 1 past the tolerance.

    Every parameter array of the very update that training takes, in float64, against central
    differences and against the complex step. Printed is max|a − n| / max|a|, the worst of all
    seeds; entries whose step crosses a ReLU kink are counted and left out.
    """
    from lamsearch.diagnostics import gradcheck as probe

    found = probe.check()
    rows = [
        [
            row.array, f"{row.lam:g}", str(row.batch_size), f"{row.central_error:.1e}",
            f"{row.oracle_error:.1e}", str(row.entries), str(row.kinks),
            "ok" if row.passed else "FAILED",
        ]
        for row in found.rows()
    ]  # fmt: skip
    print_table(["array", "λ", "batch", "central", "complex", "entries", "kinks", ""], rows)
    echo(
        f"tolerances: central differences {probe.CENTRAL_TOLERANCE:g}, "
        f"complex step {probe.ORACLE_TOLERANCE:g}"
    )
    if not found.passed:
        raise LamsearchError("gradcheck: a gradient is past its tolerance")
