import re
import tomllib
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
import study_records as made
from drawn_figures import Drawn
from markdown_it import MarkdownIt

from lamsearch.report import markdown, page, summary
from lamsearch.report.settings import settings_toml
from lamsearch.results import StudyRecord, TrialState

RECORDS: dict[str, Callable[[], StudyRecord]] = {
    "finished": made.finished, "unfinished": made.unfinished, "planned": made.planned_only,
    "final only": made.final_only, "sixty": made.many, "hostile": made.hostile,
}  # fmt: skip


@pytest.fixture(scope="module")
def pages(drawn: Drawn) -> dict[str, str]:
    """Every record's page, drawn once."""
    records = {name: record() for name, record in RECORDS.items()}
    return {name: page(record, drawn(record)) for name, record in records.items()}


class Tags(HTMLParser):
    """Collects every tag with its attributes, and the text outside of style."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag; those that HTML closes by itself never count as open."""
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "img", "source"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the tag that opened last, which must be this one."""
        if tag != "img":  # XHTML writes <img />
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note text."""
        if "style" not in self.open:
            self.text += data


def parsed(text: str) -> Tags:
    """Return the page's tags; every one that opens is closed."""
    tags = Tags()
    tags.feed(text)
    tags.close()
    assert tags.open == []
    return tags


@pytest.mark.parametrize("name", RECORDS)
def test_page_loads_and_runs_nothing(pages: dict[str, str], name: str) -> None:
    """No page has a script, an event handler, a frame, a form or an address outside of itself."""
    found = parsed(pages[name])
    kinds = {tag for tag, _ in found.tags}
    assert not kinds & {"script", "iframe", "object", "embed", "form", "base", "a", "svg", "video"}
    for _, attributes in found.tags:
        assert not [key for key in attributes if key.startswith("on")]
        for key in ("src", "href", "srcset", "poster", "action", "data"):
            assert (attributes.get(key) or "data:").startswith("data:")
    style = re.findall(r"<style>.*?</style>", pages[name], flags=re.DOTALL)
    assert len(style) == 1
    assert "url(" not in style[0]
    assert "@import" not in style[0]


def test_page_forbids_what_it_does_not_need(pages: dict[str, str]) -> None:
    """The page's policy admits inline styles and data images and nothing else."""
    policies = [a["content"] for tag, a in parsed(pages["finished"]).tags
                if a.get("http-equiv") == "Content-Security-Policy"]  # fmt: skip
    assert policies == [
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    ]


@pytest.mark.parametrize("name", RECORDS)
def test_page_is_small(pages: dict[str, str], name: str) -> None:
    """Every page weighs under 2 MB, with 120 trials too."""
    assert len(pages[name].encode()) < 2_000_000


def test_hostile_text_stays_text(pages: dict[str, str]) -> None:
    """Text from outside is shown in the page as it is and is never markup."""
    assert "<script" not in pages["hostile"]
    found = parsed(pages["hostile"])
    assert made.HOSTILE in found.text
    assert found.text.count("<script>alert(1)</script>") > 10


def test_hostile_text_in_markdown() -> None:
    """In report.md text from outside makes no tag, no link and no heading."""
    text = markdown(made.hostile())
    assert "<script" not in text
    html = MarkdownIt("commonmark").enable("table").render(text)
    found = parsed(html)
    assert {tag for tag, _ in found.tags} <= {
        "h1", "h2", "h3", "p", "ul", "li", "strong", "blockquote", "img", "table", "thead", "tbody",
        "tr", "th", "td", "pre", "code",
    }  # fmt: skip
    images = [attributes["src"] for tag, attributes in found.tags if tag == "img"]
    assert images == [
        "figures/accuracy_over_lambda.png", "figures/learning_curves.png",
        "figures/confusion_matrix.png",
    ]  # fmt: skip
    assert made.HOSTILE in found.text
    headings = re.findall(r"<h1>(.*?)</h1>", html, flags=re.DOTALL)
    assert len(headings) == 1
    assert not [heading for heading in re.findall(r"<h2>(.*?)</h2>", html) if "script" in heading]


