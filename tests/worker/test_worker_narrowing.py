"""Fine with rounds and extensions, on real processes: the same answer for any number of workers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from optuna.distributions import FloatDistribution
from study_processes import CALM, Place, optuna_trials

# Of two candidates the best is always an outermost one, and none of coarse's four lies so near
# its bounds that fine could not go on past its edge.
NARROWED = """
name = "lives"
seed = 13
cohort = 2
[data]
source = "digits"
train = 400
validation = 200
test = 300
[network]
hidden = 16
[training]
batch_size = 20
step_size = 100
cycles = 2
[coarse]
trials = 4
log10_lambda = [-5.0, -1.0]
[fine]
trials = 2
keep = 1
rounds = 2
extend = true
sampler = "stratified"
[finalists]
keep = 2
replicates = 2
[final]
train = 450
validation = 150
replicates = 1
"""


def ended(place: Place, *, workers: int) -> dict[str, Any]:
    """Run the study to its end; return its answer, with exactly the planned trials behind it."""
    place.study_file.write_text(NARROWED, encoding="utf-8")
    run = place.run(workers=workers, timing=CALM)
    assert run.wait() == 0, run.said
    answer = place.answer()
    planned = {stage["name"]: stage["planned"] for stage in answer["stages"]}
    found = optuna_trials(place.url, "lives")
    assert {stage: Counter(t.state.name for t in trials) for stage, trials in found.items()} == {
        stage: {"COMPLETE": count} for stage, count in planned.items()
    }
    for trial in found["fine"]:
        bounds = trial.distributions["log10_lambda"]
        assert isinstance(bounds, FloatDistribution)
        assert bounds.low <= trial.params["log10_lambda"] <= bounds.high
    assert planned["fine"] > 4  # two rounds, and at least one extension
    return answer


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Return the study as one worker on SQLite ends it, and its answer."""
    directory = tmp_path_factory.mktemp("alone")
    place = Place(directory, f"sqlite:///{directory / 'studies.db'}")
    yield place, ended(place, workers=1)
    place.close()


def test_fine_goes_on_the_same_way_for_one_worker_and_for_three(
    place: Place, alone: tuple[Place, dict[str, Any]]
) -> None:
    """Extended and narrowed again, fine's trials and the study's answer are the same bits."""
    assert ended(place, workers=3) == alone[1]
    assert place.curves() == alone[0].curves()
