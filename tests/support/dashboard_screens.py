"""Draws the pictures of the dashboard in the docs: `python -m tests.support.dashboard_screens docs/screens`."""

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Browser, expect

from server.core.settings import load_settings
from server.services.database_setup import open_database
from tests.contract.server_world import new_id
from tests.support.api import SECRET
from tests.support.browser import open_browser, visitor
from tests.support.dashboard_stage import MANAGER, NOW_MINUTE, DashboardStage, open_dashboard_stage
from tests.support.reach import reach_everything

DESK: Final = {"viewport": {"width": 1280, "height": 740}}
PHONE: Final = {"viewport": {"width": 360, "height": 740}, "device_scale_factor": 2, "is_mobile": True}
WALL: Final = {"viewport": {"width": 1600, "height": 900}}
# Name of the picture, the page behind the centre's address, the screen, light or dark.
PICTURES: Final[tuple[tuple[str, str, dict[str, Any], str], ...]] = (
    ("dashboard-now", "", DESK, "light"),
    ("dashboard-phone", "", PHONE, "dark"),
    ("dashboard-findings", "/reviews", DESK, "light"),
    ("dashboard-wall", "?wall=1", WALL, "dark"),
    ("dashboard-figures", "/analytics?from=2026-09-21&to=2026-09-21", DESK, "light"),
    ("dashboard-reports", "/reports", DESK, "light"),
    ("dashboard-devices", "/devices", DESK, "light"),
)
# After an entry of somebody who is not on file came in.
KEPT_ASIDE: Final = ("dashboard-kept-aside", "/reviews", DESK, "light")
ALL_OF_IT: Final = (
    ("sign-in", "/sign-in", DESK, "light"),
    ("devices", "/devices", DESK, "dark"),
    ("present", "/present", DESK, "light"),
    ("phone-findings", "/reviews", PHONE, "light"),
    ("phone-devices", "/devices", PHONE, "light"),
    ("phone-present", "/present", PHONE, "light"),
)


async def draw(folder: Path, *, every: bool) -> None:
    """Draw into a folder; with `every`, also those that the docs do not show."""
    with tempfile.TemporaryDirectory() as data:
        base = load_settings(env_file=None, environment="test", secret_key=SECRET, data_dir=Path(data))
        async with open_database(base, lambda _text: None) as database:
            settings = load_settings(
                env_file=None, environment="test", secret_key=SECRET, data_dir=Path(data) / "app",
                database_url=database.urls.app, database_owner_url=database.urls.owner, dashboard_over_http=True,
            )  # fmt: skip
            async with open_dashboard_stage(settings) as stage, open_browser() as browser:
                for picture in [*PICTURES, *(ALL_OF_IT if every else ())]:
                    await _picture(stage, browser, folder, picture)
                desk = stage.desks["Front desk"]
                await stage.push(desk, desk.check_in(new_id(), minute=NOW_MINUTE - 5, adult_name="Ann Grandmother"))
                await _picture(stage, browser, folder, KEPT_ASIDE)
                if every:
                    await _timeline(stage, browser, folder)


async def _picture(
    stage: DashboardStage, browser: Browser, folder: Path, picture: tuple[str, str, dict[str, Any], str]
) -> None:
    name, path, screen, theme = picture
    async with visitor(browser, stage.base_url, color_scheme=theme, **screen) as one:
        if path != "/sign-in":
            await one.sign_in(MANAGER, f"/dashboard/centers/{stage.center.id}{path}")
        else:
            await one.go("/dashboard/sign-in")
        await one.page.wait_for_load_state("load")
        await expect(one.page.get_by_text("Loading")).to_have_count(0)
        if picture is KEPT_ASIDE:
            await expect(one.page.locator("#set-aside article")).to_be_visible()
        await one.page.screenshot(
            path=folder / f"{name}.png", full_page=screen is DESK and not name.startswith("dashboard-")
        )


async def _timeline(stage: DashboardStage, browser: Browser, folder: Path) -> None:
    child = stage.home["OWL"][0]
    path = f"/children/{child}"
    await _picture(stage, browser, folder, ("timeline", path, DESK, "light"))


if __name__ == "__main__":
    reach_everything()
    asyncio.run(draw(Path(sys.argv[1]), every="--all" in sys.argv))
