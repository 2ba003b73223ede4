"""The source report's experiments as study files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lamsearch.study import Coarse, Fine, Study, read_study

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "studies" / "report"
NAMES = sorted(path.stem for path in FOLDER.glob("*.toml"))
PUBLISHED = -3.8307  # log10 of 1.4766e-4

# (batch, n_s, cycles, η_max, training images or None for batch 1), as source-report.md has them
SETTINGS = {
    "r2": (100, 500, 1, 0.1, None),
    "r2-low": (100, 500, 1, 0.01, None),
    "r3": (100, 800, 3, 0.1, None),
    "r3-low": (100, 800, 3, 0.01, None),
    "r4": (1000, 45, 1, 0.1, 45_000),
    "r4-hundred": (100, 450, 1, 0.1, 45_000),
    "r5": (1000, 45, 3, 0.1, 45_000),
    "r5-first": (1000, 45, 3, 0.1, 45_000),
    "r5-second": (1000, 45, 3, 0.1, 45_000),
    "r5-third": (1000, 45, 3, 0.1, 45_000),
    "r6": (100, 1960, 3, 0.1, 49_000),
    "r4-as-run": (1000, 196, 2, 0.1, 49_000),
    "r4-as-run-three": (1000, 196, 2, 0.1, 49_000),
    "r5-as-run": (1000, 196, 3, 0.1, 49_000),
    "r5-as-run-first": (1000, 196, 3, 0.1, 49_000),
    "r5-as-run-second": (1000, 196, 3, 0.1, 49_000),
    "r5-as-run-third": (1000, 196, 3, 0.1, 49_000),
    "r6-as-run": (100, 1960, 3, 0.1, 49_000),
    "mistake-a": (100, 900, 2, 0.1, 45_000),
    "mistake-a-training": (100, 1960, 3, 0.1, 49_000),
    "mistake-a-short": (100, 1960, 3, 0.1, 49_000),
    "mistake-a-full": (100, 1960, 3, 0.1, 49_000),
    "mistake-b": (1000, 45, 1, 0.1, 49_000),
    "mistake-c": (100, 1960, 3, 0.1, 49_000),
    "r9-5000": (100, 900, 2, 0.1, 5_000),
    "r9-10000": (100, 900, 2, 0.1, 10_000),
    "r9-20000": (100, 900, 2, 0.1, 20_000),
    "r9-45000": (100, 900, 2, 0.1, 45_000),
    "r9-5000-epochs": (100, 100, 2, 0.1, 5_000),
    "r9-10000-epochs": (100, 200, 2, 0.1, 10_000),
    "r9-20000-epochs": (100, 400, 2, 0.1, 20_000),
}
GIVEN = {
    "r2": -2.0, "r2-low": -2.0, "r3": -2.0, "r3-low": -2.0, "r5-first": -3.8320,
    "r5-second": PUBLISHED, "r5-third": -3.7699, "r6": PUBLISHED, "mistake-b": PUBLISHED,
    "mistake-c": -2.3744, "r5-as-run-first": -3.8320, "r5-as-run-second": PUBLISHED,
    "r5-as-run-third": -3.7699, "r6-as-run": PUBLISHED,
}  # fmt: skip


def study(name: str) -> Study:
    """Return one of the report's studies."""
    return read_study(FOLDER / f"{name}.toml")


