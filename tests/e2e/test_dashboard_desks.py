"""The dashboard in a real browser, where desks and names are asked for by hand."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.accessible import look
from tests.support.api import settings_for
from tests.support.browser import browser_path, open_browser, visitor
from tests.support.dashboard_stage import MANAGER, DashboardStage, open_dashboard_stage
from tests.support.postgres import FreshDatabase

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.slow,
    pytest.mark.skipif(not browser_path(), reason="there is no Chromium here; the Debian package is called chromium"),
    # Playwright's transport is closed by its own process, after the loop that pytest watches.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
# This machine is shared: what takes a moment elsewhere may take ten here.
expect.set_options(timeout=20_000)


@pytest.fixture
async def stage(database: FreshDatabase, tmp_path: Path) -> AsyncIterator[DashboardStage]:
    async with open_dashboard_stage(settings_for(database, tmp_path, dashboard_over_http=True)) as opened:
        yield opened


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with open_browser() as opened:
        yield opened


async def test_a_manager_pauses_a_desk_and_lets_it_go_on(stage: DashboardStage, browser: Browser) -> None:
    base = f"/dashboard/centers/{stage.center.id}"
    async with visitor(browser, stage.base_url, viewport={"width": 1280, "height": 900}) as manager:
        await manager.sign_in(MANAGER, f"{base}/devices")
        await _a_desk_is_paused(manager.page, base)
        assert manager.complaints == []


async def _a_desk_is_paused(page: Page, base: str) -> None:
    garden = page.locator(".card", has=page.get_by_role("heading", name="Garden door"))
    await expect(garden.locator(".chip")).to_have_text("✓ Up to date")
    await expect(garden.get_by_role("button", name="Pause Garden door")).to_be_hidden()
    # By keyboard alone: open, read, press.
    await garden.locator("summary", has_text="Pause").press("Enter")
    await look(page)
    await garden.get_by_role("button", name="Pause Garden door").press("Enter")
    await expect(page.locator("#spoken")).to_have_text("The desk is paused.")
    await expect(garden.locator(".chip")).to_have_text("‖ Paused")
    await expect(garden).to_contain_text("entries are kept there")
    await expect(garden.get_by_text("Switch off for good")).to_have_count(1)
    await page.get_by_role("link", name="Now").click()
    await expect(page.locator(".panel.devices")).to_contain_text("Paused: Garden door")
    await page.goto(f"{page.url.partition('/dashboard')[0]}{base}/devices")
    await garden.locator("summary", has_text="Let it go on").press("Enter")
    await look(page)
    await garden.get_by_role("button", name="Let Garden door go on").press("Enter")
    await expect(garden.locator(".chip")).to_have_text("✓ Up to date")
    await expect(page.locator("#spoken")).to_contain_text("The desk may go on.")
