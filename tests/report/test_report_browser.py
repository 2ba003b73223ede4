"""The report page in a real Chromium: a real study's page, and one whose every text attacks it."""

from __future__ import annotations

import io
import json
import os
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import forked
import pytest
import several_records as several
import study_records as made
from chromium import needs_chromium
from drawn_figures import Drawn, InPlaceOf

from lamsearch.report import write, writing
from lamsearch.results import StudyRecord
from lamsearch.study import parse_study

PAPER = 688  # CSS pixels between the margins of A4: (210 − 2·14) mm
PAGES = ("real", "hostile", "several")

# More than ten candidates, so that some rows are folded away, and one λ at which training diverges.
STUDY = """
name = "page"
seed = 3
cohort = 4
[data]
source = "digits"
train = 300
validation = 100
test = 200
[network]
hidden = 8
[training]
batch_size = 20
step_size = 30
cycles = 2
[coarse]
values = [-5.0, -4.6, -4.2, -3.8, -3.4, -3.0, -2.6, -2.2, -1.8, -1.4, -1.0, -0.6, 3.0]
[fine]
trials = 6
keep = 8
sampler = "stratified"
[finalists]
keep = 3
replicates = 2
[final]
train = 350
validation = 50
replicates = 2
"""

pytestmark = needs_chromium


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a page did since it was opened."""

    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def refuse(self, dialog: Any) -> None:
        """Close a dialog that a script has opened."""
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    @property
    def elsewhere(self) -> set[str]:
        """The addresses asked for, but for those that hold their own content."""
        return {url for url in self.requests if not url.startswith("data:")}


def lamsearch(directory: Path, *arguments: str, **environment: str) -> None:
    """Call the command line in ``directory``, where its storage is too."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("LAMSEARCH_")}
    done = forked.run(
        [*forked.COMMAND, *arguments],
        cwd=directory, env=inherited | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which the study has been run by the command line; its report is in `real`."""
    directory = tmp_path_factory.mktemp("desk")
    (directory / "page.toml").write_text(STUDY, encoding="utf-8")
    lamsearch(directory, "run", "page.toml", "--output", "real")
    return directory


@pytest.fixture(scope="session")
def addresses(desk: Path, drawn: Drawn) -> dict[str, str]:
    """The pages by their names, as addresses of files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writing, "Drawing", InPlaceOf(drawn))
        write(made.hostile(), desk / "hostile")
        write(several.finished(several.FIVE), desk / "several")
    return {name: (desk / name / "index.html").as_uri() for name in PAGES}


@pytest.fixture(scope="session")
def results(desk: Path) -> Any:
    """What the real study's results.json says."""
    return json.loads((desk / "real/results.json").read_text(encoding="utf-8"))


Opener = Callable[..., tuple[Any, Seen]]


@pytest.fixture
def opened(browser: Any) -> Iterator[Opener]:
    """Open an address in a window of its own, listening from before its first request."""
    contexts = []

    def open_one(address: str, width: int = 1200, **options: Any) -> tuple[Any, Seen]:
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page, seen = context.new_page(), Seen()
        page.on("request", lambda request: seen.requests.append(request.url))
        page.on("console", lambda message: seen.complaints.append(message.text))
        page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        page.on("dialog", lambda dialog: seen.refuse(dialog))
        page.goto(address)
        return page, seen

    yield open_one
    for context in contexts:
        context.close()


@pytest.mark.parametrize("name", PAGES)
def test_page_is_whole_in_itself(opened: Opener, addresses: dict[str, str], name: str) -> None:
    """The page asks for nothing but itself, and the browser has nothing to complain of."""
    page, seen = opened(addresses[name])
    page.wait_for_load_state("networkidle")
    assert seen.elsewhere == {addresses[name]}
    assert seen.complaints == []


def test_page_is_light_enough(desk: Path) -> None:
    """The whole page, figures included, weighs less than 2 MB."""
    assert 10_000 < (desk / "real/index.html").stat().st_size < 2_000_000


