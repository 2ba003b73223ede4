"""The rules that lamsearch relies on, each a function of a case that raises where it is broken.

Enters: a case. Leaves: nothing, or a sentence. Refuses to know which trainer it is.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np

from lamsearch.errors import LamsearchError
from lamsearch.metrics import LOG_LOSS
from lamsearch.results import Activation, FloatArray, Model, Trained, TrialState
from lamsearch.softmax import softmax
from lamsearch.trainers.conformance.case import SEED, Case, bits, finish, stored
from lamsearch.trainers.failures import Guarded

Rule = Callable[[Case], None]
_WILD = 10.0  # the largest log10 λ that a study file may hold
_SCORE, _LOSS = 0.05, 1e-3  # what last bits of a product in another order may come to


class NonconformantError(LamsearchError, AssertionError):
    """A trainer breaks a rule."""


def progress_grows_to_its_total(case: Case) -> None:
    """Updates start at 0 and grow to one total, whose cycle end has all scores."""
    trainer = case.make()
    _hold(trainer.updates == 0, "a new trainer's updates must be 0", trainer.updates)
    progress = finish(trainer)
    _hold(progress != [], "run must yield Progress", "none")
    totals = {one.total for one in progress}
    _hold(len(totals) == 1, "the total must be the same all along", sorted(totals))
    last = progress[-1]
    _hold(last.updates == last.total, f"updates must reach the total {last.total}", last.updates)
    _hold(last.cycle_end, "the last update must be a cycle end", last.cycle_end)
    ends = [one.cycles for one in progress if one.cycle_end]
    rule = "cycles must be counted from 1 at their ends"
    _hold(ends == list(range(1, len(ends) + 1)), rule, ends)
    for what in ("scores", "losses"):
        values = getattr(last, what)
        finite = values is not None and bool(np.isfinite(values).all())
        _hold(finite, f"the {what} at the last cycle end must be one finite number a trial", values)


def outcomes_are_in_the_order_of_the_points(case: Case) -> None:
    """Each outcome is its point's, and but for last bits the same in whatever cohort."""
    there, back = outcomes(case.make()), outcomes(case.make(case.points[::-1]))[::-1]
    (alone,) = outcomes(case.make(case.points[:1]))
    for index, (one, other) in enumerate(zip(there, back, strict=True)):
        _hold(one.state is TrialState.COMPLETE, "a trial must be COMPLETE", one.reason)
        _hold_alike(one, other, f"trial {index} must be the same in a cohort in reverse order")
    _hold_alike(there[0], alone, "trial 0 must be the same in a cohort of its own")


def a_score_is_the_mean_of_its_scores(case: Case) -> None:
    """A score is the mean of a trial's numbers for validation examples, and what it ended with."""
    trainer = case.make()
    progress = finish(trainer)
    for index, one in enumerate(trainer.outcomes()):
        scores, shown = one.scores, progress[-1].scores
        mean = float("nan") if scores is None else float(scores.mean())
        rule = f"the score of trial {index} must be the mean {mean:g} of its scores"
        _hold(one.score is not None and np.isclose(one.score, mean, atol=1e-6), rule, one.score)
        last = None if shown is None else float(shown[index])
        rule = f"the last progress must show the score {mean:g} of trial {index}"
        _hold(last is not None and np.isclose(last, mean, atol=1e-6), rule, last)


def lambda_and_the_examples_matter(case: Case) -> None:
    """Trials of different λ have different losses, and the best knows more than how common a class
    is."""
    found = outcomes(case.make())
    losses = [one.validation_loss for one in found]
    rule = "trials of different λ must have different validation losses (or penalised=False)"
    _hold(not case.penalised or len(set(losses)) == len(losses), rule, losses)
    common = float(np.bincount(case.splits.validation_y).max() / len(case.splits.validation_y))
    best = max(one.score or 0.0 for one in found)
    _hold(best > common, f"the best score must be above the largest class's {common:.2f}", best)


def the_study_s_metric_is_used(case: Case) -> None:
    """Scores are the numbers of `Task.metric`: of log loss, log-probabilities of the classes."""
    for one in outcomes(case.make(metric=LOG_LOSS)):
        loss = one.validation_loss
        close = one.score is not None and loss is not None and np.isclose(one.score, -loss, 1e-3)
        _hold(close, f"with the log loss a score must be minus the loss {loss}", one.score)
        error = "the standard error of a score that is no share must be given"
        _hold(one.score_error is not None, error, one.score_error)


