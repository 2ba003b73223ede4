from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from storage_stub import Window, work_in_a_process

from lamsearch.storage import Database, read_study
from lamsearch.study import Study

WORKERS = 6


def test_six_processes_plan_a_study_once_and_finish_every_trial_once(
    empty_storage_url: str,
    small_study: Callable[..., Study],
    open_database: Callable[[str], Database],
) -> None:
    """Six processes that open one empty storage, plan the same study and work on it, all at the
    same moment, leave every planned trial complete exactly once, no row too many and no error."""
    study = small_study(cohort=2, coarse={"trials": 12}, fine={"trials": 8})
    # forked from a server that has imported, and opened, nothing of this process
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload(["lamsearch.storage", "lamsearch.study"])
    gate, reported = forks.Barrier(WORKERS), forks.Queue()
    processes = [
        forks.Process(
            target=work_in_a_process,
            args=(empty_storage_url, study.canonical(), f"worker-{number}", gate, reported),
        )
        for number in range(WORKERS)
    ]
    for process in processes:
        process.start()
    reports = [reported.get(timeout=120) for _ in processes]
    for process in processes:
        process.join(60)
    assert [error for *_, error in reports if error] == []
    assert len({study_id for _, study_id, _, _ in reports}) == 1

    record = read_study(open_database(empty_storage_url), "small")
    assert record.finished
    cohorts = Counter(cohort for _, _, done, _ in reports for cohort in done)
    assert set(cohorts.values()) == {1}
    planned = {(s.name, False, t.cohort) for s in record.stages.values() for t in s.trials}
    assert set(cohorts) == planned | {("final", True, 0)}
    assert {name: stage.planned for name, stage in record.stages.items()} == {
        "coarse": 12, "fine": 8, "final": 2, "finalists": record.stages["finalists"].planned,
    }  # fmt: skip

    window = Window(empty_storage_url)
    states = {f"small/{name}": {"COMPLETE": s.planned} for name, s in record.stages.items()}
    assert window.states() == states
    total = sum(stage.planned for stage in record.stages.values())
    rows = window.counts()
    assert (rows["trials"], rows["trial_values"], rows["lamsearch_curve"]) == (total,) * 3
    owners = {t.user_attrs["worker"] for trials in window.trials().values() for t in trials}
    assert owners <= {owner for owner, *_ in reports}
    assert not list(Path.cwd().glob("*.db-journal"))