def test_figures_are_drawn_sharply(opened: Opener, addresses: dict[str, str]) -> None:
    """Every figure is drawn, with twice the pixels of its place, or as an SVG; each says what."""
    page, _ = opened(addresses["real"])
    found = page.evaluate(
        """[...document.images].map(i => {
            const s = getComputedStyle(i);
            const room = i.clientWidth - parseFloat(s.paddingLeft) - parseFloat(s.paddingRight);
            return [i.src.slice(0, 15), i.naturalWidth, room, i.alt];
        })"""
    )
    assert len(found) == 3
    for kind, natural, room, alternative in found:
        assert natural > 0
        assert room > 600
        assert kind == "data:image/svg+" or natural >= 2 * room
        assert len(alternative) > 20


@pytest.mark.parametrize("name", PAGES)
def test_a_phone_gets_figures_of_its_width(
    opened: Opener, addresses: dict[str, str], name: str
) -> None:
    """At 360 pixels every figure is the one drawn for it, and lies whole within the page."""
    page, _ = opened(addresses[name], width=360)
    found = page.evaluate(
        """[...document.images].map(i => {
            const box = i.getBoundingClientRect();
            return [i.currentSrc != i.src, i.complete && i.naturalWidth, box.left, box.right];
        })"""
    )
    assert len(found) >= 2
    for narrow, natural, left, right in found:
        assert narrow
        assert natural > 0
        assert left >= 0
        assert right <= 360
    wide, _ = opened(addresses[name])
    assert wide.evaluate("[...document.images].every(i => i.currentSrc == i.src)")


@pytest.mark.parametrize(("scheme", "media", "dark"), [
    ("light", "screen", False), ("dark", "screen", True), ("dark", "print", False),
])  # fmt: skip
def test_figures_are_dark_where_the_page_is(
    opened: Opener, addresses: dict[str, str], scheme: str, media: str, dark: bool
) -> None:
    """In dark mode no figure is a white slab, and on paper all are white."""
    from PIL import Image

    page, _ = opened(addresses["real"], color_scheme=scheme)
    page.emulate_media(media=media)
    for image in page.locator("figure img").all():
        shot = Image.open(io.BytesIO(image.screenshot())).convert("L")
        histogram = shot.histogram()
        common = max(range(256), key=lambda grey: histogram[grey])
        assert common < 50 if dark else common > 240


def test_what_lies_beside_the_page_is_linked(
    opened: Opener, addresses: dict[str, str], desk: Path
) -> None:
    """Results, trials and every model are linked, and lie where the links lead."""
    page, _ = opened(addresses["real"])
    links = page.evaluate(
        "[...document.querySelectorAll('nav a')].map(one => one.getAttribute('href'))"
    )
    assert {"results.json", "trials.csv", "models/final-0.safetensors",
            "models/final-1.safetensors"} <= set(links)  # fmt: skip
    assert all((desk / "real" / link).is_file() for link in links)
    shown = page.locator("header").inner_text()
    assert re.search(r"Planned \d{4}-\d\d-\d\d \d\d:\d\d UTC; finished after \d+ (s|min), ", shown)
    assert "computed by lamsearch" in shown


def test_answer_comes_first(opened: Opener, addresses: dict[str, str], results: Any) -> None:
    """The first screen holds λ, the accuracy with its interval and what cannot be distinguished;
    accuracy over λ, learning curves, tables, settings follow in this order."""
    page, _ = opened(addresses["real"])
    low, high = (f"{100 * end:.2f}" for end in results["final"]["test_accuracy"]["interval95"])
    for text in (
        f"{results['selected']['lambda']:.4g}",
        f"{100 * results['final']['test_accuracy']['mean']:.2f} %",
        f"95 % interval {low} to {high} %",
        "cannot be distinguished from ",
    ):
        box = page.locator("main").get_by_text(text).first.bounding_box()
        assert box is not None, text
        assert box["y"] + box["height"] < 900, text
    headings = page.locator("h2").all_inner_texts()
    assert headings[:3] == ["Accuracy over λ", "Learning curves", "Stages"]
    assert headings[-1] == "To do it again"
    tops = [page.locator("h2").nth(i).bounding_box()["y"] for i in range(len(headings))]
    assert tops == sorted(tops)
    assert page.locator("img").first.bounding_box()["y"] > box["y"]