def test_tables_keep_their_columns() -> None:
    """Every row of a table in report.md has as many cells as its head, whatever is in them."""
    html = MarkdownIt("commonmark").enable("table").render(markdown(made.hostile()))
    tables = re.findall(r"<table>(.*?)</table>", html, flags=re.DOTALL)
    assert len(tables) == 7
    confusion = tables[5]
    assert confusion.count("<th>") + confusion.count("<td>") == 12 * 11
    assert made.HOSTILE.split("|")[0].replace("<", "&lt;").replace(">", "&gt;") in confusion


def test_answer_comes_first(pages: dict[str, str]) -> None:
    """λ, validation accuracy and test accuracy with interval stand before the first figure."""
    for text in (pages["finished"].split("<img")[0], markdown(made.finished()).split("![")[0]):
        for fact in ("0.003162", "-2.5000", "53.83 ± 0.13 %", "52.74 %", "51.72 to 53.76 %",
                     "54.52 %", "highest mean validation accuracy"):  # fmt: skip
            assert fact in text


def test_warnings_and_caveats_are_in_the_answer() -> None:
    """A winner at its edge and shared validation examples are said before the first figure."""
    record = made.finished()
    assert record.selected is not None
    edge = "the chosen log10 λ -2.5 lies at the edge of fine"
    record = replace(record, selected=replace(record.selected, warnings=(edge,)))
    top = markdown(record).split("![")[0]
    assert f"Warning: {edge}" in top
    assert "The finalists share their validation examples" in top
    assert edge in page(record, []).split("<section>")[0]


def test_what_halving_spared_is_said() -> None:
    """A note counts the updates that pruned trials did not need; without any there is none."""
    said = (
        "Halving spared coarse 3,600 of 81,000 planned updates of single models, 1.05 times fewer: "
        "1 of 15 trials left at the end of a cycle"
    )
    assert said in markdown(made.finished())
    assert "Halving" not in markdown(made.final_only())


def close_call(worse: float, chosen: float = -2.5, *, resplit: bool = False) -> str:
    """Return report.md where the second of two finalists is right that much less often."""
    stage = made.stage("finalists", [-2.5, -3.0], replicates=3, with_curve=False)
    rng = np.random.default_rng(0)
    right = [rng.random(2000) < 0.5 - trial.candidate * worse for trial in stage.trials]
    trials = tuple(
        replace(trial, score=float(row.mean()), scores=row)
        for trial, row in zip(stage.trials, right, strict=True)
    )
    data: dict[str, object] = {**made.SETTINGS["data"], "resplit": resplit}  # type: ignore[dict-item]
    settings = {**made.SETTINGS, "data": data, "finalists": {"replicates": 3}}
    stages = {"finalists": replace(stage, trials=trials)}
    record = made.finished(stages=stages, settings=settings if resplit else made.SETTINGS)
    assert record.selected is not None
    return markdown(replace(record, selected=replace(record.selected, point=(chosen,))))


def test_paired_differences_distinguish_candidates() -> None:
    """Finalists that are right equally often cannot be distinguished; ten points of difference can,
    and the table has the difference with its interval."""
    said = "cannot be distinguished from log₁₀ λ = -3.000"
    alike, worse = close_call(0.0), close_call(0.1)
    assert said in alike
    assert said not in worse
    assert "The chosen λ is distinguishable from every other one of its stage" in worse
    assert "## The chosen λ against the others" in worse
    (row,) = [line for line in worse.splitlines() if "| distinguishable" in line]
    better, interval = (cell.strip() for cell in row.split("|")[2:4])
    low, high = (float(part) for part in interval.split(" to "))
    assert 0 < low < float(better) < high


