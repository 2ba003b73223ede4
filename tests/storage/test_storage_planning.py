from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import optuna
import pytest
import sqlalchemy as sa
from optuna.storages import RDBStorage
from storage_stub import (
    Window,
    claimed,
    death_at,
    failed,
    finish,
    flat,
    outcomes,
    planned,
    trained,
    work,
)

from lamsearch.errors import InputError, StudyStateError
from lamsearch.results import TrialState
from lamsearch.search import plan_search
from lamsearch.storage import (
    Claim,
    Database,
    Leases,
    advance,
    create,
    delete,
    load,
    names,
    read_status,
    read_study,
)
from lamsearch.study import Study

Build = Callable[..., Study]


def worker(database: Database, owner: str = "a", name: str = "small", **changes: Any) -> Leases:
    """Return a worker's door to a study."""
    return Leases(database, name, owner=owner, **{"seconds": 60.0, **changes})


def test_create_plans_exactly_the_first_stage(
    database: Database, window: Window, small_study: Build
) -> None:
    """A study is planned as its first stage's trials, waiting, each with its λ and its place."""
    study = small_study()
    stored = planned(database, study)
    assert stored.study == study
    assert len(stored.id) == 32
    assert window.states() == {"small/coarse": {"WAITING": 5}}
    found = window.trials()["small/coarse"]
    expected = [
        (trial.candidate, trial.replicate, cohort.number, trial.point[0])
        for cohort in plan_search(study, "coarse").cohorts
        for trial in cohort.trials
    ]
    assert [
        (t.user_attrs["candidate"], t.user_attrs["replicate"], t.user_attrs["cohort"],
         t.params["log10_lambda"])
        for t in found
    ] == expected  # fmt: skip
    assert all(t.user_attrs["lambda"] == 10 ** t.params["log10_lambda"] for t in found)
    assert all(
        t.distributions["log10_lambda"] == optuna.distributions.FloatDistribution(-5.0, -1.0)
        for t in found
    )


def test_creating_twice_changes_nothing(
    database: Database, window: Window, small_study: Build
) -> None:
    """Planning a study that is planned already finds it, changes no row and keeps its id."""
    first = planned(database, small_study())
    before = window.tables()
    assert planned(database, small_study()) == first
    assert window.tables() == before
    work(worker(database), until="fine")
    before = window.tables()
    assert planned(database, small_study()).id == first.id
    assert window.tables() == before
    assert load(database, "small").study == small_study()


def test_a_study_of_given_values_is_stored_and_found(
    database: Database, window: Window, small_study: Build
) -> None:
    """Candidates from a fixed list are planned, loaded again and searched to the end, also where
    fine's values lie beyond coarse's interval."""
    values = {"values": [-4.0, -2.0], "trials": None, "log10_lambda": None}
    study = small_study(coarse=values)
    planned(database, study)
    assert load(database, "small").study == study
    assert [t.params["log10_lambda"] for t in window.trials()["small/coarse"]] == [-4.0, -2.0]
    beyond = {"values": [-0.5, -6.0], "trials": None, "keep": None}
    planned(database, small_study(name="beyond", fine=beyond))
    for name in ("small", "beyond"):
        work(worker(database, name=name))
        assert read_status(database, name).state == "done"
    assert [t.params["log10_lambda"] for t in window.trials()["beyond/fine"]] == [-0.5, -6.0]


def test_another_file_under_the_name_is_refused_with_the_difference(
    database: Database, window: Window, small_study: Build
) -> None:
    """A changed study file under a name already taken is refused key by key; nothing changes."""
    planned(database, small_study())
    before = window.tables()
    with pytest.raises(StudyStateError) as caught:
        planned(database, small_study(coarse={"trials": 6}, seed=8))
    assert "'small' is taken" in str(caught.value)
    assert "(coarse.trials: 5 → 6; seed: 7 → 8)" in str(caught.value)
    assert "lamsearch delete small" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert window.tables() == before