def test_settings_on_the_page_are_the_study(
    opened: Opener, addresses: dict[str, str], desk: Path, results: Any
) -> None:
    """The settings shown read back as a study with the fingerprint that is shown."""
    page, _ = opened(addresses["real"])
    shown = parse_study(tomllib.loads(page.locator("pre").inner_text()))
    assert shown.fingerprint == results["fingerprint"]["study"]
    assert shown.fingerprint == parse_study(tomllib.loads(STUDY)).fingerprint
    prints = page.locator(".prints").inner_text()
    for value in (shown.fingerprint, results["fingerprint"]["data"], str(results["seed"])):
        assert value in prints


SIDEWAYS = """() => {
    const width = document.scrollingElement.clientWidth;
    const rolls = e => e && (getComputedStyle(e).overflowX == 'auto' || rolls(e.parentElement));
    return [...document.body.querySelectorAll('*')]
        .filter(e => e.getBoundingClientRect().right > width + 0.5 && !rolls(e.parentElement))
        .map(e => e.outerHTML.slice(0, 80));
}"""


@pytest.mark.parametrize("name", PAGES)
def test_phone_needs_no_sideways_scrolling(
    opened: Opener, addresses: dict[str, str], name: str
) -> None:
    """At 360 pixels the page is as wide as the screen; what is wider scrolls in its own box, and
    no text is smaller than 12 pixels."""
    page, _ = opened(addresses[name], 360, is_mobile=True, has_touch=True)
    width, room = page.evaluate(
        "[document.scrollingElement.scrollWidth, document.scrollingElement.clientWidth]"
    )
    assert room == 360
    assert width <= room
    assert page.evaluate(SIDEWAYS) == []
    elements = "[...document.body.querySelectorAll('*')]"
    sizes = page.evaluate(f"{elements}.map(e => parseFloat(getComputedStyle(e).fontSize))")
    assert min(sizes) >= 12


CONTRASTS = r"""() => {
    const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
    const rgba = colour => {
        canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
        return canvas.getImageData(0, 0, 1, 1).data;
    };
    const luminance = ([r, g, b]) => [r, g, b].map(v => v / 255)
        .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const ground = e => {
        const colour = rgba(getComputedStyle(e).backgroundColor);
        return colour[3] == 255 ? colour : e.parentElement ? ground(e.parentElement) : null;
    };
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found = [];
    while (texts.nextNode()) {
        if (!texts.currentNode.data.trim()) continue;
        const e = texts.currentNode.parentElement, below = ground(e);
        const both = [rgba(getComputedStyle(e).color), below].map(luminance);
        const [a, b] = both.sort((x, y) => y - x);
        found.push([(a + 0.05) / (b + 0.05), e.outerHTML.slice(0, 80)]);
    }
    return [Array.from(ground(document.body)), found];
}"""


def test_both_schemes_have_contrast(opened: Opener, addresses: dict[str, str]) -> None:
    """Light and dark have different grounds, and every text at least 4.5 to 1 against its own."""
    grounds = {}
    for scheme in ("light", "dark"):
        page, _ = opened(addresses["real"], color_scheme=scheme)
        grounds[scheme], contrasts = page.evaluate(CONTRASTS)
        assert len(contrasts) > 100
        assert [one for one in contrasts if one[0] < 4.5] == []
    assert sum(grounds["light"][:3]) > 3 * 200
    assert sum(grounds["dark"][:3]) < 3 * 60


def test_works_without_javascript(opened: Opener, addresses: dict[str, str], results: Any) -> None:
    """Where scripts are switched off, answer, figures and tables are there all the same."""
    page, seen = opened(addresses["real"], java_script_enabled=False)
    answer = page.locator(".answer")
    assert answer.is_visible()
    assert f"{results['selected']['lambda']:.4g}" in answer.inner_text()
    assert f"{100 * results['final']['test_accuracy']['mean']:.2f} %" in answer.inner_text()
    assert page.locator("img").first.is_visible()
    assert page.locator("table").count() >= 6
    page.get_by_text("2 more").click()  # a details element folds without any script
    assert page.locator("details table").first.is_visible()
    assert seen.complaints == []


