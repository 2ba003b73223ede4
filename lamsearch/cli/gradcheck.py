"""The verb gradcheck: analytic against numerical gradients.

Enters: a study file, or nothing. Leaves: a table, and exit code 1 where a gradient is past its
tolerance.
"""

from __future__ import annotations

from pathlib import Path

import click

from lamsearch.cli import options
from lamsearch.cli.echo import echo
from lamsearch.errors import InputError, LamsearchError
from lamsearch.study import Study, read_study
from lamsearch.terminal import print_table


@click.command()
@click.argument("study_file", metavar="[STUDY.toml]", type=options.STUDY_FILE, required=False)
def gradcheck(study_file: Path | None) -> None:
    """Compare analytic with numerical gradients; exit 1 past the tolerance.

    With STUDY.toml of its network, with as many layers, reduced to few units; else of one hidden
    layer. Every parameter array of the very update that training takes, in float64, against central
    differences and against the complex step. Printed is max|a − n| / max|a|, the worst of all
    seeds; entries whose step crosses a ReLU kink are counted and left out.
    """
    from lamsearch.diagnostics import comparisons
    from lamsearch.diagnostics import gradcheck as probe

    if study_file is None:
        found = probe.check()
    else:
        study = _study(study_file)
        weighted = study.data.weight is not None
        found = probe.check_network(study.network, study.training, study.task, weighted=weighted)
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
        f"tolerances: central differences {comparisons.CENTRAL_TOLERANCE:g}, "
        f"complex step {comparisons.ORACLE_TOLERANCE:g}"
    )
    if not found.passed:
        raise LamsearchError("gradcheck: a gradient is past its tolerance")


def _study(study_file: Path) -> Study:
    study = read_study(study_file)
    if not study.uses_network:
        rule = "trainer.name: must be 'network', whose gradients are known"
        raise InputError(f"{study_file}: {rule}, got {study.trainer.name!r}")
    return study