def test_differences_over_redrawn_splits_are_said_to_be_such() -> None:
    """Where replicates have splits of their own, that is what the intervals are over, they are
    wider, and the finalists share no validation examples with the search."""
    shared, own = close_call(0.0), close_call(0.0, resplit=True)
    assert "differences, over seeds and validation examples." in shared
    assert "differences, over seeds and splits." in own
    assert "share their validation examples" in shared
    assert "share their validation examples" not in own
    widths = []
    for text in (shared, own):
        (row,) = [line for line in text.splitlines() if "| cannot be distinguished" in line]
        low, high = (float(part) for part in row.split("|")[3].split(" to "))
        widths.append(high - low)
    assert widths[1] > widths[0]


def test_a_choice_between_those_tried_is_compared_by_the_nearest() -> None:
    """Of a λ that a model chose it is said that, and which, tried one is compared in its place."""
    alike, worse = close_call(0.0, chosen=-2.6), close_call(0.1, chosen=-2.6)
    instead = "The chosen λ lies between those tried; the nearest of them, log₁₀ λ = -2.500, "
    assert f"{instead}cannot be distinguished from log₁₀ λ = -3.000" in alike
    assert f"{instead}is distinguishable from every other one" in worse
    assert "## The nearest λ tried, log₁₀ λ = -2.500, against the others" in worse


SAME = {**made.SETTINGS, "fine": {"trials": 15}, "finalists": {"replicates": 3}}


def picked(gains: list[float], settings: dict[str, object] = SAME) -> str:
    """Return report.md where finalists scored so much more on fresh seeds than in fine."""
    fine = made.stage("fine", [-3.0, -2.5], with_curve=False)
    stage = made.stage("finalists", [-3.0, -2.5], replicates=len(gains), with_curve=False)
    trials = tuple(
        replace(one, score=(fine.trials[one.candidate].score or 0) + up)
        for one, up in zip(stage.trials, gains * 2, strict=True)
    )
    stages = {"fine": fine, "finalists": replace(stage, trials=trials)}
    return markdown(made.finished(stages=stages, settings=settings)).replace("\\", "")


def test_selection_bias_is_said_the_right_way_round() -> None:
    """Picked λs that fall on fresh seeds beyond the noise of seeds show a selection bias; those
    that rise, or fall within it, show none. By hand: t(0.975, 2) = 4.303, s = 0.001 over three
    replicates, √(1 + 1/3): half a width of 0.497 points."""
    fall = picked([-0.021, -0.02, -0.019])
    said = "the 2 λs picked from fine scored 2.00 points less on fresh seeds, on average"
    assert f"Selection bias: {said} (95 % interval -2.50 to -1.50)." in fall
    rise = picked([0.0087, 0.0097, 0.0107])
    none = "No selection bias that can be distinguished from the noise of seeds"
    said = "the 2 λs picked from fine scored 0.97 points more on fresh seeds, on average"
    assert f"{none}: {said} (95 % interval +0.47 to +1.47)." in rise
    assert f"{none}: the 2 λs picked from fine scored 0.10 points less" in picked(
        [-0.002, -0.001, 0.0]
    )
    assert "Selection bias of unknown error: the 2 λs" in picked([-0.01])
    own = {**SAME, "data": {"source": "cifar10", "train": 9, "validation": 9, "resplit": True}}
    assert "0.10 points less on fresh seeds and splits, on" in picked([-0.002, -0.001, 0.0], own)


def test_a_difference_of_schedules_is_no_selection_bias() -> None:
    """Where the two stages differ in what they were trained with, that is said, key by key: an
    override of either counts, one that repeats [training] does not."""
    for name, table, keys in (
        ("fine", {"cycles": 2}, "cycles"),
        ("finalists", {"schedule": "exp_range", "gamma": 0.9}, "schedule and gamma"),
        ("finalists", {"components": 64}, "components"),
    ):
        text = picked([-0.021, -0.02, -0.019], {**SAME, name: table})
        assert f"and the two stages differ in {keys}." in text
        assert "Selection bias cannot be seen by itself: the 2 λs" in text
    same = picked([-0.021, -0.02, -0.019], {**SAME, "fine": {"cycles": 3, "sample_every": "cycle"}})
    assert "the two stages differ" not in same


