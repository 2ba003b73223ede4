"""The verb that tries learning rates: lr-range."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import click
import numpy as np

from lamsearch import data as datasets
from lamsearch.cli import options
from lamsearch.cli.echo import echo
from lamsearch.data import TrainingData
from lamsearch.errors import FilesError, InputError
from lamsearch.local_files import write_whole
from lamsearch.metrics import DEFAULT_METRIC
from lamsearch.report import check_output
from lamsearch.results import FloatArray, RateRamp, RateRange
from lamsearch.space import LAMBDA, SPACE
from lamsearch.study import Study, read_study
from lamsearch.terminal import print_json, print_table

_ROWS = 20
_HIGHEST_RATE = 1e10  # as in a study file


def _rate(context: click.Context, option: click.Parameter, value: float) -> float:
    """Refuse rates that float32 does not hold, or nearly so."""
    if options.finite(context, option, value) > _HIGHEST_RATE:
        raise click.BadParameter(f"must be at most {_HIGHEST_RATE:g}, got {value:g}")
    return value


@click.command("lr-range")
@click.argument("study_file", metavar="STUDY.toml", type=options.STUDY_FILE)
@click.option(
    "--from", "low", type=click.FloatRange(min=0, min_open=True), callback=_rate,
    default=1e-5, show_default=True, help="Learning rate that the ramp starts at.",
)  # fmt: skip
@click.option(
    "--to", "high", type=click.FloatRange(min=0, min_open=True), callback=_rate,
    default=1.0, show_default=True, help="Learning rate that it ends at.",
)  # fmt: skip
@click.option(
    "--epochs", type=click.IntRange(min=1, max=100_000),
    help="Length of the ramp; else 8, or as many as hold 1,000 updates.",
)  # fmt: skip
@click.option(
    "--replicates", type=click.IntRange(min=1, max=100), default=4, show_default=True,
    help="Models with seeds of their own.",
)  # fmt: skip
@click.option(
    "--log10-lambda", "at", type=click.FloatRange(min=-30, max=10),
    help="log10 λ; else the final's, else the middle of the interval searched.",
)  # fmt: skip
@options.data_dir
@options.output
@options.json_document
def lr_range(
    study_file: Path,
    low: float,
    high: float,
    epochs: int | None,
    replicates: int,
    at: float | None,
    data_dir: Path | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Raise the learning rate linearly and suggest eta_min and eta_max (Smith's range test).

    The study's network, split and batch size; the test set is not read. With --json and no
    --output nothing is written but the document to standard output.

    \b
    Example:
      lamsearch lr-range studies/digits.toml --to 10
    """
    if not low < high:
        raise click.UsageError(f"--from must be below --to, got {low:g} and {high:g}")
    if at is not None and math.isnan(at):
        raise click.UsageError("--log10-lambda must be a number, got nan")
    study = read_study(study_file)
    if not study.uses_network:
        raise InputError(
            f"lr-range: needs the built-in network, got trainer {study.trainer.name!r}"
        )
    if output is None and not as_json:
        output = Path("lamsearch-report") / study.name
    if output is not None:
        check_output(output)
    found = datasets.load(
        study,
        options.data_directory(data_dir),
        origin=study_file.resolve().parent,
        cache=options.cache_directory(),
    )
    document, ramp, suggested = _measured(
        found.study, found, low, high, epochs, replicates, at
    )  # fmt: skip
    text = json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    if output is not None:
        _write(output, text, _pictures(ramp, suggested, study.name, document[LAMBDA.name]))
    if as_json:
        print_json(text)
    else:
        _show(document, ramp, suggested)