def the_same_task_gives_the_same_bits(case: Case) -> None:
    """All randomness follows from the seed: not from NumPy's or Python's own generator, which are
    left as they were."""
    state, plain = np.random.get_state(), random.getstate()
    try:
        first = bits(outcomes(case.make()))
        untouched = random.getstate() == plain and bits_of_numpy() == str(state)
        np.random.seed(1)
        random.seed(1)
        second = bits(outcomes(case.make()))
    finally:
        np.random.set_state(state)
        random.setstate(plain)
    if case.kind.reproducible:
        _hold(
            first == second, "the same task must give the same bits (or declare it not)", "others"
        )
    _hold(untouched, "the process's own random generators must be left as they are", "changed")


def another_seed_gives_another_training(case: Case) -> None:
    """Replicates differ, unless nothing in the trainer is random (``seeded=False``)."""
    if not case.seeded:
        return
    first, second = outcomes(case.make()), outcomes(case.make(seed=(SEED[0], SEED[1], 3)))
    rule = "another seed must give another outcome (or seeded=False)"
    _hold(bits(first) != bits(second), rule, "the same bits")


def a_trial_that_fails_fails_alone(case: Case) -> None:
    """At a λ beyond reason a trial is FAIL with its reason, or COMPLETE; the others are as ever."""
    points = (case.points[0], (_WILD, *case.points[1][1:]), *case.points[2:])
    whole, found = outcomes(case.make()), outcomes(case.make(points))
    wild = found[1]
    _hold(wild.state is not TrialState.FAIL or wild.reason, "a FAIL must have its reason", None)
    if wild.state is not TrialState.FAIL:
        finite = wild.score is not None and np.isfinite(wild.score)
        _hold(finite, "a trial without a finite score must be FAIL", wild.score)
    for index in (0, *range(2, len(points))):
        one = found[index]
        _hold(one.state is TrialState.COMPLETE, f"trial {index} must be COMPLETE", one.reason)
        _hold_alike(one, whole[index], f"trial {index} must be as beside other trials")


