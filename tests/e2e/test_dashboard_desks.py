"""The dashboard in a real browser beside its desks, one of them a real kiosk; names are asked for by hand."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.support.accessible import look
from tests.support.api import settings_for
from tests.support.browser import Visitor, browser_path, open_browser, visitor
from tests.support.dashboard_stage import MANAGER, DashboardStage, open_dashboard_stage
from tests.support.desk_beside import DeskBeside, cut_streams, desk_beside
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


async def test_a_manager_pauses_a_desk_asks_for_names_and_answers_what_a_kiosk_asks(
    stage: DashboardStage, browser: Browser, tmp_path: Path
) -> None:
    base = f"/dashboard/centers/{stage.center.id}"
    async with visitor(browser, stage.base_url, viewport={"width": 1280, "height": 900}) as manager:
        await manager.sign_in(MANAGER, f"{base}/devices")
        await _a_desk_is_paused(manager.page, base)
        await manager.go(base)
        await _names_come_when_they_are_asked_for(stage, manager)
        await _totals_lead_to_names(manager.page)
        async with desk_beside(stage, tmp_path / "side", "Side door") as desk:
            await _what_a_kiosk_records_is_there_also_after_the_stream_was_cut(stage, manager, desk)
            await _an_answer_on_the_page_reaches_the_kiosk(stage, manager.page, desk)
        assert manager.complaints == []


async def _totals_lead_to_names(page: Page) -> None:
    """By the keyboard; a screen reader hears the number with its range and what it counts."""
    totals = page.get_by_role("group", name="In the whole centre")
    await expect(totals.locator("summary").first).to_have_text("49 47–51? known, 47 to 51 possible children in")
    booked = totals.locator("details", has_text="booked today")
    await booked.locator("summary").press("Enter")
    await expect(booked.locator("li", has=page.locator(".mark.bad"))).not_to_have_count(0)
    await expect(booked.locator("li", has_text="11:00–14:00, is in")).not_to_have_count(0)
    await look(page)
    await booked.locator("summary").press("Enter")
    await totals.get_by_role("link", name="not here, unexplained").press("Enter")
    await expect(page.locator(".not-here li").first).to_be_visible()
    await expect(page.locator(".not-here > details > summary")).to_be_focused()
    await page.keyboard.press("Enter")
    await totals.get_by_role("link", name="2 entries not yet confirmed").press("Enter")
    await expect(page.locator("#coverage")).to_be_focused()
    # What the chart says is said in words, too, with what it rests upon.
    chart = page.locator(".panel.curve")
    await expect(chart.locator("figcaption")).to_contain_text("Expected, by bookings and schedules")
    await expect(chart.locator(".key li")).to_have_count(5)
    await expect(chart.locator("figcaption")).to_contain_text("The ratio was not kept at")
    await expect(chart.locator(".broken-times li").first).to_contain_text("needed")
    assert await chart.locator("rect.broken").count() == await chart.locator(".broken-times li").count() + 1
    await chart.locator("summary").press("Enter")
    await expect(chart.locator("tbody tr", has_text="13:00").locator("td")).to_have_text(["–", "47"])


async def _what_a_kiosk_records_is_there_also_after_the_stream_was_cut(
    stage: DashboardStage, manager: Visitor, desk: DeskBeside
) -> None:
    """It appears by itself; what was recorded while nothing was streamed is there when the browser has come back."""
    page, heard = manager.page, len(manager.complaints)
    ducks = page.locator(".room", has=page.get_by_role("heading", name="Ducklings"))
    late = stage.home["DUCK"][-3:]
    number = ducks.locator(".number strong").first
    await expect(number).to_have_text("5")
    await desk.check_in(late[0])
    await expect(number).to_have_text("6")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.partition("/centers/")[2].partition("/")[2]))
    assert cut_streams(stage.server) == 1
    for child in late[1:]:
        await desk.check_in(child)
    await expect(number).to_have_text("8")
    # By the stream, which came back by itself, and not by asking; lists that are open ask for their names.
    assert [one for one in asked if one and not one.startswith("board/names")] == ["live?names=first"]
    await ducks.locator("summary").press("Enter")
    for child in late:
        await expect(ducks.locator(f'a[href$="{child}"]')).to_be_visible()
    # A browser notes in its console that a stream was cut.
    assert all("ERR_" in one for one in manager.complaints[heard:]), manager.complaints[heard:]
    del manager.complaints[heard:]


async def _an_answer_on_the_page_reaches_the_kiosk(stage: DashboardStage, page: Page, desk: DeskBeside) -> None:
    """Another desk tells later who collected the child before: two people did, and only a person can say who."""
    child, garden = stage.home["HEDGE"][0], stage.desks["Garden door"]
    await desk.check_out(child, "Aunt Moreau")
    await stage.push(garden, garden.check_out(child, minute=-275, adult_name="Uncle Tanaka", auth_method="pin"))
    await desk.hears(child_id=child, kind="check_out")
    assert await desk.shows(child) == ("out", "needs review", 3)
    await expect(page.locator(".panel.critical")).to_contain_text("2 critical findings")
    await page.get_by_role("link", name="Findings", exact=True).click()
    card = page.locator("article", has=page.locator(f'a[href*="{child}"]'))
    await expect(card.locator(".sides > li", has_text="Aunt Moreau")).to_contain_text("Side door")
    await expect(card.locator(".sides > li", has_text="Uncle Tanaka")).to_contain_text("Garden door")
    await card.get_by_role("button", name="The first one collected the child.").click()
    await expect(card).to_have_count(0)
    await desk.hears(child_id=child, kind="review_resolved")
    assert await desk.shows(child) == ("out", "confirmed", 2)


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
