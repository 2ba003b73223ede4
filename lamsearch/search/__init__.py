"""The search: a study and what is known of it → what comes next. Pure: knows no database.

Enters: a checked study and the records of its finished stages. Leaves: plans of further trials, the
choice of λ. By validation alone: nothing here can read a test score.
"""

from lamsearch.search.choice import Rule, restated, winner
from lamsearch.search.driver import Mapped, SearchRecord, TrainCohort, carry_out
from lamsearch.search.expected import expected, expected_updates
from lamsearch.search.finalists import extension, finalists, proposals, spacing
from lamsearch.search.narrowing import Batch, further, narrow, searched
from lamsearch.search.plan import (
    CohortPlan,
    StagePlan,
    TrialPlan,
    draw,
    plan_candidates,
    plan_search,
    training_seed,
)
from lamsearch.search.prior import observed, seen_before
from lamsearch.search.steps import (
    GIVEN,
    Choose,
    Done,
    Plan,
    Standing,
    Step,
    Test,
    next_step,
    next_steps,
)

__all__ = [
    "GIVEN",
    "Batch",
    "Choose",
    "CohortPlan",
    "Done",
    "Mapped",
    "Plan",
    "Rule",
    "SearchRecord",
    "TrainCohort",
    "TrialPlan",
    "StagePlan",
    "Standing",
    "Step",
    "Test",
    "carry_out",
    "draw",
    "expected",
    "expected_updates",
    "extension",
    "finalists",
    "further",
    "narrow",
    "next_step",
    "next_steps",
    "observed",
    "plan_candidates",
    "plan_search",
    "proposals",
    "restated",
    "searched",
    "seen_before",
    "spacing",
    "training_seed",
    "winner",
]
