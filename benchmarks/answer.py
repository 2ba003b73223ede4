"""What the whole of cifar10.toml finds, for three seeds, and what the report's λ would have lost.

Enters: CIFAR-10. Leaves: for each seed λ, test accuracy over replicates, the ensemble's, the same
final at the source report's λ, and how long the search took.

    python -m benchmarks.answer [--quick] [--data-dir DIR]
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import runs
from benchmarks.common import Options, publish, read_options, table, verdict
from benchmarks.source_numbers import Estimate, paired
from lamsearch.report.settings import settings_toml
from lamsearch.study import parse_study, read_study

STUDY = runs.study_path("cifar10")
SEEDS = (400, 401, 402)
REPORTED = math.log10(1.4766e-4)  # the λ of the source report's best run
QUICK_STEP = 45
EACH, MEAN, ENSEMBLE, GAIN = 52.5, 52.8, 54.2, 1.0  # percent, percent, percent, points


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one seed's search ended at, and the same final at the source report's λ."""

    seed: int
    found: Mapping[str, Any]
    reported: Mapping[str, Any]
    seconds: float

    @property
    def log10_lambda(self) -> float:
        """The chosen log10 λ."""
        return float(self.found["selected"]["log10_lambda"])

    @property
    def test(self) -> float:
        """Mean test accuracy over replicates, in percent."""
        return 100 * float(self.found["final"]["test_accuracy"]["mean"])

    @property
    def ensemble(self) -> float:
        """Test accuracy of the replicates' ensemble, in percent."""
        return 100 * float(self.found["final"]["ensemble_test_accuracy"])

    @property
    def gain(self) -> Estimate:
        """Test accuracy above that of the same final at the source report's λ, in points."""
        ours, theirs = (
            [100 * accuracy for accuracy in one["final"]["accuracies"]]
            for one in (self.found, self.reported)
        )
        return paired(ours, theirs)


def main() -> None:
    """Run the searches and the finals, one after another, and publish them."""
    options = read_options(__doc__ or "")
    with tempfile.TemporaryDirectory(prefix="lamsearch-answer-") as directory:
        found = [answer(seed, Path(directory), options) for seed in SEEDS]
    publish("answer", text(found), options)


def answer(seed: int, directory: Path, options: Options) -> Answer:
    """Run the search of one seed as a user would, then its final at the source report's λ."""
    document = read_study(STUDY).canonical() | {"seed": seed}
    if options.quick:
        document["training"]["step_size"] = QUICK_STEP
    given = {key: document[key] for key in ("seed", "data", "network", "training")}
    given |= {"name": "reported", "cohort": document["cohort"]}
    given["final"] = document["final"] | {"log10_lambda": REPORTED}
    found, seconds = _run(document, directory / str(seed), options)
    reported, _ = _run(given, directory / f"{seed}-reported", options)
    return Answer(seed=seed, found=found, reported=reported, seconds=seconds)


def _run(
    document: Mapping[str, Any], directory: Path, options: Options
) -> tuple[dict[str, Any], float]:
    directory.mkdir()
    path = directory / "study.toml"
    path.write_text(settings_toml(parse_study(document).canonical()) + "\n", encoding="utf-8")
    cache = directory.parent / "cache"
    runs.warm(path, options, cache)
    _, seconds, found = runs.timed(runs.run_command(path, directory, options), cache)
    print(f"{directory.name}: {seconds:.0f} s", flush=True)
    return found, seconds


def text(found: Sequence[Answer]) -> str:
    """Return the section."""
    rows = [_row(one) for one in found]
    tests, gains = [one.test for one in found], [one.gain.mean for one in found]
    mean, least = sum(tests) / len(tests), min(one.ensemble for one in found)
    return "\n\n".join(
        [
            "`studies/cifar10.toml` with `seed` changed, by `lamsearch run`, one run each. Test "
            "accuracies are means of five replicates ± their standard deviation. The gain is over "
            "the same final (split, seeds, schedule) at the source report's λ = 1.4766e-4, paired "
            "over replicates, with Student's 95 % interval.",
            table(
                ["seed", "log10 λ", "test accuracy (%)", "ensemble (%)",
                 "at the report's λ (%)", "gain (points)", "trials", "minutes"],
                rows,
            ),
            f"Lowest mean {min(tests):.2f} % ({verdict(min(tests), '≥', EACH)}); mean of "
            f"{len(tests)} seeds {mean:.2f} % ({verdict(mean, '≥', MEAN)}); lowest ensemble "
            f"{least:.2f} % ({verdict(least, '≥', ENSEMBLE)}); smallest gain {min(gains):+.2f} "
            f"points ({verdict(min(gains), '≥', GAIN)}), mean gain "
            f"{sum(gains) / len(gains):+.2f} points.",
        ]
    )  # fmt: skip


def _row(one: Answer) -> list[str]:
    gain, final = one.gain, one.found["final"]["test_accuracy"]
    return [
        str(one.seed),
        f"{one.log10_lambda:.3f}",
        f"{one.test:.2f} ± {100 * final['sd']:.2f}",
        f"{one.ensemble:.2f}",
        f"{100 * one.reported['final']['test_accuracy']['mean']:.2f}",
        f"{gain.mean:+.2f} [{gain.low:+.2f}, {gain.high:+.2f}]",
        str(sum(stage["planned"] for stage in one.found["stages"])),
        f"{one.seconds / 60:.1f}",
    ]


if __name__ == "__main__":
    main()
