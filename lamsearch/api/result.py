"""What came of a study, for Python code and notebooks.

Enters: a study's record and its models, or the result document of a report. Leaves: its answer as
typed values, trials as rows, the ensemble, a report. Refuses to compute: numbers are those of the
result document, words those of the report.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lamsearch import report as reporting
from lamsearch.api.ensemble import Ensemble, ensemble_of, final_models, load_models
from lamsearch.errors import InputError
from lamsearch.metrics import Metric, metric_of
from lamsearch.results import StudyRecord

if TYPE_CHECKING:
    from pandas import DataFrame

_COLUMNS = (
    "candidate", "replicate", "cohort", "state", "score", "validation_loss", "reason",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationScore:
    """The chosen candidate's validation score: higher is better.

    ``se`` is its standard error over ``n`` replicates (n = 1: over the draw of examples). Where it
    is ``predicted``, no model was trained at that very point, n is 0 and ``se`` is the standard
    deviation of the prediction.
    """

    mean: float
    se: float
    n: int
    predicted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TestScore:
    """The test score of the final: the mean over its ``n`` replicates, higher is better.

    ``interval95`` is for the score expected over seeds, on new examples; ``ensemble`` is the score
    of the mean of the replicates' predictions, ``scores`` are the replicates' own.
    """

    __test__ = False  # pytest would collect the name

    mean: float
    sd: float
    n: int
    interval95: tuple[float, float]
    ensemble: float
    scores: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class Result:
    """What came of a study.

    Args:
        document: the result document, as ``results.json`` has it.
        record: the study's record, None where only the document is at hand.
        files: the final's models as files' contents, by file name.
        directory: the report that the document stands in, None where it stands in none.

    Example:
        >>> import lamsearch  # doctest: +SKIP
        >>> result = lamsearch.run("studies/digits.toml")
        >>> result.best_lambda, result.test.interval95
        (0.00213, (0.962, 0.979))
    """

    document: Mapping[str, Any]
    record: StudyRecord | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    directory: Path | None = None

    @property
    def name(self) -> str:
        """The study's name."""
        return str(self.document["study"])

    @property
    def state(self) -> str:
        """How far the study is: ``done``, ``running``, ``failed`` …."""
        return str(self.document["state"])

    @property
    def metric(self) -> Metric:
        """What candidates were compared by."""
        return metric_of(self.document["metric"])

    @property
    def best_params(self) -> dict[str, Any]:
        """The chosen point by parameter: ``lambda`` and what else was searched.

        Raises:
            InputError: Nothing is chosen yet.
        """
        selected = self._selected()
        others = {k: v for k, v in selected["params"].items() if k != "log10_lambda"}
        return {"lambda": float(selected["lambda"]), **others}

    @property
    def best_lambda(self) -> float:
        """The chosen λ.

        Raises:
            InputError: Nothing is chosen yet.
        """
        return float(self._selected()["lambda"])

    @property
    def best_log10_lambda(self) -> float:
        """log10 of the chosen λ, to the last bit.

        Raises:
            InputError: Nothing is chosen yet.
        """
        return float(self._selected()["log10_lambda"])

    @property
    def rule(self) -> str:
        """By which rule it was chosen, in words.

        Raises:
            InputError: Nothing is chosen yet.
        """
        return str(self._selected()["rule"])

    @property
    def score(self) -> ValidationScore | None:
        """The chosen point's validation score; None where the point was given, or none is yet."""
        selected = self.document["selected"]
        found = None if selected is None else selected["score"]
        if found is None or found["mean"] is None:
            return None
        return ValidationScore(
            mean=found["mean"], se=found["se"] or 0.0, n=found["n"],
            predicted=found["kind"] == "predicted",
        )  # fmt: skip

    @property
    def indistinguishable(self) -> tuple[float, ...]:
        """The λs of the deciding stage that cannot be distinguished from the chosen one, at 95 %.

        By paired differences over replicates and validation examples. Where a model chose a λ
        between those tried, the nearest tried one stands for it, and is among them.
        """
        found = self.document["uncertainty"]
        close = [one for one in found["differences"] if not one["distinguishable"]]
        near = [] if found["compared"] is None else [found["compared"]]
        chosen = self.document["selected"]
        exact = chosen is not None and chosen["log10_lambda"] in near
        logs = [one["log10_lambda"] for one in close] + ([] if exact else near)
        return tuple(sorted(10.0**one for one in set(logs)))

    @property
    def test(self) -> TestScore | None:
        """The final's test score; None where there is no final, or it is not over."""
        final = self.document["final"]
        if final is None:
            return None
        found = final["test_score"]
        low, high = found["interval95"]
        return TestScore(
            mean=found["mean"], sd=found["sd"], n=found["n"], interval95=(low, high),
            ensemble=final["ensemble_test_score"], scores=tuple(final["scores"]),
        )  # fmt: skip

    @property
    def trials(self) -> list[dict[str, Any]]:
        """A row for each planned trial: stage, parameters, state, score."""
        return [
            {"stage": stage["name"], **_row(trial)}
            for stage in self.document["stages"]
            for trial in stage["trials"]
        ]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader must know before believing the answer, a sentence each."""
        return tuple(self.document["warnings"])

    @property
    def models(self) -> Ensemble:
        """The final's models together.

        Raises:
            InputError: There are none: the study has no final, or it is not over.
        """
        if self.record is None and self.directory is not None:
            return load_models(self.directory)
        where = f"study {self.name}"
        return ensemble_of({one: self.files[one] for one in final_models(self.files)}, where=where)

    def to_frame(self) -> DataFrame:
        """Return `trials` as a pandas DataFrame.

        Raises:
            ImportError: pandas is not installed.
        """
        return frame(self.trials)

    def report(self, directory: str | Path) -> Path:
        """Write the study's report into a directory; return it.

        Raises:
            OutputError: The directory holds what lamsearch did not write.
            InputError: The result was read from a report, which is there already.
        """
        if self.record is None:
            raise InputError(f"report: must be of a study, got what {self.directory} says of one")
        reporting.write(self.record, Path(directory), self.files)
        return Path(directory)

    def __repr__(self) -> str:
        """Say the answer on one line."""
        parts = [f"study={self.name!r}", f"state={self.state!r}"]
        if self.document["selected"] is not None:
            parts += [f"{name}={_short(value)}" for name, value in self.best_params.items()]
        if self.score is not None:
            parts.append(f"validation={self.metric.words(self.score.mean, self.score.se)!r}")
        if self.test is not None:
            parts.append(f"test={self.metric.words(self.test.mean)!r}")
        return f"Result({', '.join(parts)})"

    def _repr_html_(self) -> str:
        """Return the answer, its interval and the figure, for a notebook."""
        from lamsearch.api.notebook import html  # matplotlib and jinja2, for notebooks alone

        return html(self)

    def _selected(self) -> Mapping[str, Any]:
        selected: Mapping[str, Any] | None = self.document["selected"]
        if selected is None:
            failure = self.document["failure"]
            why = f"the study failed: {failure}" if failure else f"the study is {self.state}"
            raise InputError(f"study {self.name}: nothing is chosen: {why}")
        return selected


def result_of(record: StudyRecord, files: Mapping[str, bytes] | None = None) -> Result:
    """Return the result of a study's record."""
    return Result(document=reporting.document(record), record=record, files=files or {})


def frame(rows: list[dict[str, Any]]) -> DataFrame:
    """Return rows as a pandas DataFrame.

    Raises:
        ImportError: pandas is not installed.
    """
    try:
        import pandas as pd  # whoever wants a DataFrame has it
    except ImportError as error:
        raise ImportError("a DataFrame needs pandas: pip install pandas") from error
    return pd.DataFrame(rows)


def _row(trial: Mapping[str, Any]) -> dict[str, Any]:
    """A trial's row: its parameters by their names, λ as such."""
    log = trial["log10_lambda"]
    others = {k: v for k, v in (trial["params"] or {}).items() if k != "log10_lambda"}
    rest = {key: trial.get(key) for key in _COLUMNS}
    return {"lambda": None if log is None else 10.0**log, "log10_lambda": log, **others, **rest}


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else repr(value)
