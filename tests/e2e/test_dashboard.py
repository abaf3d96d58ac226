"""The dashboard in a real browser: one running server, and the journeys of the people who look at it."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.support.accessible import look
from tests.support.api import PASSWORD, settings_for
from tests.support.browser import Visitor, browser_path, open_browser, visitor
from tests.support.dashboard_stage import (
    ADMIN,
    MANAGER,
    RIGHT_TO_LEFT_NAME,
    SCRIPT_NAME,
    STAFF,
    DashboardStage,
    open_dashboard_stage,
)
from tests.support.postgres import FreshDatabase
from tests.support.set_aside_page import decide_what_was_kept_aside

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.slow,
    pytest.mark.skipif(not browser_path(), reason="there is no Chromium here; the Debian package is called chromium"),
    # Playwright's transport is closed by its own process, after the loop that pytest watches.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
# This machine is shared: what takes a moment elsewhere may take ten here.
expect.set_options(timeout=20_000)
PHONE = {"width": 360, "height": 740}
PAGE_BYTES_MAX = 200_000


@pytest.fixture
async def stage(database: FreshDatabase, tmp_path: Path) -> AsyncIterator[DashboardStage]:
    async with open_dashboard_stage(settings_for(database, tmp_path, dashboard_over_http=True)) as opened:
        yield opened


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with open_browser() as opened:
        yield opened


async def test_a_manager_watches_a_morning(stage: DashboardStage, browser: Browser) -> None:
    async with visitor(browser, stage.base_url, viewport={"width": 1280, "height": 900}) as manager:
        loaded = _weigh(manager.page)
        await manager.sign_in(MANAGER)
        page = manager.page
        await expect(page.locator(".room")).to_have_count(5)
        await expect(page.locator("#as-of")).to_have_text("as of 10:43:20")
        await expect(page.locator("#banner")).to_be_hidden()
        await expect(page.locator(".panel.critical")).to_contain_text("Two different people collected this child")
        await expect(page.locator(".board .notice.warn")).to_contain_text("Attic had 2 entries to send at 09:31")
        assert sum(loaded.values()) < PAGE_BYTES_MAX, loaded
        await _all_centres_the_worst_first(stage, browser)
        await _a_check_in_appears_and_nothing_else_moves(stage, page)
        await _names_are_names(page)
        await _the_stream_fails_and_comes_back(stage, manager)
        await _a_call_is_noted(page)
        await _a_finding_is_answered(page)
        await decide_what_was_kept_aside(stage, page)
        await _who_is_in_is_printed(manager)
        await _a_desk_is_taken_in_and_switched_off(stage, page)
        await _a_report_is_made(page)
        await _a_session_ends_in_the_middle_of_a_stream(stage, manager)
        assert manager.complaints == []


async def _a_check_in_appears_and_nothing_else_moves(stage: DashboardStage, page: Page) -> None:
    owls = page.locator(".room", has=page.get_by_role("heading", name="Owls"))
    await owls.locator("summary").focus()
    await page.keyboard.press("Enter")
    await page.evaluate("() => { window.sameCard = document.activeElement; scrollTo(0, 120); }")
    before = await page.evaluate("() => [document.activeElement === window.sameCard, scrollY]")
    late = stage.home["OWL"][-1]
    began = asyncio.get_running_loop().time()
    await stage.push(stage.desks["Front desk"], stage.desks["Front desk"].check_in(
        late, minute=-271, room_id=stage.rooms["OWL"], auth_method="pin"))  # fmt: skip
    await expect(owls.locator(".number strong").first).to_have_text("11")
    assert asyncio.get_running_loop().time() - began < 2
    await expect(owls.locator("details")).to_have_attribute("open", "")
    await expect(owls.locator(f'a[href$="{late}"]')).to_be_visible()
    assert await page.evaluate("() => [document.activeElement === window.sameCard, scrollY]") == before
    await expect(page.locator("#spoken")).to_contain_text("49")


async def _all_centres_the_worst_first(stage: DashboardStage, browser: Browser) -> None:
    """What is quiet stands behind what is not, whatever it is called; a centre without anybody has a page too."""
    await stage.more_centers()
    async with visitor(browser, stage.base_url, viewport=PHONE) as admin:
        await admin.sign_in(ADMIN)
        page = admin.page
        await expect(page.locator(".glance .number")).to_have_count(2)
        await expect(page.locator(".glance h2")).to_have_text(["Sunny Gate Nursery", "A Quiet House"])
        await expect(page.locator("#summary")).to_contain_text("1 of 2 centres needs a look: 1 critical finding, ")
        await expect(page.locator(".glance li.card").first.locator("strong").nth(2)).to_have_text("1 critical finding")
        await expect(page.locator(".glance li.card").first).to_contain_text("1 silent desk")
        await look(page)
        await _fits(page)
        await page.get_by_role("link", name="A Quiet House").click()
        await expect(page.locator(".board")).to_contain_text("This centre has no rooms yet")
        await expect(page.locator(".totals strong").first).to_have_text("0")
        await look(page)
        await _fits(page)
        assert admin.complaints == []


async def _a_session_ends_in_the_middle_of_a_stream(stage: DashboardStage, manager: Visitor) -> None:
    """The page says so, shows nothing more of the centre, asks for nothing more, and leads back to where it was."""
    page, home = manager.page, f"{stage.base_url}/dashboard/centers/{stage.center.id}"
    await page.clock.install()
    await page.goto(home)
    await expect(page.locator("body")).to_have_attribute("data-stream", "live")
    heard = len(manager.complaints)
    cookies = {one["name"]: one["value"] for one in await manager.context.cookies()}
    await stage.running.services.browser_sessions.end(cookies["rollcall"])
    await expect(page.get_by_role("alert")).to_contain_text("You have been signed out.")
    await expect(page.locator(".room")).to_have_count(0)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.clock.fast_forward(120_000)
    await page.evaluate("() => null")
    assert asked == []
    await look(page)
    # A browser notes every refusal in its console.
    assert all("401" in one for one in manager.complaints[heard:])
    del manager.complaints[heard:]
    await page.get_by_role("link", name="Sign in again.").press("Enter")
    await page.locator("#email").fill(MANAGER)
    await page.locator("#password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_url(home)
    await expect(page.locator(".room")).to_have_count(5)


async def _names_are_names(page: Page) -> None:
    otters = page.locator(".room", has=page.get_by_role("heading", name="Otters"))
    await otters.locator("summary").click()
    await expect(otters.get_by_role("link", name=SCRIPT_NAME)).to_be_visible()
    foxes = page.locator(".room", has=page.get_by_role("heading", name="Foxes"))
    await foxes.locator("summary").click()
    name = foxes.locator("bdi", has_text=RIGHT_TO_LEFT_NAME)
    await expect(name).to_be_visible()
    await look(page)
    await otters.get_by_role("link", name=SCRIPT_NAME).click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text(SCRIPT_NAME)
    await expect(page.locator(".timeline")).to_contain_text("Attic, the adult's PIN, known to staff")
    await look(page)
    await page.go_back()
    await expect(page.locator(".room")).to_have_count(5)


async def _the_stream_fails_and_comes_back(stage: DashboardStage, manager: Visitor) -> None:
    """Without the stream the page polls; without anything it says so; then it goes on where it was."""
    page, desk = manager.page, stage.desks["Front desk"]
    heard = len(manager.complaints)
    seen: list[str] = []

    async def cut(route: Route) -> None:
        await route.abort()

    async def note(route: Route) -> None:
        seen.append(route.request.headers.get("last-event-id", ""))
        await route.continue_()

    await page.route("**/live?names=first", cut)
    await page.reload()
    await expect(page.locator("#banner")).to_contain_text("The live connection is interrupted")
    await expect(page.locator(".room")).to_have_count(5)
    child = stage.home["DUCK"][-1]
    await stage.push(desk, desk.check_in(child, minute=-270, room_id=stage.rooms["DUCK"], auth_method="pin"))
    ducks = page.locator(".room", has=page.get_by_role("heading", name="Ducklings"))
    await expect(ducks.locator(".number strong").first).to_have_text("6")
    await page.unroute("**/live?names=first", cut)
    await page.route("**/live?names=first", note)
    await expect(page.locator("#banner")).to_be_hidden()
    # The server goes away and comes back: the browser says by itself what it has seen last.
    hub = stage.running.app.state.live_hub
    hub.drain()
    await _until(lambda: len(hub) == 0)
    hub.is_draining = False
    await expect(page.locator("body")).to_have_attribute("data-stream", "live")
    del manager.complaints[heard:]


async def _a_call_is_noted(page: Page) -> None:
    await expect(page.locator(".overdue li").first).to_contain_text("booked until 10:30")
    await expect(page.locator(".forecast tbody tr")).to_have_count(8)
    ducks = page.locator(".room", has=page.get_by_role("heading", name="Ducklings"))
    await expect(ducks.locator(".booked")).to_have_text(re.compile(r"Booked: \d+ for now, \d+ today"))
    await page.get_by_text("Not come, and nobody has said why").click()
    late = page.locator(".not-here li", has=page.locator(".mark.bad")).first
    await late.get_by_text("Called").focus()
    await page.keyboard.press("Enter")
    await late.get_by_label("What came of it").select_option("message left")
    await late.get_by_label("Note").fill("On the mother's <b>phone</b>")
    await page.keyboard.press("Enter")
    await expect(late.locator(".call")).to_contain_text("by Ada Manager: message left – On the mother's <b>phone</b>")
    await look(page)


async def _a_report_is_made(page: Page) -> None:
    await page.get_by_role("link", name="Reports").click()
    await page.get_by_label("Hours per child").focus()
    await page.keyboard.press("ArrowUp")
    await look(page)
    for form, begin in (("CSV", b'\xef\xbb\xbf"Day"'), ("PDF", b"%PDF-1.7")):
        await page.get_by_label(form).check()
        async with page.expect_download() as loading:
            await page.get_by_role("button", name="Make the report").press("Enter")
        found = await loading.value
        assert found.suggested_filename == f"daily-2026-09-21.{form.lower()}"
        assert (await asyncio.to_thread(Path(await found.path()).read_bytes)).startswith(begin)
        await expect(page.locator("#spoken")).to_contain_text("The report is ready")


async def _a_finding_is_answered(page: Page) -> None:
    await page.get_by_role("link", name="settle", exact=True).first.click()
    card = page.locator("article", has_text="Kwame Okafor")
    await expect(card.locator(".sides > li")).to_have_count(2)
    await expect(card).to_contain_text("Grandfather Peña")
    await expect(card).to_contain_text("Aunt Moreau")
    await look(page)
    # By keyboard alone: from the reason to the button of the answer.
    await card.get_by_label("A word of explanation").focus()
    await page.keyboard.type("Grandfather was seen at the gate")
    await card.get_by_role("button", name="The first one collected the child.").focus()
    await page.keyboard.press("Enter")
    await expect(card).to_have_count(0)
    await expect(page.locator("#spoken")).to_have_text("Your answer is recorded.")
    other = page.locator("article", has_text="Lumi Virtanen")
    await other.get_by_label("Left at").fill("2026-09-21T09:00")
    await other.get_by_role("button", name="The child left in between").click()
    await expect(page.get_by_text("Nothing to settle")).to_be_visible()
    await page.get_by_role("link", name="Answered").click()
    await expect(page.locator(".notice.good")).to_have_count(2)
    await expect(page.locator(".notice.good").first).to_contain_text("by Ada Manager")


async def _who_is_in_is_printed(manager: Visitor) -> None:
    page, heard = manager.page, len(manager.complaints)
    await page.get_by_role("link", name="Who was in").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Present now")
    await expect(page.get_by_role("heading", name="Children: 50")).to_be_visible()
    await expect(page.locator(".notice.warn")).to_contain_text("Attic: has entries that have not arrived")
    await look(page)
    await page.emulate_media(media="print")
    await expect(page.locator("header.top")).to_be_hidden()
    await expect(page.locator("form.moments")).to_be_hidden()
    await expect(page.get_by_text(SCRIPT_NAME)).to_be_visible()
    await page.emulate_media(media="screen")
    await page.goto(f"{page.url}?at=half+past+eight&known_at=2026-09-21T10:00")
    await expect(page.get_by_label("At", exact=True)).to_have_value("half past eight")
    await expect(page.get_by_label("At", exact=True)).to_have_attribute("aria-invalid", "true")
    await expect(page.get_by_label("As known at")).to_have_value("2026-09-21T10:00")
    await look(page)
    # A browser notes every refusal in its console.
    assert all("422" in one for one in manager.complaints[heard:])
    del manager.complaints[heard:]
    await page.get_by_label("At", exact=True).fill("2026-09-21T07:34")
    await page.get_by_label("As known at").fill("")
    await page.get_by_role("button", name="Show").click()
    await expect(page.get_by_role("heading", name="Children: 1", exact=True)).to_be_visible()


async def _a_desk_is_taken_in_and_switched_off(stage: DashboardStage, page: Page) -> None:
    await page.get_by_role("link", name="Devices").click()
    await expect(page.locator(".card")).to_have_count(3)
    await expect(page.locator(".card.warn")).to_contain_text("Attic has 2 entries to send")
    await look(page)
    attic = page.locator(".card", has=page.get_by_role("heading", name="Attic"))
    await attic.get_by_text("Switch off for good").click()
    await attic.get_by_role("button", name="Switch off Attic").click()
    await expect(page.get_by_text("Switched off for good: Attic.")).to_be_visible()
    await expect(page.locator(".card")).to_have_count(2)
    await page.get_by_label("Name of the desk").fill("Back gate")
    await page.get_by_role("button", name="Make a one-time code").click()
    await expect(page.locator(".code")).to_have_text(re.compile(r"[0-9A-Z]{4}-[0-9A-Z]{4}$"))
    assert await page.locator(".qr").evaluate("image => image.naturalWidth") > 0
    await look(page)


async def test_staff_on_a_phone_and_a_wall_without_names(stage: DashboardStage, browser: Browser) -> None:
    base = f"/dashboard/centers/{stage.center.id}"
    async with visitor(browser, stage.base_url, viewport=PHONE, has_touch=True, color_scheme="dark") as staff:
        page = staff.page
        await staff.go("/dashboard/sign-in")
        await look(page)
        await _fits(page)
        await _links_of_mails(staff)
        await staff.sign_in(STAFF)
        child = stage.home["FOX"][0]
        for path in ("", "/reviews", "/devices", "/present", "/reports", f"/children/{child}"):
            await staff.go(f"{base}{path}")
            await expect(page.get_by_text("Loading")).to_have_count(0)
            await page.locator("details").evaluate_all("all => all.forEach((one) => { one.open = true; })")
            await _fits(page)
            await look(page)
        await staff.go(f"{base}/reviews")
        await expect(page.get_by_text("A manager of the centre can answer this.").first).to_be_visible()
        await staff.go(f"{base}/devices")
        await expect(page.locator(".card")).to_have_count(3)
        await expect(page.get_by_role("button", name="Make a one-time code")).to_have_count(0)
        await _the_keyboard_reaches_everything(page, base)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url.partition("/api/v1")[2]))
        await staff.go(f"{base}?wall=1")
        await expect(page.locator(".room")).to_have_count(5)
        # What the answer to that holds, tests/integration/test_live.py reads on the wire.
        assert [one for one in asked if one] == [f"/centers/{stage.center.id}/live?names=none"]
        await expect(page.locator(".totals")).to_contain_text("children in")
        await expect(page.locator(".totals details, .totals a")).to_have_count(0)
        shown = await page.content()
        assert not [name for name in ("Okafor", "Kwame", "Svoboda", "Holloway", SCRIPT_NAME) if name in shown]
        await staff.go(base)
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        await page.go_back()
        await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        assert staff.complaints == []


async def _links_of_mails(staff: Visitor) -> None:
    """The token leaves the address before anybody sees it, and what is wrong with it is said on the page."""
    page, token = staff.page, "A" * 64
    for path in ("/reset", "/invitation"):
        await staff.go(f"{path}#token={token}")
        await expect(page.locator("#token-row")).to_be_hidden()
        assert await page.evaluate("() => [location.href.includes('#'), document.referrer]") == [False, ""]
        await look(page)
        await _fits(page)
    heard = len(staff.complaints)
    await page.get_by_label("Your name").fill("Noor")
    await page.get_by_role("button", name="Accept the invitation").click()
    await expect(page.get_by_role("alert")).to_contain_text("This link was used or is too old")
    # A browser notes every refusal in its console.
    assert all("403" in one for one in staff.complaints[heard:])
    del staff.complaints[heard:]


async def _the_keyboard_reaches_everything(page: Page, base: str) -> None:
    await page.goto(page.url.partition("/dashboard")[0] + base)
    await expect(page.locator(".room")).to_have_count(5)
    await page.keyboard.press("Tab")
    assert await page.evaluate("() => document.activeElement.className") == "skip"
    reached: list[str] = []
    while True:
        await page.keyboard.press("Tab")
        if await page.evaluate("() => document.activeElement === document.body"):
            break
        assert await page.evaluate(
            "() => document.activeElement.matches(':focus-visible')"
            " && getComputedStyle(document.activeElement).outlineStyle === 'solid'"
        )
        reached.append(await page.evaluate("() => document.activeElement.textContent.trim()"))
    assert {"Now", "Findings", "Devices", "Who was in", "Reports", "Sign out"} <= set(reached)
    assert sum("staff: names" in text for text in reached) == 5


async def _fits(page: Page) -> None:
    wide, seen = await page.evaluate("() => [document.documentElement.scrollWidth, innerWidth]")
    assert wide <= seen, page.url


def _weigh(page: Page) -> dict[str, int]:
    """The bytes of everything that a page loads, by address; the stream is none that ends."""
    loaded: dict[str, int] = {}

    async def weigh(request: Any) -> None:
        sizes = await request.sizes()
        loaded[request.url] = sizes["responseBodySize"]

    page.on("requestfinished", weigh)
    return loaded


async def _until(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.02)