def test_other_data_under_the_name_are_refused(
    database: Database, window: Window, small_study: Build
) -> None:
    """The same study file over other data is refused with both fingerprints; nothing changes."""
    planned(database, small_study())
    before = window.tables()
    with pytest.raises(InputError, match=r"fingerprint dddddddddddd…, got eeeeeeeeeeee…"):
        planned(database, small_study(), data_fingerprint="e" * 64)
    assert window.tables() == before


@pytest.mark.parametrize("stage", ["coarse", "final"])
def test_an_optuna_study_of_somebody_else_is_not_taken(
    stage: str, database: Database, window: Window, small_study: Build
) -> None:
    """Where Optuna holds a study with one of the names to be used, nothing is planned."""
    storage = RDBStorage(window.url, engine_kwargs={"poolclass": sa.NullPool})
    optuna.create_study(study_name=f"small/{stage}", storage=storage)
    before = window.tables()
    with pytest.raises(StudyStateError, match=f"'small/{stage}' that lamsearch did not make"):
        planned(database, small_study())
    assert window.tables() == before
    assert names(database) == []


PLANNING = [
    "INSERT INTO trials ",
    "INSERT INTO trial_user_attributes ",
    "INSERT INTO lamsearch_coh",
]


@pytest.mark.parametrize("statement", PLANNING)
def test_a_crash_while_planning_leaves_nothing(
    statement: str, database: Database, window: Window, small_study: Build
) -> None:
    """A death in the middle of planning undoes all of it, and planning again works."""
    before = window.tables()
    with pytest.raises(KeyboardInterrupt), death_at(statement):
        planned(database, small_study())
    assert window.tables() == before
    planned(database, small_study())
    assert window.states() == {"small/coarse": {"WAITING": 5}}


def let_the_turn_run_out(window: Window) -> None:
    """Have the time pass in which a dead worker has the turn to make a transition."""
    assert any(until is not None for until in window.column("transition_until", "lamsearch_study"))
    window.execute("UPDATE lamsearch_study SET transition_until = 0")


@pytest.mark.parametrize("statement", PLANNING)
def test_a_crash_in_the_transition_leaves_nothing_of_the_stage(
    statement: str, database: Database, window: Window, small_study: Build
) -> None:
    """A death in the transition from coarse to fine undoes it, and the next worker makes it, once
    the dead one's turn is over."""
    planned(database, small_study())
    leases = worker(database)
    for _ in range(2):
        finish(leases, claimed(leases))
    before = window.tables()
    with pytest.raises(KeyboardInterrupt), death_at(statement):
        leases.claim()
    assert window.tables() == before
    let_the_turn_run_out(window)
    assert claimed(worker(database, "b")).stage == "fine"
    assert window.states()["small/fine"] == {"RUNNING": 2, "WAITING": 2}


def test_the_transition_is_made_once(
    database: Database, window: Window, small_study: Build
) -> None:
    """Advancing does nothing while a stage is being worked on, nor a second time after it."""
    planned(database, small_study())
    leases = worker(database)
    finish(leases, claimed(leases))
    before = window.tables()
    advance(database, "small")
    assert window.tables() == before
    finish(leases, claimed(leases))
    advance(database, "small")
    assert window.states()["small/fine"] == {"WAITING": 4}
    before = window.tables()
    advance(database, "small")
    assert window.tables() == before


def test_a_whole_study_passes_through_its_stages_with_exact_rows(
    database: Database, window: Window, small_study: Build
) -> None:
    """From coarse to the test every planned trial is run once, and no row is there but theirs."""
    planned(database, small_study())
    done = work(worker(database))
    assert flat(done) == [
        ("coarse", 0), ("coarse", 1), ("fine", 0), ("fine", 1),
        ("finalists", 0), ("finalists", 1), ("final", 0), ("final", 1), ("test", 0),
    ]  # fmt: skip
    record = read_study(database, "small")
    count = {name: stage.planned for name, stage in record.stages.items()}
    finalists = len({trial.candidate for trial in record.stages["finalists"].trials})
    assert 1 <= finalists <= 2
    assert count == {"coarse": 5, "fine": 4, "finalists": 2 * finalists, "final": 2}
    assert window.states() == {f"small/{k}": {"COMPLETE": v} for k, v in count.items()}
    rows = window.counts()
    total = sum(count.values())
    assert (rows["studies"], rows["trials"], rows["trial_params"]) == (4, total, total)
    assert (rows["trial_values"], rows["trial_intermediate_values"]) == (total, 2 * total)
    assert (rows["lamsearch_study"], rows["lamsearch_stage"]) == (1, 4)
    assert (rows["lamsearch_cohort"], rows["lamsearch_curve"]) == (9, total)
    assert record.finished
    assert load(database, "small").over
    assert worker(database, "late").claim() is None


