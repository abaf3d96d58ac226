"""The page of figures in a real browser, over a history of weeks: drawn, told in tables, on a phone and in the dark."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from server.services.access import RoleId
from server.services.accounts import NewUser
from tests.support.accessible import look
from tests.support.api import PASSWORD, settings_for
from tests.support.browser import browser_path, open_browser, visitor
from tests.support.clock import FakeClock
from tests.support.history import SMALL, history_template
from tests.support.live_office import served
from tests.support.postgres import PostgresServer, copied

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.slow,
    pytest.mark.skipif(not browser_path(), reason="there is no Chromium here; the Debian package is called chromium"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
expect.set_options(timeout=20_000)
PHONE = {"width": 360, "height": 740}
PAGE_BYTES_MAX = 150_000
MANAGER, STAFF = "manager@lanterns.example.org", "staff@lanterns.example.org"
# A folder for pictures of the page, for people who look at it.
PICTURES = os.environ.get("ROLLCALL_PICTURES", "")


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with open_browser() as opened:
        yield opened


async def test_a_manager_reads_the_figures_of_weeks(
    postgres_server: PostgresServer, tmp_path: Path, browser: Browser
) -> None:
    template = await history_template(postgres_server)
    clock = FakeClock()
    clock.advance_ms(40 * 24 * 3_600_000)
    async with copied(postgres_server, template) as database:
        settings = settings_for(database, tmp_path, dashboard_over_http=True)
        async with served(settings, clock) as (running, _server, base_url):
            for email, role in ((MANAGER, RoleId.MANAGER), (STAFF, RoleId.STAFF)):
                await running.services.accounts.create(NewUser(email, "Ada", role, "lantern-hill"), PASSWORD)
            center = await running.services.centers.by_code("lantern-hill")
            path = f"/dashboard/centers/{center.id}/analytics"
            period = f"?from={SMALL.first_day}&to={SMALL.last_day}"
            async with visitor(browser, base_url, viewport={"width": 1280, "height": 900}) as manager:
                await manager.sign_in(MANAGER, path + period)
                await _everything_is_told(manager.page)
                assert len((await manager.page.content()).encode()) < PAGE_BYTES_MAX
                number, words = [
                    await manager.page.locator(f"dl.totals {name}").first.evaluate("one => one.getBoundingClientRect()")
                    for name in ("dd", "dt")
                ]
                assert number["height"] > 1.2 * words["height"], "a number is read from afar"
                assert number["right"] <= words["left"], "and stands before its words"
                await _picture(manager.page, "dashboard-figures")
                await manager.page.get_by_role("link", name="The last four weeks").click()
                await expect(manager.page.locator(".as-of")).to_contain_text("2026-10-03 to 2026-10-30")
                await manager.go(f"{path}?from=2026-10-09&to=2026-10-01")
                await expect(manager.page.get_by_text("Ask from a day to a later one")).to_be_visible()
                complaints = [one for one in manager.complaints if "422" not in one]
                assert complaints == []
            async with visitor(browser, base_url, viewport=PHONE, color_scheme="dark") as phone:
                await phone.sign_in(MANAGER, path + period)
                wide, seen = await phone.page.evaluate("() => [document.documentElement.scrollWidth, innerWidth]")
                assert wide <= seen
                await _picture(phone.page, "figures-phone")
                assert phone.complaints == []
            async with visitor(browser, base_url) as staff:
                await staff.sign_in(STAFF, path)
                await expect(staff.page.get_by_text("ask a manager")).to_be_visible()


async def _everything_is_told(page: Page) -> None:
    await expect(page.get_by_role("link", name="Figures")).to_have_attribute("aria-current", "page")
    await expect(page.locator("svg.chart")).to_have_count(3)
    await expect(page.get_by_role("img", name="Children in and expected")).to_be_visible()
    await expect(page.get_by_text("closed for Training day").first).to_be_visible()
    await expect(page.locator("section", has_text="Usage and revenue").last).to_contain_text("GBP")
    await page.locator("details").evaluate_all("all => all.forEach((one) => { one.open = true; })")
    await look(page)
    await page.locator("details").evaluate_all("all => all.forEach((one) => { one.open = false; })")


async def _picture(page: Page, name: str) -> None:
    if PICTURES:
        await page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=name != "dashboard-figures")
