"""The queue, a report and the API's page in a real Chromium: what people see and do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import needs_chromium
from storage_stub import planned, work
from test_web_browser import Seen, page, quiet
from web_process import Dashboard
from web_stack import TOKEN

from lamsearch import storage as store
from lamsearch.storage import Database, Leases
from lamsearch.study import Study

pytestmark = needs_chromium
__all__ = ["page"]  # a fixture


class Server(Dashboard):
    """A really running `lamsearch serve`."""

    verb = "serve"


@pytest.fixture(scope="module")
def served(
    finished_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, Database]]:
    """A server on a copy of a finished study that a test may change."""
    directory = tmp_path_factory.mktemp("served")
    (directory / "token").write_text(TOKEN)
    (directory / "own.db").write_bytes(finished_file.read_bytes())
    url = f"sqlite:///{directory / 'own.db'}"
    database = Database(url)
    with Server(url, directory, "--writable", "--token-file", directory / "token") as running:
        yield running, database
    database.close()


def line(page: Any, name: str) -> Any:
    """Return the line of a study in the list."""
    return page.locator("ol.studies > li").filter(has=page.get_by_role("link", name=name).first)


def test_the_queue_lists_studies(page: Any, served: tuple[Server, Database]) -> None:
    """A study is in the list with its state, progress, figure and choice, and leads to its report
    and its dashboard; nothing of it comes from elsewhere."""
    seen = Seen(page, served[0].url)
    page.goto(served[0].url)
    study = line(page, "small")
    assert study.locator(".state").inner_text() == "done"
    assert study.get_by_label("Progress").get_attribute("value") == "100"
    figure = study.get_by_role("img", name=re.compile("Validation accuracy over log10 λ"))
    assert figure.locator("circle").count() >= 5
    assert figure.locator("line.chosen").count() == 1
    assert re.fullmatch(r"0\.\d+", study.locator("dd").first.inner_text())
    study.get_by_role("link", name="report of small").click()
    page.get_by_role("heading", name="λ for small").wait_for()
    page.get_by_role("link", name="dashboard").click()
    page.get_by_text("small/final").first.wait_for()
    page.wait_for_url("**/dashboard/studies/*")
    quiet(seen)


def test_the_queue_is_live(page: Any, served: tuple[Server, Database], small_study: Any) -> None:
    """What changes in the database is on the page a moment later, without a reload, and the link
    that had the focus has it still."""
    server, database = served
    study: Study = small_study(name="live")
    planned(database, study)
    seen = Seen(page, server.url)
    page.goto(server.url)
    assert line(page, "live").locator(".state").inner_text() == "queued"
    page.evaluate("window.here = true")
    page.get_by_role("link", name="report of small").focus()
    store.pause(database, "live")
    line(page, "live").locator(".state", has_text="paused").wait_for()
    store.resume(database, "live")
    work(Leases(database, "live", owner="worker-1", seconds=600.0))
    line(page, "live").locator(".state", has_text="done").wait_for()
    assert page.evaluate("window.here")
    focused = "document.activeElement.getAttribute('aria-label')"
    assert page.evaluate(focused) == "report of small"
    quiet(seen)


def test_a_server_that_is_gone_is_said(page: Any, served: tuple[Server, Database]) -> None:
    """A page whose server does not answer says that it is not up to date, and since when; once it
    answers again the page says nothing."""
    page.goto(served[0].url)
    page.route(f"{served[0].url}", lambda route: route.abort())
    page.get_by_role("status").filter(has_text="not up to date").wait_for()
    page.unroute(f"{served[0].url}")
    page.locator("#fresh:empty").wait_for(state="attached")


@pytest.mark.parametrize("path", ["", "studies/small/"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(
    browser: Any, served: tuple[Server, Database], path: str, scheme: str
) -> None:
    """At 360 pixels nothing is cut off or scrolls sideways, in light and in dark."""
    context = browser.new_context(viewport={"width": 360, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    page.goto(served[0].url + path)
    page.get_by_role("heading", name="small").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    light = sum(map(int, re.findall(r"\d+", colour)[:3])) > 380
    assert light == (scheme == "light")
    context.close()


def test_the_page_without_scripts(browser: Any, served: tuple[Server, Database]) -> None:
    """Where scripts are off the list is there all the same, and the page renews itself."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(served[0].url)
    page.get_by_role("link", name="report of small").wait_for()
    assert 'http-equiv="refresh"' in page.content()
    context.close()


def test_the_api_s_page_sends_requests(page: Any, served: tuple[Server, Database]) -> None:
    """The API's page shows every operation without a network, and with the token it changes a
    study."""
    server, database = served
    seen = Seen(page, server.url)
    page.goto(f"{server.url}api/v1/docs")
    page.locator(".opblock").nth(9).wait_for()
    page.get_by_role("button", name="Authorize").first.click()
    page.get_by_label("auth-bearer-value").fill(TOKEN)
    page.locator(".modal-ux").get_by_role("button", name="Apply credentials").first.click()
    page.locator(".modal-ux").get_by_role("button", name="Close").first.click()
    put = page.locator(".opblock-put")
    put.locator(".opblock-summary-control").click()
    put.get_by_role("button", name="Try it out").click()
    put.get_by_placeholder("name").fill("small")
    put.locator("textarea").fill('{"priority": 1}')
    put.get_by_role("button", name="Execute").click()
    put.get_by_text("study: 'small' is done and cannot be moved in the queue").first.wait_for()
    assert seen.refused == [("PUT", 409)]
    assert seen.elsewhere == []
    assert not [text for text in seen.errors if "Content Security Policy" in text]
    assert store.read_status(database, "small").priority == 0
