"""Optuna's pages in a real Chromium where nothing may be written: what would be refused is gone."""

from __future__ import annotations

from typing import Any

import pytest
from chromium import needs_chromium
from test_web_browser import Seen, page, quiet
from web_process import Dashboard

pytestmark = needs_chromium
__all__ = ["page"]  # a fixture
SHEET = "**/assets/read-only.css"
# What there is to click, by the page that has it.
WRITES = {
    "/dashboard": {
        "create": "button:has([data-testid=AddBoxIcon])",
        "rename": "button[aria-label='rename study']",
        "delete": "button[aria-label='delete study']",
    },
    "/dashboard/studies/1": {"upload": "button:has([data-testid=UploadFileIcon])"},
    "/dashboard/studies/1/trials?numbers=1": {"note": "button:has([data-testid=EditIcon])"},
    "/dashboard/studies/1/note": {"note": "button:has([data-testid=EditIcon])"},
}
READS = {
    "/dashboard": "button:has([data-testid=RefreshIcon])",
    "/dashboard/studies/1": "text=5 of 5 finished",
    "/dashboard/studies/1/trials?numbers=1": "a[aria-label='download artifact']",
    "/dashboard/studies/1/note": "h2:has-text('Coarse')",
}


@pytest.mark.parametrize("path", WRITES)
def test_what_would_be_refused_is_not_shown(page: Any, dashboard: Dashboard, path: str) -> None:
    """Read-only, no page of Optuna's shows a button that writes, and what reads is still there."""
    seen = Seen(page, dashboard.url)
    page.goto(dashboard.url.rstrip("/") + path)
    page.locator(READS[path]).first.wait_for()
    for what, selector in WRITES[path].items():
        page.locator(selector).first.wait_for(state="attached")
        assert page.locator(f"{selector} >> visible=true").count() == 0, what
    quiet(seen)


@pytest.mark.parametrize("path", WRITES)
def test_it_is_the_style_sheet_that_hides_them(page: Any, dashboard: Dashboard, path: str) -> None:
    """Without the style sheet each of these buttons is shown, so Optuna still has them there."""
    page.route(SHEET, lambda route: route.abort())
    page.goto(dashboard.url.rstrip("/") + path)
    for selector in WRITES[path].values():
        page.locator(selector).first.wait_for(state="visible")