@pytest.mark.parametrize("name", PAGES)
def test_print_cuts_and_hides_nothing(opened: Opener, addresses: dict[str, str], name: str) -> None:
    """On A4 nothing reaches beyond the margins or scrolls, and folded rows are printed too."""
    page, _ = opened(addresses[name], PAPER, color_scheme="dark")
    hidden = "[...document.querySelectorAll('tbody tr, li')].filter(e => !e.checkVisibility())"
    if name == "real":
        assert page.evaluate(f"{hidden}.length") == 2
    page.emulate_media(media="print")
    assert page.evaluate(f"{hidden}.map(e => e.textContent)") == []
    beyond = page.evaluate(
        """() => [...document.body.querySelectorAll('*')].filter(e =>
            e.getBoundingClientRect().right > document.scrollingElement.clientWidth + 0.5
            || (getComputedStyle(e).overflowX != 'visible' && e.scrollWidth > e.clientWidth))
            .map(e => e.outerHTML.slice(0, 80))"""
    )
    assert beyond == []
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf().startswith(b"%PDF")


def test_failure_is_shown(opened: Opener, addresses: dict[str, str]) -> None:
    """The λ at which training diverged is listed with the reason, unfolded."""
    page, _ = opened(addresses["real"])
    line = page.locator(".lost li")
    assert line.count() == 1
    assert line.is_visible()
    assert re.search(r"log₁₀ λ = 3\.0000\) failed: .*finite", line.inner_text())


def test_hostile_text_adds_no_element(
    opened: Opener, desk: Path, drawn: Drawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A study whose name, classes, reasons and failure hold HTML has the elements and attributes of
    one whose texts are harmless, shows the text, and runs nothing."""
    shapes, attack = [], made.HOSTILE + "<img src=x onerror=alert(2)></pre><b>"
    figures = drawn(made.hostile())
    monkeypatch.setattr(writing, "Drawing", InPlaceOf(lambda _: figures))
    for text, directory in ((attack, "attack"), ("harmless", "harmless")):
        monkeypatch.setattr(made, "HOSTILE", text)
        record = made.hostile()
        fields = {name: getattr(record, name) for name in record.__dataclass_fields__}
        write(StudyRecord(**{**fields, "failure": text}), desk / directory)
        page, seen = opened((desk / directory / "index.html").as_uri())
        shapes.append(
            page.evaluate(
                "[...document.querySelectorAll('*')].map(e => "
                "e.tagName + ' ' + e.getAttributeNames().join(' '))"
            )
        )
        shown = page.locator("main").inner_text()
        for place in ("h1", ".status", ".confusion thead", ".lost"):
            assert text in page.locator(place).first.inner_text(), place
        assert tomllib.loads(page.locator("pre").inner_text())["name"] == text
        assert shown.count(text) > 20
        assert seen.complaints == []
    assert shapes[0] == shapes[1]


def test_another_process_writes_the_same_bytes(desk: Path) -> None:
    """Page, tables and figures, SVG beside PNG, are the same bytes from another process."""
    lamsearch(desk, "report", "page", "--output", "again", PYTHONHASHSEED="12345", TZ="Asia/Tokyo")
    names = {
        p.relative_to(desk / "real").as_posix() for p in (desk / "real").rglob("*") if p.is_file()
    }
    assert {f"figures/{n}.{form}" for n in ("accuracy_over_lambda", "learning_curves")
            for form in ("png", "svg")} <= names  # fmt: skip
    for name in sorted(names):
        assert (desk / "again" / name).read_bytes() == (desk / "real" / name).read_bytes(), name


def test_svg_files_open_by_themselves(opened: Opener, desk: Path) -> None:
    """An SVG file opens in a browser without asking for anything else, and has its size."""
    for path in sorted((desk / "real/figures").glob("*.svg")):
        page, seen = opened(path.as_uri())
        assert seen.elsewhere == {path.as_uri()}
        assert seen.complaints == []
        assert page.evaluate("document.documentElement.getBoundingClientRect().width") > 700