def test_each_stage_follows_from_the_one_before(database: Database, small_study: Build) -> None:
    """Fine searches what coarse left, finalists come from fine, the final trains the winner."""
    planned(database, small_study())
    work(worker(database))
    record = read_study(database, "small")
    assert record.selected is not None
    stages = {name: [t.point[0] for t in s.trials] for name, s in record.stages.items()}
    low, high = record.stages["fine"].bounds[0] or (0.0, 0.0)
    best = sorted(stages["coarse"], key=lambda value: abs((value or 0.0) + 3.0))[:2]
    assert low == max(-5.0, min(best) - 0.4)  # 4 / (2 · 5)
    assert high == min(-1.0, max(best) + 0.4)
    assert all(value is not None and low <= value <= high for value in stages["fine"])
    assert set(stages["finalists"]) <= set(stages["fine"])
    winner = min(set(stages["finalists"]), key=lambda value: abs((value or 0.0) + 3.0))
    assert record.selected.point[0] == winner
    assert stages["final"] == [winner, winner]


def test_finalists_are_extended_until_the_best_is_inside(
    database: Database, window: Window, small_study: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `extend` the stage grows, each time whole or not at all, by exactly the cohorts of
    further candidates, until the best has worse ones on both sides."""
    planned(database, small_study(finalists={"extend": True}, coarse={"log10_lambda": [-5, 2]}))
    leases = worker(database)
    work(leases, until="finalists")
    claims = [claimed(leases), claimed(leases)]
    first = {leased.candidate for leased in claims[0].trials}
    for claim in claims:  # at the schedule of the final a larger λ is better
        results = [trained(h, score=0.6 + 0.1 * h.point[0]) for h in claim.trials]
        finish(leases, claim, results)
    before = window.tables()
    with pytest.raises(KeyboardInterrupt), death_at("INSERT INTO trial_user_attributes "):
        leases.claim()
    assert window.tables() == before
    further = claimed(leases)
    assert (further.stage, further.number, further.replicate) == ("finalists", 2, 0)
    assert first.isdisjoint(leased.candidate for leased in further.trials)
    leases.give_back(further)
    work(leases)
    stage = read_study(database, "small").stages["finalists"]
    tried = [trial.point[0] or 0.0 for trial in stage.trials if trial.replicate == 0]
    assert stage.planned == 2 * len(tried) == 2 * len(set(tried))
    assert sorted({trial.cohort for trial in stage.trials}) == list(
        range(window.column("cohorts", "lamsearch_stage WHERE name = 'finalists'")[0])
    )
    selected = load(database, "small").selected
    assert selected is not None
    assert min(tried) < selected.point[0] < max(tried)
    assert selected.warnings == ()
    assert window.states()["small/finalists"] == {"COMPLETE": 2 * len(tried)}


def test_the_winner_is_committed_before_the_final_is_planned(
    database: Database, window: Window, small_study: Build
) -> None:
    """The final's trials appear together with the winner, and the opening's record after both."""
    planned(database, small_study())
    leases = worker(database)
    work(leases, until="final")
    selected = load(database, "small").selected
    assert selected is not None
    assert read_study(database, "small").openings == ()
    assert {t.params["log10_lambda"] for t in window.trials()["small/final"]} == {selected.point[0]}
    assert leases.chosen() == selected.point
    work(leases)
    record = read_study(database, "small")
    assert record.selected == selected
    assert len(record.openings) == 1


def test_a_final_alone_trains_the_given_lambda(
    database: Database, window: Window, small_study: Build
) -> None:
    """A study that selects nothing has one stage, the given λ and the opening."""
    study = small_study(coarse=None, fine=None, finalists=None, final={"log10_lambda": -2.5})
    planned(database, study)
    assert flat(work(worker(database))) == [("final", 0), ("final", 1), ("test", 0)]
    selected = load(database, "small").selected
    assert selected is not None
    assert (selected.point[0], selected.score) == (-2.5, None)
    assert window.states() == {"small/final": {"COMPLETE": 2}}


def test_a_study_without_final_ends_with_its_winner(database: Database, small_study: Build) -> None:
    """Without a final the study is over once the winner is committed; the test stays sealed."""
    planned(database, small_study(final=None))
    assert ("test", 0) not in flat(work(worker(database)))
    record = read_study(database, "small")
    assert record.selected is not None
    assert record.finished
    assert (record.final, record.openings) == (None, ())


@pytest.mark.parametrize("stage", ["coarse", "final"])
def test_a_stage_that_failed_whole_ends_the_study_with_its_reason(
    stage: str, database: Database, window: Window, small_study: Build
) -> None:
    """Where no trial of a stage ended well the study fails, says so, and is not claimed again."""
    planned(database, small_study())
    leases = worker(database)
    work(leases, until=stage)
    for _ in range(2):
        claim = claimed(leases)
        finish(leases, claim, [failed() for _ in claim.trials])
    assert leases.claim() is None
    record, status = read_study(database, "small"), read_status(database, "small")
    assert record.failure is not None
    assert record.failure.startswith(f"{stage}: no")
    assert record.done
    assert not record.finished
    assert (status.state, status.failure) == ("failed", record.failure)
    assert set(window.states()[f"small/{stage}"]) == {"FAIL"}


def test_a_failed_candidate_is_left_behind(database: Database, small_study: Build) -> None:
    """The best λ of coarse, once failed, is in no later stage."""
    planned(database, small_study())
    leases = worker(database)
    coarse = [claimed(leases), claimed(leases)]
    best = min((h for c in coarse for h in c.trials), key=lambda h: abs(h.point[0] + 3.0))
    for claim in coarse:
        results = [failed() if leased == best else trained(leased) for leased in claim.trials]
        finish(leases, claim, results)
    work(leases)
    record = read_study(database, "small")
    states = {t.point[0]: t.state for t in record.stages["coarse"].trials}
    assert states[best.point[0]] is TrialState.FAIL
    assert record.stages["coarse"].count(TrialState.COMPLETE) == 4
    assert record.stages["finalists"].count(TrialState.COMPLETE) > 0


def test_delete_waits_for_live_leases_and_removes_every_row(
    database: Database, window: Window, small_study: Build
) -> None:
    """A study at work is not deleted; any other loses every row of ours and Optuna's, and no
    other study loses one."""
    planned(database, small_study(name="kept"))
    finish(worker(database, name="kept"), claimed(worker(database, name="kept", owner="a")))
    kept = window.tables()
    planned(database, small_study())
    leases = worker(database)
    work(leases, until="final")
    claim = claimed(leases)
    before = window.tables()
    with pytest.raises(StudyStateError, match="'small' is being worked on by a; stop it first"):
        delete(database, "small")
    assert window.tables() == before
    window.execute("UPDATE lamsearch_cohort SET expires = 1 WHERE expires IS NOT NULL")
    delete(database, "small")
    assert window.tables() == kept
    with pytest.raises(StudyStateError, match="no study 'small'"):
        delete(database, "small")
    with pytest.raises(StudyStateError, match="it was deleted"):
        leases.claim()
    assert outcomes(claim)
    assert names(database) == ["kept"]


def test_what_the_dashboard_deleted_does_not_stop_delete(
    database: Database, window: Window, small_study: Build
) -> None:
    """A study whose Optuna part was removed by hand can still be deleted, and what took its
    number in the meantime stays."""
    planned(database, small_study())
    storage = RDBStorage(window.url, engine_kwargs={"poolclass": sa.NullPool})
    optuna.delete_study(study_name="small/coarse", storage=storage)
    optuna.create_study(study_name="next", storage=storage)
    delete(database, "small")
    assert list(window.trials()) == ["next"]
    assert names(database) == []


def test_an_unknown_name_is_answered_with_the_known_ones(
    database: Database, small_study: Build
) -> None:
    """Loading a study that is not there names those that are, oldest first."""
    with pytest.raises(StudyStateError, match=r"no study .small. .*; known: none"):
        load(database, "small")
    for name in ("one", "another"):
        planned(database, small_study(name=name))
    with pytest.raises(StudyStateError, match=r"known: .*one"):
        load(database, "small")
    assert names(database) == ["one", "another"]
    for read in (read_study, read_status):
        with pytest.raises(StudyStateError, match="no study 'small'"):
            read(database, "small")


def test_create_keeps_what_workers_need(database: Database, small_study: Build) -> None:
    """What a worker elsewhere needs is in the storage: data, classes, directories, image counts."""
    create(
        database, small_study(), data_fingerprint="f" * 64, classes=("a", "b"),
        validation_images={"coarse": 3}, origin="/here", files="s3://there",
    )  # fmt: skip
    stored = load(database, "small")
    assert stored.data_fingerprint == "f" * 64
    assert stored.classes == ("a", "b")
    assert dict(stored.validation_images) == {"coarse": 3}
    assert (stored.origin, stored.files) == ("/here", "s3://there")
    assert not stored.over


def test_a_model_proposes_further_rounds_of_finalists(
    database: Database, small_study: Callable[..., Study], window: Window
) -> None:
    """With `rounds = 2` a model adds `keep` new λs between those tried, once, over the same
    replicates and with numbers of their own; then the winner is the model's top."""
    study = small_study(finalists={"keep": 3, "rounds": 2, "rule": "model"}, fine={"trials": 8})
    planned(database, study)
    leases = Leases(database, "small", owner="a", seconds=60.0)
    work(leases)
    record = read_study(database, "small")
    finalists = record.stages["finalists"].trials
    values = {trial.candidate: trial.point[0] for trial in finalists}
    first = sorted(values[candidate] for candidate in range(3))
    assert len(values) == 6
    assert len(set(values.values())) == 6
    assert all(first[0] < values[candidate] < first[-1] for candidate in range(3, 6))
    assert Counter(trial.candidate for trial in finalists) == dict.fromkeys(range(6), 2)
    assert record.selected is not None
    assert "Gaussian process" in record.selected.rule
    assert first[0] <= record.selected.point[0] <= first[-1]
    assert window.states()["small/finalists"] == {"COMPLETE": 12}


def further_fine(leases: Leases, peak: float) -> list[Claim]:
    """Work through fine with its best at ``peak``, where coarse had it at −3; return its claims.

    What comes after fine is given back.
    """
    done = []
    while (claim := claimed(leases)).stage == "fine":
        finish(leases, claim, [
            trained(leased, score=0.9 - 0.02 * (leased.point[0] - peak) ** 2)
            for leased in claim.trials
        ])  # fmt: skip
        done.append(claim)
    leases.give_back(claim)
    return done


@pytest.mark.parametrize("sampler", ["random", "stratified", "tpe"])
def test_fine_goes_on_past_its_edge_and_into_its_rounds(
    sampler: str, database: Database, window: Window, small_study: Build
) -> None:
    """With `extend` and `rounds` fine reaches a best that lies outside what coarse left, numbers
    its trials on, and is recorded with all that it searched."""
    keys = {"extend": True, "rounds": 2, "sampler": sampler, "trials": 6}
    planned(database, small_study(fine=keys, coarse={"log10_lambda": [-5.0, 2.0]}))
    leases = worker(database)
    work(leases, until="fine")
    first = read_study(database, "small").stages["fine"].bounds[0]
    assert first is not None
    assert first[1] < 0.5
    done = further_fine(leases, peak=0.5)
    work(leases)
    record = read_study(database, "small")
    fine = record.stages["fine"]
    assert fine.bounds[0] is not None
    assert fine.bounds[0][0] == first[0]
    assert 0.5 < fine.bounds[0][1] <= 2.0
    assert [claim.number for claim in done] == list(range(len(done)))
    found = window.trials()["small/fine"]
    assert [trial.user_attrs["candidate"] for trial in found] == list(range(fine.planned))
    values = [trial.params["log10_lambda"] for trial in found]
    assert len(set(values)) == fine.planned
    best = min(values, key=lambda value: abs(value - 0.5))
    assert min(values) < best < max(values)
    bounds = [(d.low, d.high) for t in found for d in t.distributions.values()]
    assert all(low <= value <= high for value, (low, high) in zip(values, bounds, strict=True))
    assert bounds[:6] == [first] * 6
    assert bounds[6][0] == first[1]  # beyond the edge
    last = bounds[-6:]
    assert last == [last[0]] * 6  # the second round
    assert last[0][0] <= best <= last[0][1]
    assert window.states()["small/fine"] == {"COMPLETE": fine.planned}
    assert window.column("cohorts", "lamsearch_stage WHERE name = 'fine'") == [len(done)]
    assert window.column("rounds", "lamsearch_stage WHERE name = 'fine'") == [2]
    assert record.finished


def test_finalists_keep_their_distance_after_narrowing(
    database: Database, small_study: Build
) -> None:
    """However narrow the last round was, finalists lie a quarter of all that fine searched apart,
    and no stage is planned twice."""
    keys = {"rounds": 4, "trials": 6}
    planned(database, small_study(fine=keys, finalists={"keep": 4}))
    work(worker(database), until="fine")
    first = read_study(database, "small").stages["fine"].bounds[0]
    done = work(worker(database))
    assert len(flat(done)) == len(set(flat(done)))
    record = read_study(database, "small")
    fine, finalists = record.stages["fine"], record.stages["finalists"]
    assert fine.planned == 24
    assert fine.bounds[0] == first
    assert fine.bounds[0] is not None
    values = sorted({trial.point[0] or 0.0 for trial in finalists.trials})
    assert len(values) > 1
    assert min(b - a for a, b in pairwise(values)) >= (fine.bounds[0][1] - fine.bounds[0][0]) / 4


@pytest.mark.parametrize("keys", [{"extend": True}, {"rounds": 2}], ids=str)
def test_a_crash_as_fine_goes_on_leaves_nothing(
    keys: dict[str, Any], database: Database, window: Window, small_study: Build
) -> None:
    """A death while further draws are planned undoes all of them, and the next worker's plan is
    the one that would have been."""
    changes = {"fine": keys, "coarse": {"log10_lambda": [-5.0, 2.0]}}
    for name in ("small", "twin"):
        planned(database, small_study(name=name, **changes))
        work(worker(database, name=name), until="fine")
        leases = worker(database, name=name)
        for _ in range(2):
            claim = claimed(leases)
            results = [trained(h, score=0.5 + 0.1 * h.point[0]) for h in claim.trials]
            finish(leases, claim, results)
    leases = worker(database)
    before = window.tables()
    with pytest.raises(KeyboardInterrupt), death_at("INSERT INTO trial_user_attributes "):
        leases.claim()
    assert window.tables() == before
    let_the_turn_run_out(window)
    claims = [claimed(worker(database, "b", name)) for name in ("small", "twin")]
    for claim in claims:
        assert (claim.stage, claim.number) == ("fine", 2)
        assert claim.trials[0].candidate == 4
    values = [[leased.point[0] for leased in claim.trials] for claim in claims]
    assert values[0] == values[1]


def test_fine_without_coarse_has_rounds_in_its_own_interval(
    database: Database, small_study: Build
) -> None:
    """Rounds need no coarse: fine's own interval is narrowed on fine's own best."""
    fine = {"log10_lambda": [-5.0, -1.0], "rounds": 3, "trials": 6}
    planned(database, small_study(coarse=None, fine=fine))
    work(worker(database))
    stage = read_study(database, "small").stages["fine"]
    values = [trial.point[0] or 0.0 for trial in stage.trials]
    spans = [max(values[k : k + 6]) - min(values[k : k + 6]) for k in (0, 6, 12)]
    assert stage.bounds[0] == (-5.0, -1.0)
    assert len(values) == 18
    assert spans[0] > spans[1] > spans[2]
