"""What a manager does with an entry that was kept aside, in a browser."""

from playwright.async_api import Page, expect

from tests.contract.server_world import new_id
from tests.support.accessible import look
from tests.support.dashboard_stage import NOW_MINUTE, DashboardStage


async def decide_what_was_kept_aside(stage: DashboardStage, page: Page) -> None:
    """An arrival of nobody on file is told on the live page, and is taken in for the child who was meant."""
    home = f"{stage.base_url}/dashboard/centers/{stage.center.id}"
    desk = stage.desks["Front desk"]
    await stage.push(desk, desk.check_in(new_id(), minute=NOW_MINUTE - 5, adult_name="Ann"))
    await page.goto(home)
    await page.get_by_role("link", name="1 entry was kept aside").click()
    card = page.locator("#set-aside article")
    await expect(card).to_contain_text("The child is not on file here. It came from Front desk")
    await look(page)
    await card.get_by_label("Which child is it?").select_option(stage.people["C-902"])
    await card.get_by_label("A word of explanation").fill("Noor's first day")
    await card.get_by_role("button", name="It was so: take it in").press("Enter")
    await expect(card).to_have_count(0)
    await page.get_by_role("link", name="Answered", exact=True).click()
    await expect(page.locator("#set-aside article .notice")).to_contain_text("Taken in by Ada Manager")
    await look(page)
    await page.goto(f"{home}/children/{stage.people['C-902']}")
    await expect(page.locator("#timeline")).to_contain_text("10:38")
    await page.goto(f"{home}/reviews")
