"""Searches where the truth is known, in short: what `benchmarks.known_truth` measures."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.known_truth import (
    BY_ACCURACY,
    INTERVAL,
    RECOMMENDED,
    WAYS,
    generate,
    held,
    study,
    truth,
    warned,
)
from lamsearch import data
from lamsearch.api.in_memory import searched

GRID = np.linspace(*INTERVAL, 10)


def test_the_recommended_search_of_few_examples_finds_a_lambda_that_is_truly_good() -> None:
    """On average over two worlds it loses less than a third of what the least λ loses."""
    lost = []
    for seed in range(2):
        world = generate(seed, fresh=3000)
        found = study(held(world), seed, [], WAYS[RECOMMENDED])
        true = truth(world, GRID, found, 2)
        selected = searched(found, data.load(found, Path())).selected
        assert selected is not None
        chosen = selected.point[0]
        lost.append((true.max() - np.interp(chosen, GRID, true), true.max() - true[0]))
    ours, least = np.mean(lost, axis=0)
    assert least > 0.03  # λ matters
    assert ours < least / 3


def test_a_search_of_random_labels_says_that_nothing_was_learned() -> None:
    """The report warns that no candidate is better than the most frequent class."""
    assert warned("linear", 1, BY_ACCURACY)


def test_the_labels_of_a_world_follow_its_rule_but_for_those_that_are_turned_over() -> None:
    """At 15 % turned over the best accuracy is 85 %: fresh labels agree so far with a rule."""
    world, clean = generate(3, fresh=4000), generate(3, turned=0.0, fresh=4000)
    assert np.array_equal(world.x, clean.x)
    agreement = float((world.fresh_y == clean.fresh_y).mean())
    assert abs(agreement - 0.85) < 0.02