def _measured(
    study: Study,
    found: TrainingData,
    low: float,
    high: float,
    epochs: int | None,
    replicates: int,
    at: float | None,
) -> tuple[dict[str, Any], RateRamp, RateRange]:
    """Run the ramp and ask the rule; the document says all that both follow from."""
    from lamsearch.diagnostics import rate_ramp
    from lamsearch.diagnostics.rate_range import suggest

    stage = rate_ramp.stage_of(study)
    splits, batch_size = found.split(stage), study.settings_of(stage).training.batch_size
    lam = rate_ramp.point_of(study)[0] if at is None else at
    length = epochs or rate_ramp.epochs_of(len(splits.train_y) // batch_size)
    ramp = rate_ramp.run_ramp(
        splits,
        study,
        classes=len(found.classes),
        point=(lam,),
        low=low,
        high=high,
        epochs=length,
        replicates=replicates,
        say=lambda line: echo(f"lr-range: {line}", err=True),
    )
    suggested = suggest(ramp)
    document = {
        "study": study.name,
        "seed": study.seed,
        "fingerprint": {"study": study.fingerprint, "data": found.fingerprint},
        LAMBDA.name: lam,
        "batch_size": batch_size,
        "from": low,
        "to": high,
        "epochs": length,
        "replicates": replicates,
        "untrained": {"loss": ramp.untrained_loss, **_scored(ramp, "", ramp.untrained_score)},
        "points": _points(ramp),
        "suggested": {
            "eta_min": suggested.eta_min,
            "eta_max": suggested.eta_max,
            "why": suggested.why,
            "diverged_at": suggested.diverged_at,
            "notes": list(suggested.notes),
        },
    }
    return document, ramp, suggested


def _points(ramp: RateRamp) -> list[dict[str, Any]]:
    return [
        {
            "updates": int(ramp.updates[place]),
            "learning_rate": float(ramp.learning_rate[place]),
            "training_loss": _plain(ramp.training_loss[:, place]),
            "validation_loss": _plain(ramp.validation_loss[:, place]),
            **_scored(ramp, "validation_", _plain(ramp.validation_score[:, place])),
        }
        for place in range(len(ramp.updates))
    ]


def _scored(ramp: RateRamp, split: str, score: object) -> dict[str, object]:
    """A score under the name of its metric; that of classes is null where there are none."""
    found: dict[str, object] = {f"{split}{DEFAULT_METRIC.name}": None}
    return {**found, f"{split}{ramp.metric.name}": score}


def _plain(values: FloatArray) -> list[float | None]:
    """The replicates' values; null for one that has diverged."""
    return [float(value) if math.isfinite(value) else None for value in values]


def _pictures(ramp: RateRamp, suggested: RateRange, name: str, lam: float) -> dict[str, bytes]:
    from lamsearch.figures import rate_range, render
    from lamsearch.figures.undrawn import undrawn

    if (why := undrawn()) is not None:
        echo(why, err=True)
        return {}
    at = SPACE.words((lam,), ".3g")
    figure = rate_range(ramp, suggested, name=name, at=at)
    drawn = {}
    for form in ("png", "svg"):
        buffer = io.BytesIO()
        render(figure, buffer, "png" if form == "png" else "svg")
        drawn[f"figures/lr_range.{form}"] = buffer.getvalue()
    return drawn


def _write(output: Path, text: str, figures: dict[str, bytes]) -> None:
    for name, content in (*figures.items(), ("lr_range.json", text.encode())):
        path = output / name
        try:
            write_whole(path, content)
        except OSError as error:
            raise FilesError(f"{path}: cannot be written: {error.strerror or error}") from error
    if figures:
        echo(f"figures: {output / 'figures'}", err=True)


def _show(document: dict[str, Any], ramp: RateRamp, suggested: RateRange) -> None:
    count = max(1, int(np.isfinite(ramp.training_loss).all(axis=0).sum()))  # while all train
    every = -(-count // _ROWS)
    rows = [_row(ramp, place) for place in range(every - 1, count, every)]
    header = [
        "rate",
        "updates",
        "training loss",
        "validation loss",
        f"{ramp.metric.title}{ramp.metric.unit}",
        "sd",
    ]
    title = (
        f"{document['study']}: {_count(document['replicates'], 'model')},"
        f" log10 λ {document[LAMBDA.name]:g}, mini-batches of {document['batch_size']},"
        f" rate {ramp.low:g} to {ramp.high:g}"
        f" in {_count(document['epochs'], 'epoch')}"
    )
    print_table(header, rows, title=title)
    for line in _sentences(suggested):
        echo(line)


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _row(ramp: RateRamp, place: int) -> list[str]:
    metric = ramp.metric
    score = metric.number(1.0) * ramp.validation_score[:, place]
    spread = float(np.std(score, ddof=1)) if len(score) > 1 else math.nan
    cells = [
        (float(ramp.training_loss[:, place].mean()), ".4g"),
        (float(ramp.validation_loss[:, place].mean()), ".4g"),
        (float(score.mean()), f".{metric.digits}f"),
        (spread, f".{metric.digits}f"),
    ]
    rate, updates = f"{ramp.learning_rate[place]:.4g}", str(ramp.updates[place])
    return [rate, updates, *(f"{x:{form}}" if math.isfinite(x) else "–" for x, form in cells)]


def _sentences(suggested: RateRange) -> list[str]:
    lines = []
    if suggested.eta_min is not None and suggested.eta_max is not None:
        lines.append(f"suggested eta_min = {suggested.eta_min:.3g}")
        lines.append(f"suggested eta_max = {suggested.eta_max:.3g} ({suggested.why})")
    else:
        lines.append("no suggestion")
    if suggested.diverged_at is not None:
        lines.append(f"the first model diverged at rate {suggested.diverged_at:.3g}")
    return lines + [f"note: {note}" for note in suggested.notes]
