"""The dashboard in a real Chromium: what people see, and that nothing of it leaves the machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import needs_chromium
from web_process import Dashboard

PATIENCE = 60_000  # milliseconds; the page's script has some megabytes

pytestmark = needs_chromium


class Seen:
    """What a page did: console errors, requests to elsewhere, answers that were errors."""

    def __init__(self, page: Any, url: str) -> None:
        self.errors: list[str] = []
        self.elsewhere: list[str] = []
        self.refused: list[tuple[str, int]] = []
        page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda one: self._request(one.url, url))
        page.on("response", lambda one: self._response(one))

    def _request(self, asked: str, url: str) -> None:
        if not asked.startswith((url, "data:", "blob:")):
            self.elsewhere.append(asked)

    def _response(self, response: Any) -> None:
        if response.status >= 400:
            self.refused.append((response.request.method, response.status))


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page of its own."""
    context = browser.new_context(viewport={"width": 1300, "height": 900})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    yield page
    context.close()


@pytest.fixture
def seen(page: Any, dashboard: Dashboard) -> Seen:
    """What the page does from here on."""
    return Seen(page, dashboard.url)


def quiet(seen: Seen) -> None:
    """Assert that nothing was objected to and nothing left the machine."""
    assert seen.errors == []
    assert seen.elsewhere == []
    assert seen.refused == []


def test_stages_are_listed(page: Any, seen: Seen, dashboard: Dashboard) -> None:
    """The first page lists the stages, and a click on one leads to its figures."""
    page.goto(f"{dashboard.url}dashboard")
    for stage in ("coarse", "fine", "finalists", "final"):
        page.get_by_text(re.compile(rf"\d\. small/{stage}$")).wait_for()
    page.get_by_text(re.compile(r"\d\. small/coarse$")).click()
    page.get_by_text("small/coarse: accuracy over λ, bars ± 1 standard error").wait_for()
    page.get_by_text("small: validation accuracy through the stages").wait_for()
    page.get_by_text("5 of 5 finished").wait_for()
    quiet(seen)


def test_note_is_readable(page: Any, seen: Seen, dashboard: Dashboard) -> None:
    """A stage's note is shown as text with a table, and its link leads to the next stage."""
    numbers = dashboard.studies()
    page.goto(f"{dashboard.url}dashboard/studies/{numbers['small/coarse']}/note")
    page.get_by_role("heading", name="Coarse").wait_for()
    page.get_by_role("cell", name="best validation accuracy").wait_for()
    page.get_by_role("link", name="fine", exact=True).click()
    page.wait_for_url(f"**/dashboard/studies/{numbers['small/fine']}")
    page.get_by_text("small/fine: accuracy over λ").wait_for()
    quiet(seen)


def test_trial_shows_its_picture(
    page: Any, seen: Seen, dashboard: Dashboard, tmp_path: Path
) -> None:
    """A trial's page shows its learning curves as a figure that has been drawn."""
    number = dashboard.studies()["small/fine"]
    page.goto(f"{dashboard.url}dashboard/studies/{number}/trials?numbers=1")
    page.get_by_text("learning-curve.png").wait_for()
    page.get_by_text("learning-curve_points.csv").wait_for()
    image = page.locator(f"img[src*='/artifacts/{number}/']").first
    image.wait_for()
    page.wait_for_function(
        "n => [...document.images].some(i => i.src.includes(n) && i.naturalWidth >= 1000)",
        arg=f"/artifacts/{number}/",
    )
    quiet(seen)


def test_write_is_refused(page: Any, seen: Seen, dashboard: Dashboard) -> None:
    """Who creates a study all the same is told that it failed; there is no new one."""
    page.route("**/assets/read-only.css", lambda route: route.abort())  # which hides the button
    page.goto(f"{dashboard.url}dashboard")
    page.get_by_role("button", name="Create").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").first.fill("mine")
    dialog.get_by_role("button", name="Create").click()
    page.get_by_text("Failed to create a study (study_name=mine)").wait_for()
    assert seen.refused == [("POST", 403)]
    assert seen.elsewhere == []
    assert "mine" not in dashboard.studies()


def test_stored_page_runs_nothing(page: Any, dashboard: Dashboard) -> None:
    """A page of another site cannot frame the dashboard nor read a figure of it."""
    number = dashboard.studies()["small/coarse"]
    trial = dashboard.study("small/coarse")["trials"][0]
    figure = f"artifacts/{number}/{trial['trial_id']}/{trial['artifacts'][0]['artifact_id']}"
    page.route(
        "http://evil.example/**",
        lambda route: route.fulfill(
            content_type="text/html",
            body=f"<iframe src={dashboard.url}dashboard></iframe><img src={dashboard.url}{figure}>",
        ),
    )
    page.goto("http://evil.example/")
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.images[0].naturalWidth") == 0
    reading = f"fetch('{dashboard.url}{figure}').then(() => 'read', () => 'refused')"
    assert page.evaluate(reading) == "refused"
    assert page.frames[1].locator("#dashboard").count() == 0
