"""The trainer: a cohort of nets over one stream of mini-batches.

Enters: normalised splits, the training settings, one log10 λ per net, the seed of the replicate.
Leaves: progress while it trains, its state as arrays, at the end what became of every net.
Refuses to know Optuna, clocks, files, and the test set (but for the curves of a study that
selects nothing).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from itertools import pairwise
from typing import Protocol

import numpy as np
import numpy.typing as npt

from lamsearch.network import Nets, Pass, initialise, penalty
from lamsearch.results import Curve, FloatArray, IntArray, Model, Trained, TrialState
from lamsearch.schedules import Schedule, schedule_of
from lamsearch.study import Training

State = dict[str, npt.NDArray[np.generic]]
STATE_VERSION = 1  # grows when a state's arrays, or what is computed from them, change
_EVALUATED_AT_ONCE = 1000  # images; bounds the buffers of an evaluation
_METRICS = ("loss", "cost", "accuracy")
# columns of a curve's row: training's three stand first
_VALIDATION_LOSS, _VALIDATION_ACCURACY = 3, 5


class Splits(Protocol):
    """What the trainer needs of a data set: normalised images (n, F), labels (n,), F statistics.

    ``projection`` (features, F) leads from all features to the F components the nets see, or is
    None where they see all.
    """

    @property
    def train_x(self) -> FloatArray: ...  # noqa: D102 - named by the class docstring
    @property
    def train_y(self) -> IntArray: ...  # noqa: D102
    @property
    def validation_x(self) -> FloatArray: ...  # noqa: D102
    @property
    def validation_y(self) -> IntArray: ...  # noqa: D102
    @property
    def mean(self) -> FloatArray: ...  # noqa: D102
    @property
    def std(self) -> FloatArray: ...  # noqa: D102
    @property
    def projection(self) -> FloatArray | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a cohort stands: updates done of all, cycles done.

    ``accuracies`` and ``losses`` are the nets' validation scores (K,) at the last sampling point,
    NaN for one that has left; None before the first. ``cycle_end`` says that a cycle has just
    ended.
    """

    updates: int
    total: int
    cycles: int
    cycle_end: bool
    accuracies: FloatArray | None
    losses: FloatArray | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Mean loss (K,), accuracy (K,), and correctness per image (K, n) of K nets on a split."""

    loss: npt.NDArray[np.float64]
    accuracy: npt.NDArray[np.float64]
    correct: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Left:
    """How a net left before the end: FAIL or PRUNED, why, after how many updates."""

    state: str
    reason: str
    updates: int


class Batches:
    """The stream of mini-batches of one replicate: a new order each epoch, a remainder dropped.

    The order of epoch e depends on the seed and e alone, so the update count is all that a
    resumed training needs to find its place.
    """

    def __init__(self, seed: Sequence[int], images: int, batch_size: int) -> None:
        self.per_epoch = images // batch_size
        self._seed, self._images, self._batch_size = tuple(seed), images, batch_size
        self._epoch, self._order = -1, np.empty(0, np.int64)

    def __getitem__(self, update: int) -> IntArray:
        """Return the positions (batch,) of the images of an update, counted from 0."""
        epoch, batch = divmod(update, self.per_epoch)
        if epoch != self._epoch:
            sequence = np.random.SeedSequence(self._seed, spawn_key=(1, epoch))
            self._epoch = epoch
            self._order = np.random.default_rng(sequence).permutation(self._images)
        return self._order[batch * self._batch_size : (batch + 1) * self._batch_size]


class Trainer:
    """Trains the nets of a cohort, each with its own λ, on the same mini-batches.

    Args:
        splits: normalised training and validation images.
        training: the schedule, batch size and sampling points.
        log10_lambdas: log10 λ of each net, shape (K,).
        hidden: hidden units.
        classes: classes.
        seed: (study seed, stage, replicate); initial weights and mini-batches follow from it.
        dtype: float32 for training, float64 for checks.
        test: normalised test images and labels, only for a study that selects nothing.
        schedule: update → learning rate, instead of the one that ``training`` names.
    """

    def __init__(
        self,
        splits: Splits,
        training: Training,
        log10_lambdas: Sequence[float],
        *,
        hidden: int,
        classes: int,
        seed: Sequence[int],
        dtype: npt.DTypeLike = np.float32,
        test: tuple[FloatArray, IntArray] | None = None,
        schedule: Schedule | None = None,
    ) -> None:
        self._splits, self._training, self._test = splits, training, test
        self._lam = 10.0 ** np.asarray(log10_lambdas, np.float64)
        self._rate = schedule or schedule_of(training)
        self._batches = Batches(seed, len(splits.train_y), training.batch_size)
        self._alive = np.arange(len(self._lam))
        self._left: dict[int, _Left] = {}
        self._updates = 0
        self._points: list[int] = []
        self._rows: list[FloatArray] = []
        rng = np.random.default_rng(np.random.SeedSequence(tuple(seed), spawn_key=(0,)))
        nets = initialise(
            len(self._lam),
            features=len(splits.mean),
            hidden=hidden,
            classes=classes,
            rng=rng,
            dtype=dtype,
            projection=splits.projection,
        )
        self._correct = np.zeros((len(self._lam), len(splits.validation_y)), np.bool_)
        self._set_nets(nets)
        self._forget_sums()

    @property
    def updates(self) -> int:
        """Updates done."""
        return self._updates

    @property
    def nets(self) -> Nets:
        """The nets that are still in training."""
        return self._nets

    def run(self) -> Iterator[Progress]:
        """Train to the end; yield after every update, when the state is whole.

        A net whose cost is no longer finite is taken out with the reason; the others go on.
        """
        while self._updates < self._training.updates and len(self._alive):
            # a net that diverges overflows on its way out; it is caught by its loss
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                self._update()
                if self._updates in self._sampling_points():
                    self._sample()
            yield self._progress()

    def drop(self, reasons: Mapping[int, str]) -> None:
        """Take nets out as PRUNED, each with its reason; the others go on in narrower matrices.

        Only where all have just been evaluated, such as a cycle end: their scores are those of
        that point. A net that has left already stays as it is. The reasons are whoever decides's.

        Raises:
            ValueError: The nets have trained on since they were last evaluated.
        """
        if self._points[-1:] != [self._updates]:
            raise ValueError(f"nets are dropped where they are evaluated, got {self._updates}")
        stay = ~np.isin(self._alive, list(reasons))
        self._take_out(stay, TrialState.PRUNED, lambda net: reasons[net])

    def outcomes(self) -> tuple[Trained, ...]:
        """Return what became of every net, in the order of ``log10_lambdas``, once it has run.

        ``train_accuracy`` is measured here, on the whole training split.
        """
        alive = {int(net): place for place, net in enumerate(self._alive)}
        with np.errstate(over="ignore", invalid="ignore"):
            x, y = self._splits.train_x, self._splits.train_y
            train = evaluate(self._nets, x, y).accuracy if alive else np.empty(0)
        return tuple(
            self._trained(net, float(train[alive[net]]))
            if net in alive
            else self._trained_in_part(net)
            for net in range(len(self._lam))
        )

    def curves(self) -> tuple[Curve, ...]:
        """Return every net's curve as far as it has come, in the order of ``log10_lambdas``."""
        return tuple(self._curve(net) for net in range(len(self._lam)))

    def models(self) -> tuple[Model | None, ...]:
        """Return every net's weights, float32; None for one that has left."""
        models: list[Model | None] = [None] * len(self._lam)
        for place, net in enumerate(self._alive):
            models[int(net)] = Model(
                W1=self._all_features(self._nets.first_layer(place)),
                b1=self._nets.b1.reshape(self._nets.count, -1)[place].astype(np.float32),
                W2=self._nets.W2[place].astype(np.float32),
                b2=self._nets.b2[place].astype(np.float32),
                mean=self._splits.mean,
                std=self._splits.std,
            )
        return tuple(models)

    def state(self) -> State:
        """Return all that a resumed training needs to end with the same bits, as arrays."""
        width = len(_METRICS) * (3 if self._test is not None else 2)
        rows = np.stack(self._rows) if self._rows else np.empty((0, len(self._lam), width))
        return {
            "updates": np.array(self._updates),
            "alive": self._alive,
            "left": np.array(json.dumps({net: astuple(one) for net, one in self._left.items()})),
            "V": self._nets.V,
            "scale": self._nets.scale,
            "b1": self._nets.b1,
            "W2": self._nets.W2,
            "b2": self._nets.b2,
            "sums": np.stack([self._loss_sum, self._hit_sum]),
            "since": np.array(self._since),
            "points": np.array(self._points, np.int64),
            "rows": rows,
            "correct": self._correct,
        }

    def restore(self, state: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Go on from a state of a trainer that was made with the same arguments.

        Raises:
            ValueError: It is of no such trainer; nothing was changed.
        """
        self._check(state)
        self._updates = int(state["updates"])
        self._alive = np.array(state["alive"], np.int64)
        self._left = _left_from(str(state["left"]))
        names = ("V", "scale", "b1", "W2", "b2")
        self._set_nets(Nets(**{name: np.array(state[name]) for name in names}))
        self._loss_sum, self._hit_sum = np.array(state["sums"], np.float64)
        self._since = int(state["since"])
        self._points = [int(point) for point in state["points"]]
        self._rows = list(np.array(state["rows"], np.float64))
        self._correct = np.array(state["correct"], np.bool_)

    def _check(self, state: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Refuse arrays that cannot be a state of this trainer."""
        expected = self._expected(state)
        if state.keys() != expected.keys():
            raise ValueError(f"must hold {sorted(expected)}, got {sorted(state)}")
        for name, (kind, shape) in expected.items():
            array = state[name]
            if not array.dtype.name.startswith(kind) or array.shape != shape:
                raise ValueError(f"{name}: must be {shape}, got {array.dtype} {array.shape}")
        updates, since = int(state["updates"]), int(state["since"])
        if not 0 <= since <= updates <= self._training.updates:
            raise ValueError(f"updates: must be at most {self._training.updates}, got {updates}")
        points = [0, *map(int, state["points"]), updates + 1]
        if any(one >= other for one, other in pairwise(points)):
            raise ValueError(f"points: must grow up to the {updates} updates")
        alive, left = [int(net) for net in state["alive"]], _left_from(str(state["left"]))
        if alive != sorted(alive) or sorted([*alive, *left]) != list(range(len(self._lam))):
            raise ValueError(f"alive, left: must be the {len(self._lam)} nets between them")

    def _expected(
        self, state: Mapping[str, npt.NDArray[np.generic]]
    ) -> dict[str, tuple[str, tuple[int, ...]]]:
        """The type and the shape of each array of a state, as far as it says its lengths."""
        features, (_, hidden, classes) = self._nets.V.shape[0], self._nets.W2.shape
        lengths = [state[name].size if name in state else 0 for name in ("alive", "points")]
        (alive, points), width = lengths, len(_METRICS) * (3 if self._test is not None else 2)
        weights = self._nets.V.dtype.name
        return {
            "updates": ("int", ()), "since": ("int", ()), "left": ("str", ()),
            "alive": ("int", (alive,)), "points": ("int", (points,)),
            "V": (weights, (features, alive * hidden)), "scale": ("float64", (alive,)),
            "b1": (weights, (alive * hidden,)), "W2": (weights, (alive, hidden, classes)),
            "b2": (weights, (alive, classes)), "sums": ("float64", (2, alive)),
            "rows": ("float64", (points, len(self._lam), width)),
            "correct": ("bool", self._correct.shape),
        }  # fmt: skip

    def _all_features(self, W1: FloatArray) -> FloatArray:
        """The first layer as it acts on all normalised features, float32."""
        projection = self._splits.projection
        return (W1 if projection is None else projection @ W1).astype(np.float32)

    def _update(self) -> None:
        rows = self._batches[self._updates]
        np.take(self._splits.train_x, rows, axis=0, out=self._x, mode="clip")
        labels = self._splits.train_y[rows]
        self._pass.forward(self._x)
        loss, hits = self._pass.loss(labels)
        eta = self._rate(self._updates)
        self._pass.step(self._x, labels, eta=eta, lam=self._lam[self._alive])
        self._updates += 1
        self._since += 1
        self._loss_sum += loss
        self._hit_sum += np.count_nonzero(hits, axis=1)
        self._fail(np.isfinite(loss), "loss")

    def _sample(self) -> None:
        """Write a row of every curve; the nets that have left get NaN."""
        square = penalty(self._nets)
        self._fail(np.isfinite(square), "penalty")
        square = square[np.isfinite(square)]
        if not len(self._alive):
            return
        added = self._lam[self._alive] * square
        seen = self._since * self._training.batch_size
        loss = self._loss_sum / self._since
        columns = [loss, loss + added, self._hit_sum / seen]
        held_out = [(self._splits.validation_x, self._splits.validation_y)]
        results = [
            evaluate(self._nets, x, y)
            for x, y in held_out + ([self._test] if self._test is not None else [])
        ]
        for result in results:
            columns += [result.loss, result.loss + added, result.accuracy]
        self._correct[self._alive] = results[0].correct
        row = np.full((len(self._lam), len(columns)), np.nan)
        row[self._alive] = np.stack(columns, axis=1)
        self._points.append(self._updates)
        self._rows.append(row)
        self._forget_sums()
        self._fail(np.isfinite(row[self._alive]).all(axis=1), "cost")

    def _fail(self, finite: npt.NDArray[np.bool_], what: str) -> None:
        if finite.all():
            return
        reason = (
            f"{what} no longer finite at update {self._updates} "
            f"(learning rate {self._rate(self._updates - 1):.4g})"
        )
        self._take_out(finite, TrialState.FAIL, lambda _: reason)

    def _take_out(
        self, stays: npt.NDArray[np.bool_], state: TrialState, reason: Callable[[int], str]
    ) -> None:
        if stays.all():
            return
        for net in map(int, self._alive[~stays]):
            self._left[net] = _Left(state.value, reason(net), self._updates)
        stay = np.flatnonzero(stays)
        self._alive = self._alive[stay]
        self._loss_sum, self._hit_sum = self._loss_sum[stay], self._hit_sum[stay]
        self._set_nets(self._nets.keep(stay))

    def _set_nets(self, nets: Nets) -> None:
        batch = self._training.batch_size
        self._nets, self._pass = nets, Pass(nets, batch)
        self._x = np.empty((batch, nets.V.shape[0]), nets.V.dtype)

    def _forget_sums(self) -> None:
        self._since = 0
        self._loss_sum = np.zeros(len(self._alive))
        self._hit_sum = np.zeros(len(self._alive))

    def _sampling_points(self) -> range | tuple[int, ...]:
        """The updates at which curves are sampled, cycle ends always among them."""
        done, every = self._updates, self._training.sample_every
        if done % (2 * self._training.step_size) == 0:
            return (done,)
        if every == "cycle":
            return ()
        step = self._batches.per_epoch if every == "epoch" else every
        return range(step, self._training.updates + 1, step)

    def _progress(self) -> Progress:
        return Progress(
            updates=self._updates,
            total=self._training.updates,
            cycles=self._updates // (2 * self._training.step_size),
            cycle_end=self._updates % (2 * self._training.step_size) == 0,
            accuracies=self._latest(_VALIDATION_ACCURACY),
            losses=self._latest(_VALIDATION_LOSS),
        )

    def _latest(self, column: int) -> FloatArray | None:
        """A column of the last row, NaN for all that have left since as well."""
        if not self._rows:
            return None
        values = self._rows[-1][:, column].copy()
        values[list(self._left)] = np.nan
        return values

    def _trained(self, net: int, train_accuracy: float | None) -> Trained:
        curve = self._curve(net)
        ends = curve.updates % (2 * self._training.step_size) == 0
        return Trained(
            state=TrialState.COMPLETE,
            validation_accuracy=float(curve.validation_accuracy[-1]),
            validation_loss=float(curve.validation_loss[-1]),
            train_accuracy=train_accuracy,
            cycle_accuracies=tuple(float(value) for value in curve.validation_accuracy[ends]),
            curve=curve,
            correct=self._correct[net].copy(),
        )

    def _trained_in_part(self, net: int) -> Trained:
        left, curve = self._left[net], self._curve(net)
        if left.state == TrialState.FAIL:
            return Trained(
                state=TrialState.FAIL, reason=left.reason, updates=left.updates, curve=curve
            )
        return replace(
            self._trained(net, None),
            state=TrialState.PRUNED, reason=left.reason, updates=left.updates,
        )  # fmt: skip

    def _curve(self, net: int) -> Curve:
        """The rows of one net up to the last that is finite."""
        width = len(_METRICS) * (3 if self._test is not None else 2)
        table = np.stack([row[net] for row in self._rows]) if self._rows else np.empty((0, width))
        whole = np.isfinite(table).all(axis=1)
        updates = np.array(self._points, np.int64)[whole]
        names = [f"{split}_{metric}" for split in ("training", "validation") for metric in _METRICS]
        if self._test is not None:
            names += [f"test_{metric}" for metric in _METRICS]
        columns = {name: table[whole, place] for place, name in enumerate(names)}
        rates = np.array([self._rate(int(update)) for update in updates])
        return Curve(updates=updates, learning_rate=rates, **columns)


def _left_from(text: str) -> dict[int, _Left]:
    """Which nets have left, from the JSON of a state."""
    try:
        found = {int(net): _Left(*one) for net, one in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"left: must say which nets have left, got {text[:60]!r}") from error
    kinds = (TrialState.FAIL, TrialState.PRUNED)
    for one in found.values():
        if one.state not in kinds or type(one.reason) is not str or type(one.updates) is not int:
            raise ValueError(f"left: must say why and when a net has left, got {text[:60]!r}")
    return found


def evaluate(nets: Nets, x: FloatArray, y: IntArray) -> Evaluation:
    """Return loss, accuracy and correctness of K nets on normalised x (n, F), labels (n,)."""
    count, images = nets.count, len(y)
    loss, correct = np.zeros(count), np.empty((count, images), np.bool_)
    work: Pass | None = None
    size = 0
    for start in range(0, images, _EVALUATED_AT_ONCE):
        part = slice(start, min(start + _EVALUATED_AT_ONCE, images))
        labels = y[part]
        if work is None or len(labels) != size:
            work, size = Pass(nets, len(labels)), len(labels)
        work.forward(np.ascontiguousarray(x[part]))
        mean, correct[:, part] = work.loss(labels)
        loss += mean * len(labels)
    return Evaluation(loss=loss / images, accuracy=correct.mean(axis=1), correct=correct)
