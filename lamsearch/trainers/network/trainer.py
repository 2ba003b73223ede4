"""The trainer: a cohort of models over one stream of mini-batches.

Enters: normalised splits, the training settings, one log10 λ per model, the seed of the replicate.
Leaves: progress while it trains, its state as arrays, at the end what became of every model.
Refuses to know Optuna, clocks, files, and the test set (but for the curves of a study that
selects nothing).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isfinite
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from lamsearch.metrics import ACCURACY, Metric
from lamsearch.results import Curve, FloatArray, Model, TargetArray, Trained, TrialState
from lamsearch.schedules import Schedule
from lamsearch.study import Augment, Network, Training
from lamsearch.trainers.departures import Departure
from lamsearch.trainers.network import export
from lamsearch.trainers.network.batches import MiniBatches
from lamsearch.trainers.network.checkpoint import arrays_of, no_sums, state_from, state_of
from lamsearch.trainers.network.curve_table import CurveTable
from lamsearch.trainers.network.evaluation import Evaluation, evaluate
from lamsearch.trainers.network.losses import loss_of
from lamsearch.trainers.network.own_settings import OwnSettings
from lamsearch.trainers.network.passes import Pass
from lamsearch.trainers.network.rules import kept_moments, no_moments, rule_of
from lamsearch.trainers.network.weights import Weights, initialise, penalty
from lamsearch.trainers.protocol import Progress, Splits, State
from lamsearch.trainers.targets import scale_of


class NetworkTrainer:
    """Trains the models of a cohort, each with its own λ, on the same mini-batches.

    Args:
        splits: normalised training and validation examples.
        training: the schedule, batch size and sampling points.
        log10_lambdas: log10 λ of each model, shape (K,).
        network: layers and what stands between them.
        hidden: hidden units, instead of ``network``.
        classes: classes; 0 where a quantity is predicted.
        seed: (study seed, stage, replicate); initial weights and mini-batches follow from it.
        dtype: float32 for training, float64 for checks.
        test: normalised test examples and targets, only for a study that selects nothing.
        schedule: update → learning rate, instead of the one that ``training`` names.
        metric: what scores a validation example, of the task that ``classes`` say.
        per_model: eta_max, eta_min, dropout or input_dropout of each model, (K,), by name, instead
            of those of ``training`` and ``network``.
        augment: how training images are varied.
    """

    def __init__(
        self,
        splits: Splits,
        training: Training,
        log10_lambdas: Sequence[float],
        *,
        network: Network | None = None,
        hidden: int | Sequence[int] = Network().hidden,
        classes: int,
        seed: Sequence[int],
        dtype: npt.DTypeLike = np.float32,
        test: tuple[FloatArray, TargetArray] | None = None,
        schedule: Schedule | None = None,
        metric: Metric = ACCURACY,
        per_model: Mapping[str, Sequence[float]] = MappingProxyType({}),
        augment: Augment | None = None,
    ) -> None:
        self._splits, self._training, self._test = splits, training, test
        self._lam = 10.0 ** np.asarray(log10_lambdas, np.float64)
        self._metric, self._asked = metric, None if metric is ACCURACY else metric
        if (metric.task == "regression") == bool(classes):
            raise ValueError(f"metric: must be of {classes} classes' task, got {metric.name!r}")
        self._scale, self._loss = scale_of(splits, classes), loss_of(classes)
        self._batches = MiniBatches(splits, seed, training.batch_size, augment)
        count = len(self._lam)
        own = OwnSettings(per_model, count)
        self._rates = own.rates(training, schedule)
        network = network or Network.model_validate({"hidden": hidden})
        weights = initialise(
            count,
            features=len(splits.mean),
            hidden=network.units,
            classes=classes or 1,
            rng=np.random.default_rng(np.random.SeedSequence(tuple(seed), spawn_key=(0,))),
            dtype=dtype,
            projection=splits.projection,
            network=network,
        )
        self._rule = rule_of(training)
        self._dropout = own.dropout(network, seed)
        table = CurveTable(
            models=count,
            tested=test is not None,
            scored=self._asked is not None,
            shares=self._scale is None,
        )
        kind, examples = np.bool_ if metric.proportion else np.float32, len(splits.validation_y)
        moments = no_moments(self._rule, weights)
        self._state = state_of(weights, moments, table, np.zeros((count, examples), kind))
        self._make_buffers()

    @property
    def updates(self) -> int:
        """Updates done."""
        return self._state.updates

    @property
    def weights(self) -> Weights:
        """The models that are still in training."""
        return self._state.weights

    def run(self) -> Iterator[Progress]:
        """Train to the end; yield after every update, when the state is whole.

        A model whose cost is no longer finite is taken out with the reason; the others go on.
        """
        while self._state.updates < self._training.updates and len(self._state.alive):
            # a model that diverges overflows on its way out; it is caught by its loss
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                self._update()
                if self._state.updates in self._sampling_points():
                    self._sample()
            yield self._progress()

    def drop(self, reasons: Mapping[int, str]) -> None:
        """Take models out as PRUNED, each with its reason; the others go on in narrower matrices.

        Only where all have just been evaluated, such as a cycle end: their scores are those of
        that point. A model that has left already stays as it is.

        Raises:
            ValueError: The models have trained on since they were last evaluated.
        """
        state = self._state
        if state.table.points[-1:] != [state.updates]:
            raise ValueError(f"models are dropped where they are evaluated, got {state.updates}")
        stays = ~np.isin(state.alive, list(reasons))
        self._take_out(stays, TrialState.PRUNED, lambda model: reasons[model])

    def outcomes(self) -> tuple[Trained, ...]:
        """Return what became of every model, in the order of ``log10_lambdas``, once it has run.

        ``train_score`` is measured here, on the whole training split.
        """
        return export.outcomes(
            self._state, self._splits, self._rates, self._cycle, self._metric, self._scale
        )

    def curves(self) -> tuple[Curve, ...]:
        """Return every model's curve as far as it has come, in the order of ``log10_lambdas``."""
        table = self._state.table
        return tuple(table.curve(model, self._rates) for model in range(table.models))

    def models(self) -> tuple[Model | None, ...]:
        """Return every model's weights, float32; None for one that has left."""
        return export.models(self._state, self._splits, self._scale)

    def snapshot(self) -> tuple[Model | None, ...]:
        """Return every model as it is now, as `models` does; nothing is changed by that."""
        return self.models()

    def state(self) -> State:
        """Return all that a resumed training needs to end with the same bits, as arrays."""
        return arrays_of(self._state)

    def restore(self, state: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Go on from a state of a trainer that was made with the same arguments.

        Raises:
            ValueError: It is of no such trainer; nothing was changed.
        """
        self._state = state_from(state, self._state, self._training.updates)
        self._make_buffers()

    @property
    def _cycle(self) -> int:
        """The updates of a cycle."""
        return 2 * self._training.step_size

    def _update(self) -> None:
        state = self._state
        targets = self._batches.fill(state.updates, self._x)
        self._pass.forward(self._x, state.updates)
        weights = self._batches.weights
        loss, correct = self._pass.loss(targets, weights)
        eta = self._rates(state.updates)
        eta = eta if len(eta) == len(self._lam_alive) else eta[state.alive]
        self._pass.step(targets, eta=eta, lam=self._lam_alive, weights=weights)
        state.updates += 1
        state.sums.updates += 1
        state.sums.loss += loss
        if correct is not None:
            state.sums.correct += np.add.reduce(correct, axis=1)
        if not all(map(isfinite, loss.tolist())):
            self._fail(np.isfinite(loss), "loss")

    def _sample(self) -> None:
        """Write a row of every curve; the models that have left get NaN."""
        square = penalty(self._state.weights)
        self._fail(np.isfinite(square), "penalty")
        square = square[np.isfinite(square)]
        state, sums = self._state, self._state.sums
        if not len(state.alive):
            return
        added, splits = self._lam_alive * square, self._splits
        tests = () if self._test is None else (self._test,)
        validation = self._evaluated(splits.validation_x, splits.validation_y, self._asked)
        results = [validation, *(self._evaluated(x, y) for x, y in tests)]
        loss, seen = sums.loss / sums.updates, sums.updates * self._training.batch_size
        right = None if self._scale is not None else sums.correct / seen
        columns: list[FloatArray] = []
        for mean, share in ((loss, right), *((one.loss, one.accuracy) for one in results)):
            columns += [mean, mean + added, *(() if share is None else (share,))]
        per_example = validation.correct if validation.scores is None else validation.scores
        state.scores[state.alive] = per_example
        if validation.scores is not None:
            columns.append(validation.scores.mean(axis=1))
        values = state.table.add(state.updates, state.alive, columns)
        state.sums = no_sums(len(state.alive))
        # kept as float32, which squares of a quantity may leave before its loss does
        kept = np.isfinite(state.scores[state.alive]).all(axis=1)
        self._fail(np.asarray(np.isfinite(values).all(axis=1) & kept), "cost")

    def _evaluated(self, x: FloatArray, y: TargetArray, metric: Metric | None = None) -> Evaluation:
        return evaluate(self._state.weights, x, y, metric, self._scale)

    def _fail(self, finite: npt.NDArray[np.bool_], what: str) -> None:
        if finite.all():
            return
        updates = self._state.updates
        rates, reason = self._rates(updates - 1), f"{what} no longer finite at update {updates}"
        self._take_out(
            finite, TrialState.FAIL, lambda model: f"{reason} (learning rate {rates[model]:.4g})"
        )

    def _take_out(
        self, stays: npt.NDArray[np.bool_], how: TrialState, reason: Callable[[int], str]
    ) -> None:
        if stays.all():
            return
        state = self._state
        for model in map(int, state.alive[~stays]):
            state.departures[model] = Departure(how.value, reason(model), state.updates)
        stay = np.flatnonzero(stays)
        state.alive, state.sums = state.alive[stay], state.sums.keep(stay)
        state.moments = kept_moments(state.moments, stay, state.weights)
        state.weights = state.weights.keep(stay)
        self._make_buffers()

    def _make_buffers(self) -> None:
        state, batch = self._state, self._training.batch_size
        weights, dropout = state.weights, self._dropout.keep(state.alive)
        self._lam_alive = self._lam[state.alive]
        self._pass = Pass(
            weights, batch, rule=self._rule, moments=state.moments, dropout=dropout, loss=self._loss
        )
        self._x = np.empty((batch, weights.features), weights.dtype)
        self._shown = -1  # rows that the table had when the last of it was taken

    def _sampling_points(self) -> range | tuple[int, ...]:
        """The updates at which curves are sampled, cycle ends always among them."""
        done, every = self._state.updates, self._training.sample_every
        if done % self._cycle == 0:
            return (done,)
        if every == "cycle":
            return ()
        step = self._batches.per_epoch if every == "epoch" else every
        return range(step, self._training.updates + 1, step)

    def _progress(self) -> Progress:
        updates, table = self._state.updates, self._state.table
        if self._shown != len(table.rows):  # most updates sample nothing
            self._shown = len(table.rows)
            score, left = table.score_column, self._state.departures
            self._latest = table.latest(score, left), table.latest("validation_loss", left)
        scores, losses = self._latest
        return Progress(
            updates=updates,
            total=self._training.updates,
            cycles=updates // self._cycle,
            cycle_end=updates % self._cycle == 0,
            scores=scores,
            losses=losses,
        )
