"""The range test's rule: what a ramp of the learning rate says about a cycle's two bounds.

Enters: a `RateRamp`. Leaves: a `RateRange`. Pure; refuses to know how the ramp was run.

1. A replicate has diverged at the first point where its training loss is no longer finite or
   above 1.5 times the untrained models' loss. Points from the first such one on are left out.
2. Read are the means over replicates of training loss and validation score; where their best is
   looked for, as running medians of five points. Their noise σ comes from second differences,
   which a trend leaves alone: σ = 1.4826 · median|Δ²| / √6.
3. The loss must have fallen, from the untrained models' to its lowest, by 2 % and by 5σ, or nothing
   is suggested.
4. eta_min: the rate of the last point before the loss has fallen, for three points running, by a
   tenth of its whole fall; the ramp's start where it has at the first.
5. A curve turns once it is worse than its best so far by more than a tenth of its whole change and
   3σ; falling and ragged scores both do so. The rate of that best is where it turned.
6. eta_max: the lowest of where the loss turned, where the score turned, and half the rate of
   divergence; the ramp's end where there is none of these.

Source: Smith (2015), Cyclical Learning Rates for Training Neural Networks, arXiv:1506.01186,
section 3.3: the rates where the score starts to rise, and where it becomes ragged or falls. The
numbers in the rule are ours.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lamsearch.results import FloatArray, RateRamp, RateRange

DIVERGED = 1.5  # times the untrained models' loss
_WINDOW = 5  # points in a running median
_LEAST_FALL, _LEAST_FALL_NOISE = 0.02, 5.0
_ONSET, _ONSET_POINTS = 0.1, 3
_TURN, _TURN_NOISE = 0.1, 3.0
_BELOW_DIVERGENCE = 0.5

_Doubles = npt.NDArray[np.float64]


def suggest(ramp: RateRamp) -> RateRange:
    """Return the bounds that ``ramp`` suggests, by the rule above."""
    end = _divergence(ramp)
    diverged_at = None if end is None else float(ramp.learning_rate[end])
    if end is not None and end < _WINDOW:
        return _none(diverged_at, f"the models diverge at the ramp's very start, by rate "
                     f"{diverged_at:.3g}: give a lower --to")  # fmt: skip
    rates = ramp.learning_rate[:end]
    loss = ramp.training_loss[:, :end].mean(axis=0)
    fall = ramp.untrained_loss - _running_median(loss).min()
    if fall < max(_LEAST_FALL * ramp.untrained_loss, _LEAST_FALL_NOISE * _noise(loss)):
        return _none(diverged_at, "nothing was learned on this ramp: the training loss never fell "
                     f"clearly below the untrained models' {ramp.untrained_loss:.3g}")  # fmt: skip
    onset = _onset(loss, ramp.untrained_loss - _ONSET * fall)
    eta_min = float(ramp.low if onset == 0 else rates[onset - 1])
    eta_max, why = _upper(ramp, rates, loss, diverged_at)
    if eta_max <= eta_min:
        return _none(diverged_at, f"learning starts at rate {eta_min:.3g}, and {eta_max:.3g} is "
                     "too high already: give a lower --from and more --epochs")  # fmt: skip
    return RateRange(
        eta_min=eta_min,
        eta_max=eta_max,
        why=why or "the ramp's end",
        diverged_at=diverged_at,
        notes=_notes(float(rates[0]), at_once=onset == 0, never_too_high=why is None),
    )


def _notes(first: float, *, at_once: bool, never_too_high: bool) -> tuple[str, ...]:
    notes = []
    if at_once:
        notes.append(
            f"the loss falls from the first point on (rate {first:.3g}): eta_min is the ramp's "
            "start, and the ramp cannot tell a lower from a higher one below that point"
        )
    if never_too_high:
        notes.append(
            "the ramp never got too high: eta_max is its end; a higher --to shows where it is"
        )
    return tuple(notes)


def _none(diverged_at: float | None, note: str) -> RateRange:
    return RateRange(eta_min=None, eta_max=None, why=None, diverged_at=diverged_at, notes=(note,))


def _divergence(ramp: RateRamp) -> int | None:
    """The first point at which a replicate has diverged."""
    with np.errstate(invalid="ignore"):
        well = ramp.training_loss <= DIVERGED * ramp.untrained_loss
    lost = np.flatnonzero(~(well & np.isfinite(ramp.validation_score)).all(axis=0))
    return int(lost[0]) if len(lost) else None


def _upper(
    ramp: RateRamp, rates: FloatArray, loss: _Doubles, diverged_at: float | None
) -> tuple[float, str | None]:
    """The lowest rate that is called too high, and why; the ramp's end and None without one."""
    score = ramp.validation_score[:, : len(rates)].mean(axis=0)
    found: list[tuple[float, str]] = []
    fell = f"the validation {ramp.metric.title} falls or becomes ragged"
    for curve, start, why in (
        (loss, ramp.untrained_loss, "the training loss turns up"),
        (
            -score,
            -ramp.untrained_score,
            fell,
        ),
    ):
        best = _turn(curve, start)
        if best is not None:
            found.append((float(rates[best]), why))
    if diverged_at is not None:
        found.append((_BELOW_DIVERGENCE * diverged_at, "half the rate at which models diverge"))
    return min(found, default=(float(rates[-1]), None))


def _turn(curve: _Doubles, start: float) -> int | None:
    """The lowest point of a curve before it rises clearly, None where it never does."""
    smooth = _running_median(curve)
    clearly = max(_TURN * (start - smooth.min()), _TURN_NOISE * _noise(curve))
    risen = np.flatnonzero(smooth - np.minimum.accumulate(smooth) > clearly)
    return int(smooth[: risen[0]].argmin()) if len(risen) else None


def _onset(loss: _Doubles, threshold: float) -> int:
    """The first of three points running that are all at or below the threshold.

    Where there are none, the lowest point: its fall was too short-lived to show in the mean.
    """
    below = loss <= threshold
    for first in range(len(loss) - _ONSET_POINTS + 1):
        if below[first : first + _ONSET_POINTS].all():
            return first
    return int(loss.argmin())


def _running_median(curve: _Doubles) -> _Doubles:
    """The median of five points about each, of fewer at the ends."""
    half = _WINDOW // 2
    middles = range(len(curve))
    return np.array([np.median(curve[max(0, i - half) : i + half + 1]) for i in middles])


def _noise(curve: _Doubles) -> float:
    """The standard deviation of a point about the curve's trend."""
    return float(1.4826 * np.median(np.abs(np.diff(curve, 2))) / np.sqrt(6))
