"""The dashboard in a real browser, where desks and names are asked for by hand."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.support.accessible import look
from tests.support.api import settings_for
from tests.support.browser import Visitor, browser_path, open_browser, visitor
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


async def test_a_manager_pauses_a_desk_and_asks_for_the_names_behind_a_number(
    stage: DashboardStage, browser: Browser
) -> None:
    base = f"/dashboard/centers/{stage.center.id}"
    async with visitor(browser, stage.base_url, viewport={"width": 1280, "height": 900}) as manager:
        await manager.sign_in(MANAGER, f"{base}/devices")
        await _a_desk_is_paused(manager.page, base)
        await manager.go(base)
        await _names_come_when_they_are_asked_for(stage, manager)
        assert manager.complaints == []


async def _names_come_when_they_are_asked_for(stage: DashboardStage, manager: Visitor) -> None:
    """By the keyboard, once for each number; they stay fresh while they are open, and no longer."""
    page, asked = manager.page, []
    page.on("request", lambda request: asked.append(request.url) if "/board/names" in request.url else None)
    owls = page.locator(".room", has=page.get_by_role("heading", name="Owls"))
    child = stage.home["OWL"][-1]
    link = owls.locator(f'a[href$="{child}"]')
    await expect(page.locator(".room")).to_have_count(5)
    assert not [code for code in ("C-901", "C-902") if stage.people[code] in await page.content()]
    assert asked == []
    await owls.locator("summary").press("Enter")
    await expect(owls.locator(".names li").first).to_be_visible()
    await expect(owls.get_by_text("Names as of 10:43")).to_be_visible()
    await expect(link).to_have_count(0)
    assert len(asked) == 1
    await look(page)
    await stage.push(stage.desks["Front desk"], stage.desks["Front desk"].check_in(
        child, minute=-271, room_id=stage.rooms["OWL"], auth_method="pin"))  # fmt: skip
    await expect(link).to_be_visible()
    await _the_names_do_not_come(page, manager, owls)
    await owls.locator("summary").press("Enter")
    await expect(owls.locator(".names li")).to_have_count(0)


async def _the_names_do_not_come(page: Page, manager: Visitor, owls: Locator) -> None:
    """The page says so in the place of the names, and goes on."""
    foxes = page.locator(".room", has=page.get_by_role("heading", name="Foxes"))
    heard = len(manager.complaints)
    await page.route("**/board/names*", lambda route: route.abort())
    await foxes.locator("summary").press("Enter")
    await expect(foxes.locator(".notice")).to_have_text("The names did not come: The server cannot be reached.")
    await page.unroute("**/board/names*")
    await foxes.locator("summary").press("Enter")
    await foxes.locator("summary").press("Enter")
    await expect(foxes.locator(".names li").first).to_be_visible()
    await expect(owls.locator(".names li").first).to_be_visible()
    # A browser notes every failure in its console.
    del manager.complaints[heard:]


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
