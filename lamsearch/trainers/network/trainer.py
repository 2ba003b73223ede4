"""The trainer: a cohort of models over one stream of mini-batches.

Enters: normalised splits, the training settings, one log10 λ per model, the seed of the replicate.
Leaves: progress while it trains, its state as arrays, at the end what became of every model.
Refuses to know Optuna, clocks, files, and the test set (but for the curves of a study that
selects nothing).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from lamsearch.metrics import ACCURACY, Metric
from lamsearch.results import Curve, FloatArray, IntArray, Model, Trained, TrialState
from lamsearch.schedules import Schedule
from lamsearch.study import Augment, Network, Training
from lamsearch.trainers.network import export
from lamsearch.trainers.network.batches import MiniBatches
from lamsearch.trainers.network.checkpoint import TrainingState, arrays_of, no_sums, state_from
from lamsearch.trainers.network.curve_table import CurveTable
from lamsearch.trainers.network.departures import Departure
from lamsearch.trainers.network.evaluation import evaluate
from lamsearch.trainers.network.own_settings import OwnSettings
from lamsearch.trainers.network.passes import Pass
from lamsearch.trainers.network.rules import kept_moments, no_moments, rule_of
from lamsearch.trainers.network.weights import Weights, initialise, penalty
from lamsearch.trainers.protocol import Progress, Splits, State


class NetworkTrainer:
    """Trains the models of a cohort, each with its own λ, on the same mini-batches.

    Args:
        splits: normalised training and validation examples.
        training: the schedule, batch size and sampling points.
        log10_lambdas: log10 λ of each model, shape (K,).
        network: layers and what stands between them.
        hidden: hidden units, instead of ``network``.
        classes: classes.
        seed: (study seed, stage, replicate); initial weights and mini-batches follow from it.
        dtype: float32 for training, float64 for checks.
        test: normalised test examples and labels, only for a study that selects nothing.
        schedule: update → learning rate, instead of the one that ``training`` names.
        metric: what scores a validation example.
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
        test: tuple[FloatArray, IntArray] | None = None,
        schedule: Schedule | None = None,
        metric: Metric = ACCURACY,
        per_model: Mapping[str, Sequence[float]] = MappingProxyType({}),
        augment: Augment | None = None,
    ) -> None:
        self._splits, self._training, self._test = splits, training, test
        self._lam = 10.0 ** np.asarray(log10_lambdas, np.float64)
        self._metric, self._asked = metric, None if metric is ACCURACY else metric
        self._batches = MiniBatches(splits, seed, training.batch_size, augment)
        count = len(self._lam)
        own = OwnSettings(per_model, count)
        self._rates = own.rates(training, schedule)
        network = network or Network.model_validate({"hidden": hidden})
        weights = initialise(
            count,
            features=len(splits.mean),
            hidden=network.units,
            classes=classes,
            rng=np.random.default_rng(np.random.SeedSequence(tuple(seed), spawn_key=(0,))),
            dtype=dtype,
            projection=splits.projection,
            network=network,
        )
        self._rule = rule_of(training)
        self._dropout = own.dropout(network, seed)
        self._state = TrainingState(
            updates=0,
            alive=np.arange(count),
            departures={},
            weights=weights,
            moments=no_moments(self._rule, weights),
            sums=no_sums(count),
            table=CurveTable(models=count, tested=test is not None, scored=self._asked is not None),
            scores=np.zeros(
                (count, len(splits.validation_y)), np.bool_ if metric.proportion else np.float32
            ),
        )
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
        return export.outcomes(self._state, self._splits, self._rates, self._cycle, self._metric)

    def curves(self) -> tuple[Curve, ...]:
        """Return every model's curve as far as it has come, in the order of ``log10_lambdas``."""
        table = self._state.table
        return tuple(table.curve(model, self._rates) for model in range(table.models))

    def models(self) -> tuple[Model | None, ...]:
        """Return every model's weights, float32; None for one that has left."""
        return export.models(self._state, self._splits)

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
        labels = self._batches.fill(state.updates, self._x)
        self._pass.forward(self._x, state.updates)
        loss, correct = self._pass.loss(labels)
        eta = self._rates(state.updates)[state.alive]
        self._pass.step(labels, eta=eta, lam=self._lam[state.alive])
        state.updates += 1
        state.sums.updates += 1
        state.sums.loss += loss
        state.sums.correct += np.count_nonzero(correct, axis=1)
        self._fail(np.isfinite(loss), "loss")

    def _sample(self) -> None:
        """Write a row of every curve; the models that have left get NaN."""
        square = penalty(self._state.weights)
        self._fail(np.isfinite(square), "penalty")
        square = square[np.isfinite(square)]
        state, sums = self._state, self._state.sums
        if not len(state.alive):
            return
        added = self._lam[state.alive] * square
        seen = sums.updates * self._training.batch_size
        loss = sums.loss / sums.updates
        columns = [loss, loss + added, sums.correct / seen]
        splits, tests = self._splits, () if self._test is None else (self._test,)
        validation = evaluate(state.weights, splits.validation_x, splits.validation_y, self._asked)
        results = [validation, *(evaluate(state.weights, x, y) for x, y in tests)]
        for result in results:
            columns += [result.loss, result.loss + added, result.accuracy]
        state.scores[state.alive] = validation.correct
        if validation.scores is not None:
            state.scores[state.alive] = validation.scores
            columns.append(validation.scores.mean(axis=1))
        values = state.table.add(state.updates, state.alive, columns)
        state.sums = no_sums(len(state.alive))
        self._fail(np.asarray(np.isfinite(values).all(axis=1)), "cost")

    def _fail(self, finite: npt.NDArray[np.bool_], what: str) -> None:
        if finite.all():
            return
        updates = self._state.updates
        rates, reason = self._rates(updates - 1), f"{what} no longer finite at update {updates}"
        self._take_out(
            finite,
            TrialState.FAIL,
            lambda model: f"{reason} (learning rate {rates[model]:.4g})",
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
        self._pass = Pass(weights, batch, rule=self._rule, moments=state.moments, dropout=dropout)
        self._x = np.empty((batch, weights.features), weights.dtype)

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
        updates = self._state.updates
        return Progress(
            updates=updates,
            total=self._training.updates,
            cycles=updates // self._cycle,
            cycle_end=updates % self._cycle == 0,
            scores=self._latest(self._state.table.score_column),
            losses=self._latest("validation_loss"),
        )

    def _latest(self, column: str) -> FloatArray | None:
        """A column of the last row, NaN for all that have left since as well."""
        values = self._state.table.latest(column)
        if values is not None:
            values[list(self._state.departures)] = np.nan
        return values