def test_unfinished_study_says_what_is_missing(pages: dict[str, str]) -> None:
    """An unfinished study's texts say how far it is and that the answer is not known yet."""
    record = made.unfinished()
    for text in (pages["unfinished"], markdown(record), " ".join(summary(record).split())):
        assert "4 of 15 trials of fine have ended" in text
        assert "final is not planned yet" in text
        assert "not known yet" in text


def test_failed_study_says_why() -> None:
    """A study that failed says why in each text."""
    record = made.finished(failure="nothing is left to select from", selected=None, final=None)
    for text in (page(record, []), markdown(record), summary(record)):
        assert "The study failed: nothing is left to select from" in text


def test_tables_are_cut_after_ten() -> None:
    """report.md shows the ten best candidates of a stage and counts the others."""
    text = markdown(made.many())
    fine = text.split("### Fine")[1].split("###")[0]
    assert fine.count("\n| -") == 10 + 1
    assert "… 50 more in trials.csv" in fine
    first = max(t.score or 0 for t in made.many().stages["fine"].trials)
    assert f"{100 * first:.2f} ±" in fine.split("| --- |")[-1].split("\n")[1]


def test_no_figure_without_curves() -> None:
    """report.md links learning curves only where a trial has some."""
    assert "learning_curves" not in markdown(made.planned_only())
    assert "learning_curves" in markdown(made.finished())


def test_settings_read_back() -> None:
    """The settings' text is TOML that reads back to the same settings, hostile ones too."""
    for record in (made.finished(), made.hostile()):
        text = settings_toml(record.settings)
        assert tomllib.loads(text) == record.settings
        assert "<" not in text
    assert tomllib.loads(settings_toml({"a": None, "b": {"c": None, "d": 1e-5}})) == {
        "b": {"d": 1e-5}
    }


def test_promises_same_bits_only_where_it_holds() -> None:
    """The same numbers again are promised for samplers that do not adapt, not for tpe."""
    assert "bit for bit" in markdown(made.finished())
    adaptive = made.finished(settings={**made.SETTINGS, "coarse": {"sampler": "tpe"}})
    for text in (markdown(adaptive), page(adaptive, [])):
        assert "bit for bit" not in text
        assert "may draw other λs" in text


@pytest.mark.parametrize("name", RECORDS)
def test_summary_fits_a_terminal(name: str) -> None:
    """The summary is plain text of at most 80 columns without control characters."""
    text = summary(RECORDS[name]())
    assert text.endswith("\n")
    for line in text.splitlines():
        assert len(line) <= 80
        assert line.isprintable()


def test_summary_holds_table_and_answer() -> None:
    """The summary has a row per stage with its counts and best, then λ and test accuracy."""
    text = summary(made.finished())
    row = next(line for line in text.splitlines() if line.startswith("coarse"))
    assert row.split()[:5] == ["coarse", "15", "13", "1", "1"]
    for fact in ("Chosen λ: 0.003162", "52.74 %", "51.72 to 53.76", "0.31", "54.52 %"):
        assert fact in text


def test_terminal_gets_no_escape_sequences() -> None:
    """An escape sequence in a reason or a name does not reach the terminal, nor the pages."""
    lost = {0: (TrialState.FAIL, "\x1b[31mred\x07")}
    record = made.finished(
        name="a\x1b]0;title\x07", failure="\x1b[2Jgone\r\nx",
        stages={"coarse": made.stage("coarse", [-1.0, -2.0], lost=lost, warnings=("\x1b[1m",))},
    )  # fmt: skip
    for text in (summary(record), markdown(record), page(record, [])):
        assert "\x1b" not in text
        assert "\x07" not in text