def a_restored_training_ends_with_the_same_bits(case: Case) -> None:
    """Stopped after any update and restored elsewhere, a resumable training ends as if undisturbed;
    arrays that are no state are a ValueError, and change nothing."""
    if not case.kind.resumable:
        return
    whole = case.make()
    expected = finish(whole)
    total = len(expected)
    for stop in sorted({1, total // 2, min(total // 2 + 3, total), total}):
        first, second = case.make(), case.make()
        run = first.run()
        for _ in range(stop):
            next(run)
        second.restore(stored(first))
        rule = f"a training restored after {stop} updates must"
        _hold(second.updates == first.updates, f"{rule} have as many updates", second.updates)
        same = bits(second.run()) == bits(expected[stop:])
        _hold(same, f"{rule} go on to the same progress", "another")
        _hold(bits(second.outcomes()) == bits(whole.outcomes()), f"{rule} end alike", "others")
    try:
        first.restore({"foreign": np.zeros(3)})
    except ValueError:
        pass
    else:
        _hold(False, "a state of another trainer must be a ValueError", "none")
    same = bits(first.outcomes()) == bits(whole.outcomes())
    _hold(same, "a refused state must change nothing", "other outcomes")


def dropped_trials_leave_and_the_others_go_on(case: Case) -> None:
    """A trial dropped at a cycle end is PRUNED with its reason and the scores it left with, also
    after a restore."""
    if not case.kind.prunes:
        return
    trainer, whole = case.make(), outcomes(case.make())
    left, shown, state = 0, float("nan"), None
    for progress in trainer.run():
        if progress.cycle_end and progress.cycles == 1 and progress.scores is not None:
            left, shown = progress.updates, float(progress.scores[1])
            trainer.drop({1: "the worst"})
            state = stored(trainer) if case.kind.resumable else None
    found = trainer.outcomes()
    gone = found[1]
    _hold(gone.state is TrialState.PRUNED, "a dropped trial must be PRUNED", gone.state.value)
    _hold(gone.reason == "the worst", "it must keep the reason it was given", gone.reason)
    _hold(gone.updates == left, f"it must say that it left after {left} updates", gone.updates)
    _hold(gone.score == shown, f"it must keep the score {shown} it left with", gone.score)
    for index in (0, *range(2, len(found))):
        _hold_alike(found[index], whole[index], f"trial {index} must go on as if nobody had left")
    if state is not None:
        again = case.make()
        again.restore(state)
        finish(again)
        same = bits(again.outcomes()) == bits(found)
        _hold(same, "a restored training must know who was dropped", "other outcomes")


def exported_models_predict_the_same(case: Case) -> None:
    """A model predicts for raw features, before any projection, what its trial was scored for."""
    if not case.kind.exports:
        return
    for one in (case, case.projected()):
        trainer = one.make()
        finish(trainer)
        models = trainer.models()
        for index, (outcome, model) in enumerate(zip(trainer.outcomes(), models, strict=True)):
            _hold(model is not None, f"a complete trial {index} must have a model", None)
            if model is not None:
                loss = _loss_of(model, case)
                wanted = outcome.validation_loss
                rule = f"the model of trial {index} must have its validation loss {wanted}"
                _hold(wanted is not None and np.isclose(loss, wanted, 5e-3, 1e-4), rule, loss)


def a_snapshot_changes_nothing(case: Case) -> None:
    """Models asked for at a cycle end are there and stay as they are, and training ends with the
    same bits."""
    if not case.kind.snapshots:
        return
    asked, whole = case.make(), case.make()
    taken: list[tuple[Model, bytes]] = []
    for progress in asked.run():
        if progress.cycle_end:
            models = asked.snapshot()
            _hold(None not in models, "a snapshot must have every trial's model", None)
            taken += [(one, _bytes_of(one)) for one in models if one is not None]
    finish(whole)
    stayed = all(_bytes_of(model) == before for model, before in taken)
    _hold(stayed, "a snapshot's models must stay as they were", "models that train on")
    same = bits(asked.outcomes()) == bits(whole.outcomes())
    _hold(same, "a training that was asked for snapshots must end with the same bits", "others")


RULES: tuple[Rule, ...] = (
    progress_grows_to_its_total,
    outcomes_are_in_the_order_of_the_points,
    a_score_is_the_mean_of_its_scores,
    lambda_and_the_examples_matter,
    the_study_s_metric_is_used,
    the_same_task_gives_the_same_bits,
    another_seed_gives_another_training,
    a_trial_that_fails_fails_alone,
    a_restored_training_ends_with_the_same_bits,
    dropped_trials_leave_and_the_others_go_on,
    exported_models_predict_the_same,
    a_snapshot_changes_nothing,
)


def outcomes(trainer: Guarded) -> tuple[Trained, ...]:
    """Run a trainer to its end; return its outcomes."""
    finish(trainer)
    return trainer.outcomes()


def bits_of_numpy() -> str:
    """Return the state of NumPy's own generator as text."""
    return str(np.random.get_state())


def _loss_of(model: Model, case: Case) -> float:
    """The mean loss of a model's plain chain on the raw validation examples."""
    splits = case.splits
    x = splits.validation_x * splits.std + splits.mean
    out: FloatArray = (x - model.mean) / model.std
    for number, (W, b) in enumerate(model.layers, 1):
        out = out @ W + b
        if number < len(model.layers):
            out = _activated(out, model.activation)
    probabilities = softmax(np.asarray(out, np.float64))
    return -float(LOG_LOSS.per_example(probabilities, splits.validation_y).mean())


def _bytes_of(model: Model) -> bytes:
    return b"".join(np.ascontiguousarray(one).tobytes() for one in model.arrays().values())


def _activated(z: FloatArray, name: Activation) -> FloatArray:
    if name == "tanh":
        return np.tanh(z)
    return np.maximum(z, 0.0 if name == "relu" else 0.01 * z)


def _hold_alike(one: Trained, other: Trained, rule: str) -> None:
    close = _close(one.score, other.score, 0.0, _SCORE)
    _hold(close, f"{rule}: score {other.score}", one.score)
    close = _close(one.validation_loss, other.validation_loss, _LOSS, 1e-6)
    _hold(close, f"{rule}: validation loss {other.validation_loss}", one.validation_loss)


def _close(one: float | None, other: float | None, rel: float, tol: float) -> bool:
    return one is not None and other is not None and bool(np.isclose(one, other, rel, tol))


def _hold(holds: object, rule: str, got: object) -> None:
    if not holds:
        raise NonconformantError(f"{rule}, got {got}")