def test_every_experiment_that_trains_has_its_study() -> None:
    """The table above names exactly the files of studies/report."""
    assert sorted(SETTINGS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_settings_are_the_report_s(name: str) -> None:
    """Schedule, network and data are those of the source report."""
    one = study(name)
    settings = one.training_of(one.stages[-1])
    train, validation = one.split_of(one.stages[-1])
    assert (settings.batch_size, settings.step_size, settings.cycles) == SETTINGS[name][:3]
    assert (settings.eta_min, settings.eta_max, train) == (_eta_min(name), *SETTINGS[name][3:])
    assert (settings.schedule, one.network.hidden) == ("triangular", 50)
    assert validation == {None: None, 49_000: 1_000}.get(train, 5_000)
    if train is None:
        assert (one.data.train_batches, one.data.validation_batches) == ((1,), (2,))
        assert settings.sample_every == 20


def _eta_min(name: str) -> float:
    return 1e-6 if "as-run" in name else 1e-5


@pytest.mark.parametrize(("name", "updates"), [
    ("r4", 90), ("r4-as-run", 784), ("r4-as-run-three", 784), ("r5", 270), ("r5-as-run", 1_176),
    ("r5-as-run-second", 1_176), ("r6", 11_760), ("r6-as-run", 11_760),
])  # fmt: skip
def test_what_ran_is_longer_than_what_was_written_down(name: str, updates: int) -> None:
    """The report's code made 784 and 1,176 updates where the report speaks of 90 and 270."""
    one = study(name)
    settings = one.training_of(one.stages[-1])
    train, _ = one.split_of(one.stages[-1])
    assert settings.updates == updates
    if "as-run" in name:
        assert train is not None
        assert settings.step_size == 4 * train // settings.batch_size


@pytest.mark.parametrize("name", NAMES)
def test_a_study_either_searches_or_opens_the_test_set(name: str) -> None:
    """A study that searches has no final; a final has its λ given, and five replicates."""
    one = study(name)
    assert one.name == f"report-{name}"
    assert len(one.stages) == 1
    if one.final is not None:
        assert one.final.log10_lambda is not None
        assert one.final.replicates == 5
    if name in GIVEN:
        assert one.final is not None
        assert one.final.log10_lambda == pytest.approx(GIVEN[name], abs=1e-4)


def test_the_searches_are_the_report_s() -> None:
    """R4 draws 15 from [-5, -1]; R5 draws 15 from the span of the report's best coarse λs."""
    for suffix in ("", "-as-run"):
        _check_searches(study(f"r4{suffix}").coarse, study(f"r5{suffix}").fine)


def _check_searches(coarse: Coarse | None, fine: Fine | None) -> None:
    assert coarse is not None
    assert fine is not None
    assert (coarse.trials, coarse.log10_lambda, coarse.sampler) == (15, (-5.0, -1.0), "random")
    assert (fine.trials, fine.sampler) == (15, "random")
    assert fine.log10_lambda == pytest.approx((-3.8908, -3.7502), abs=1e-4)


def test_table_1_has_its_three_lambdas() -> None:
    """The study of table 1's λs holds those three, in the order of the table."""
    coarse = study("r4-as-run-three").coarse
    assert coarse is not None
    assert coarse.values is not None
    table = (0.00017243318991509566, 0.00012858001895121613, 0.000177731895593419)
    assert [10**value for value in coarse.values] == pytest.approx(table, rel=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_says_what_it_reproduces(name: str) -> None:
    """The first line of each file names what it is, the second what the report says of it."""
    first, second = (FOLDER / f"{name}.toml").read_text(encoding="utf-8").splitlines()[:2]
    assert re.match(r"# .*(R\d of the source report)", first)
    assert re.match(r"# .*(published|report)", second, re.IGNORECASE)


def test_the_document_has_all_nine() -> None:
    """docs/source-report.md has every experiment, every study that it needs, and its pictures."""
    text = (ROOT / "docs/source-report.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\bR[1-9]\b", text)) == {f"R{number}" for number in range(1, 10)}
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert (ROOT / "docs" / target).exists(), target
    begun = re.findall(r"<!-- (?!end of)(\S+) -->\n(.*?)<!-- end of \1 -->", text, re.DOTALL)
    assert {name for name, _ in begun} == {
        "overview", "run", "r1", "r2-r3", "r4", "r5", "r6", "r8", "r9",
        "overview-as-run", "run-as-run", "r4-as-run", "r5-as-run", "r6-as-run",
    }  # fmt: skip
    assert all(filled.strip() for _, filled in begun)
