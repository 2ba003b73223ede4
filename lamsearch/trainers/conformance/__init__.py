"""Whether a trainer keeps to the protocol: for the tests of whoever writes one.

Enters: a kind of trainer. Leaves: nothing, or the first rule that it breaks, in a sentence. Tried
on a small task with drawn examples; needs no study, storage or worker.
"""

from __future__ import annotations

from typing import Any

from lamsearch.trainers.conformance.case import Case
from lamsearch.trainers.conformance.rules import RULES, NonconformantError, Rule
from lamsearch.trainers.kind import TrainerKind

__all__ = ["RULES", "Case", "NonconformantError", "Rule", "check_trainer"]


def check_trainer(kind: TrainerKind, **case: Any) -> None:
    """Hold a kind of trainer to every rule that lamsearch relies on.

    In pytest each rule can be a test of its own:
    ``@pytest.mark.parametrize("rule", RULES)``, and ``rule(Case(kind=KIND))`` in it.

    Args:
        kind: the trainer.
        case: further arguments of `Case`, such as ``options`` or ``seeded=False``.

    Raises:
        NonconformantError: It breaks a rule, which the sentence states with what it did.
        TrainerFailedError: It raised, or answered what no trainer answers.
    """
    tried = Case(kind=kind, **case)
    for rule in RULES:
        rule(tried)
