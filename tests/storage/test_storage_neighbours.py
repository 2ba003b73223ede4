"""A storage has many studies: what is done in one changes nothing of another."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import optuna
import pytest
from storage_stub import BEAT, Window, claimed, finish, outcomes, planned, work

from lamsearch.errors import LeaseLostError
from lamsearch.storage import Database, Leases, Wait, delete, read_study
from lamsearch.study import Study

Build = Callable[..., Study]


def rows(window: Window, study: str) -> list[str]:
    """Return every row that tells a study's name, of any table."""
    return [row for table in window.tables().values() for row in table if repr(study) in row]


@pytest.fixture
def neighbour(database: Database, small_study: Build) -> Leases:
    """Another study, planned first, one cohort of it held and one complete."""
    planned(database, small_study(name="other"), validation_images={"coarse": 100})
    leases = Leases(database, "other", owner="o", seconds=3600.0)
    finish(leases, claimed(leases))
    claimed(leases)
    return leases


@pytest.mark.usefixtures("neighbour")
def test_a_whole_study_leaves_its_neighbour_as_it_is(
    database: Database, window: Window, small_study: Build
) -> None:
    """From planning over the test to deletion no row of another study is changed, at work or not
    begun."""
    planned(database, small_study(name="untouched"))
    before, states = rows(window, "other") + rows(window, "untouched"), window.states()
    planned(database, small_study())
    leases = Leases(database, "small", owner="a", seconds=60.0)
    claim = claimed(leases)
    leases.renew(claim, BEAT)
    leases.report(claim, 1, [0.5] * len(claim.trials))
    leases.give_back(claim)
    work(leases)
    assert read_study(database, "small").done
    delete(database, "small")
    assert rows(window, "other") + rows(window, "untouched") == before
    assert window.states() == states


@pytest.mark.usefixtures("neighbour")
def test_who_waits_counts_the_cohorts_of_its_own_study(
    database: Database, small_study: Build
) -> None:
    """What is left of another study is nothing to wait for."""
    planned(database, small_study())
    first = Leases(database, "small", owner="a", seconds=60.0)
    leased = [claimed(first), claimed(first)]
    assert Leases(database, "small", owner="b", seconds=60.0).claim() == Wait(cohorts=len(leased))


def test_who_waited_makes_the_transition_once_the_others_are_done(
    database: Database, small_study: Build
) -> None:
    """A worker that waits while others hold a stage's last cohort goes on to the next stage when
    that is complete, though its last holder never asks again."""
    planned(database, small_study())
    one, other = (Leases(database, "small", owner=name, seconds=60.0) for name in "ab")
    finish(one, claimed(one))
    last = claimed(one)
    assert other.claim() == Wait(cohorts=1)
    one.complete(last, outcomes(last), BEAT, 1.0)
    assert claimed(other).stage == "fine"


def test_the_choice_is_that_of_the_study_asked_for(database: Database, small_study: Build) -> None:
    """With two studies in a storage each knows its own λ."""
    given = {"coarse": None, "fine": None, "finalists": None}
    for name, value in (("one", -2.5), ("two", -3.5)):
        final = {"replicates": 1, "log10_lambda": value}
        planned(database, small_study(name=name, final=final, **given))
    for name, value in (("one", -2.5), ("two", -3.5)):
        assert Leases(database, name, owner="a", seconds=60.0).chosen() == (value,)


def test_an_adaptive_sampler_is_seeded_by_study_stage_and_candidate(
    database: Database, small_study: Build
) -> None:
    """A candidate's λ is what Optuna's TPE draws from SeedSequence([seed, stage, candidate]) with
    the spawn key 3, so that it does not depend on who claims it."""
    study = small_study(coarse={"sampler": "tpe", "trials": 2}, fine=None, finalists=None)
    planned(database, study)
    claim = claimed(Leases(database, "small", owner="a", seconds=60.0))
    for leased in claim.trials:
        entropy = np.random.SeedSequence((study.seed, 0, leased.candidate), spawn_key=(3,))
        sampler = optuna.samplers.TPESampler(seed=int(entropy.generate_state(1)[0]))
        alone = optuna.create_study(sampler=sampler, direction="maximize").ask()
        assert leased.point[0] == alone.suggest_float("log10_lambda", -5.0, -1.0)


@pytest.mark.usefixtures("long_up")
def test_a_lost_lease_is_named(database: Database, small_study: Build, window: Window) -> None:
    """Whoever lost a cohort reads which one it was, by stage and number."""
    planned(database, small_study())
    late = Leases(database, "small", owner="a", seconds=60.0)
    claim = claimed(late)
    window.expire()
    claimed(Leases(database, "small", owner="b", seconds=60.0))
    with pytest.raises(LeaseLostError, match=r"^lease: coarse cohort 0 was given"):
        late.renew(claim, BEAT)
