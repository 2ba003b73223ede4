"""The README's screenshots: a real study, run by the command line, seen in a real Chromium.

Enters: studies/digits.toml. Leaves: docs/figures/readme-*.png, the report page and two pages of
the dashboard. Refuses to draw: what stands in them is what a browser shows. Needs Chromium and the
extra `dev` (Playwright).

    python -m benchmarks.screenshots
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.common import ROOT

STUDY = "digits"
PICTURES = ROOT / "docs" / "figures"
WIDTH = 1200  # pixels of every figure
HEAVIEST = 300_000  # bytes
REPORT_WIDTH = 960  # of the window that shows the report, so that a README's column stays legible
COMMAND = [sys.executable, "-P", "-m", "lamsearch"]
ARGUMENTS = ["--no-sandbox", "--disable-background-networking", "--disable-gpu", "--no-first-run"]


def main() -> None:
    """Run the study in a directory of its own and take all figures."""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("needs Chromium: apt install chromium")
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        directory = Path(name)
        lamsearch(directory, "run", str(ROOT / "studies" / f"{STUDY}.toml"), "--output", "report")
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        with window(browser, REPORT_WIDTH) as page:
            take_report(page, directory / "report" / "index.html")
        with dashboard(directory) as url, window(browser, WIDTH) as page:
            number = stages(url)[f"{STUDY}/coarse"]
            take_stage(page, f"{url}dashboard/studies/{number}")
            take_trial(page, f"{url}dashboard/studies/{number}/trials?numbers=0")
        browser.close()


def take_report(page: Any, path: Path) -> None:
    """Take the answer and accuracy over λ; of two panels the upper one, 0.45 of the height."""
    page.goto(path.as_uri())
    figure = page.locator("img").first.bounding_box()
    shown = 0.45 if figure["height"] > figure["width"] else 1.0
    end = round(figure["y"] + shown * figure["height"])
    page.set_viewport_size({"width": REPORT_WIDTH, "height": end})
    save(page, "readme-report")


def take_stage(page: Any, url: str) -> None:
    """Take a stage's page at the figures that lamsearch puts there."""
    page.set_viewport_size({"width": WIDTH, "height": 850})
    page.goto(url)
    figure = page.get_by_text(f"{STUDY}/coarse: accuracy over λ, bars ± 1 standard error")
    for shown in (
        figure,
        page.get_by_text(f"{STUDY}: validation accuracy through the stages"),
        page.get_by_text("16 of 16 finished"),
    ):
        shown.wait_for()
    page.wait_for_load_state("networkidle")
    bar = page.get_by_role("banner").bounding_box()["height"]
    figure.evaluate(
        "(e, bar) => scrollBy(0, e.closest('.js-plotly-plot').getBoundingClientRect().top - bar)",
        bar,
    )
    save(page, "readme-dashboard")


def take_trial(page: Any, url: str) -> None:
    """Take a trial's page, down to the figure of its learning curves."""
    page.set_viewport_size({"width": WIDTH, "height": 1040})
    page.goto(url)
    page.wait_for_function(
        "[...document.images].some(i => i.src.includes('/artifacts/') && i.naturalWidth >= 1000)"
    )
    page.get_by_text("learning-curve_points.csv").wait_for()
    save(page, "readme-dashboard-trial")


def save(page: Any, name: str) -> None:
    """Write what the window shows, packed as small as it goes without a loss."""
    from PIL import Image

    shown = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    target = PICTURES / f"{name}.png"
    shown.save(target, optimize=True)
    weight = target.stat().st_size
    print(f"{target.relative_to(ROOT)}: {shown.width} × {shown.height}, {weight:,} bytes")
    assert shown.width == WIDTH
    assert weight < HEAVIEST


@contextmanager
def window(browser: Any, width: int) -> Iterator[Any]:
    """Open a page in a light window of that many CSS pixels, ``WIDTH`` in its figures."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        device_scale_factor=WIDTH / width,
        color_scheme="light",
    )
    yield context.new_page()
    context.close()


@contextmanager
def dashboard(directory: Path) -> Iterator[str]:
    """Serve the study's dashboard, and yield its address."""
    process = subprocess.Popen(
        [*COMMAND, "dashboard", "--port", "0"], cwd=directory, env=environment(),
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.communicate()


def stages(url: str) -> dict[str, int]:
    """Return Optuna's numbers of the stages."""
    with urllib.request.urlopen(f"{url}api/studies", timeout=60) as answer:  # noqa: S310 - loopback
        return {one["study_name"]: one["study_id"] for one in json.load(answer)["study_summaries"]}


def lamsearch(directory: Path, *arguments: str) -> None:
    """Call the command line, its storage in ``directory``."""
    subprocess.run([*COMMAND, *arguments], cwd=directory, env=environment(), check=True)


def environment() -> dict[str, str]:
    """Return the environment without the user's settings of lamsearch."""
    return {name: v for name, v in os.environ.items() if not name.startswith("LAMSEARCH_")}


if __name__ == "__main__":
    main()
