"""Shows the screens of the day on an invented centre, and draws them for the docs.

`python -m tests.support.building_program` shows them; with a folder as argument it writes the pictures of the docs.
"""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from textual.pilot import Pilot

from kiosk.app import KioskApp
from sync.attendance import EventKind
from sync.rollcall import RollMark
from tests.support.building_desk import (
    AFONSO,
    ANA,
    BEATRIZ,
    BEES,
    DIOGO,
    FOXES,
    INES,
    MINUTE_MS,
    MORNING_MS,
    PEDRO,
    SOFIA,
    UnlinkedDesk,
    event_at,
    open_building,
)
from tests.support.kiosk_clock import StandingClock
from tests.support.kiosk_program import self_contained

Story = Callable[[Pilot[None], UnlinkedDesk, StandingClock], Awaitable[None]]


@asynccontextmanager
async def busy_morning(folder: Path) -> AsyncIterator[tuple[UnlinkedDesk, StandingClock]]:
    """The centre at 07:58 with five children, two members of staff and a plumber in it."""
    clock = StandingClock(MORNING_MS - 30 * MINUTE_MS)
    desk = await open_building(folder, clock)
    visits = desk.building.visits
    try:
        await visits.staff_in(SOFIA, BEES)
        await visits.staff_in(PEDRO, FOXES)
        for child_id in (ANA, AFONSO, BEATRIZ, INES, DIOGO):
            clock.pass_ms(4 * MINUTE_MS)
            await desk.check_in(child_id)
        await visits.visitor_in("Rui Costa", purpose="Acme, boiler", host="Sofia")
        clock.pass_ms(10 * MINUTE_MS)
        yield desk, clock
    finally:
        await desk.close()


async def rollcall_story(pilot: Pilot[None], desk: UnlinkedDesk, clock: StandingClock) -> None:
    """Two desks mark: this one finds most, the back door misses one whom nobody else has seen."""
    for child_id in (AFONSO, BEATRIZ):
        await desk.building.rollcalls.mark(child_id, RollMark.PRESENT)
    await _missing_at_the_back_door(desk, clock)
    await pilot.press("f9")
    await _settle_down(pilot)
    await pilot.press("down", "down", "down", "s")


async def _missing_at_the_back_door(desk: UnlinkedDesk, clock: StandingClock) -> None:
    (rollcall_id,) = (await desk.building.rollcalls.view()).open_ids
    said = {"rollcall_id": rollcall_id, "child_id": ANA, "mark": "missing"}
    await desk.hear_of(event_at(EventKind.ROLLCALL_MARK, clock.wall_ms(), 1, **said))


async def rooms_story(pilot: Pilot[None], desk: UnlinkedDesk, clock: StandingClock) -> None:
    """Three small children are too many for one adult."""
    await pilot.press("f7")


async def day_story(pilot: Pilot[None], desk: UnlinkedDesk, clock: StandingClock) -> None:
    """Ana's time was put right."""
    await pilot.press(*"ana", "f5")
    await _settle_down(pilot)
    await pilot.press("down", "t")
    await _settle_down(pilot)
    await pilot.press(*"07:25", "enter", *"entered when the queue was gone", "enter")


async def people_story(pilot: Pilot[None], desk: UnlinkedDesk, clock: StandingClock) -> None:
    """Staff and a visitor."""
    await pilot.press("f6")


async def visitor_story(pilot: Pilot[None], desk: UnlinkedDesk, clock: StandingClock) -> None:
    """Somebody comes to mend the boiler."""
    await pilot.press("f6")
    await _settle_down(pilot)
    await pilot.press("v")
    await _settle_down(pilot)
    await pilot.press(*"Marta Lobo", "enter", *"Acme, boiler", "enter")


async def label_story(pilot: Pilot[None], desk: UnlinkedDesk, clock: StandingClock) -> None:
    """Ana's pick-up code is asked for; there is no printer."""
    await pilot.press(*"ana", "ctrl+l")


async def desk_story(pilot: Pilot[None], desk: UnlinkedDesk, clock: StandingClock) -> None:
    """The desk says how it is."""
    await pilot.press("ctrl+d")


async def _settle_down(pilot: Pilot[None]) -> None:
    """Let the screen finish what the last key began."""
    for _ in range(15):
        await pilot.pause()


STORIES: dict[str, Story] = {
    "rollcall": rollcall_story,
    "rooms": rooms_story,
    "day": day_story,
    "people": people_story,
    "desk": desk_story,
    "visitor": visitor_story,
    "label": label_story,
}


async def draw(name: str, folder: Path, *, size: tuple[int, int] = (80, 24)) -> str:
    """One picture as SVG."""
    async with busy_morning(folder) as (desk, clock):
        app = KioskApp(desk, clock)
        async with app.run_test(size=size) as pilot:
            await _settle_down(pilot)
            await STORIES[name](pilot, desk, clock)
            await _settle_down(pilot)
            return self_contained(app.export_screenshot(title="Rollcall"))


def write_pictures(folder: Path) -> list[Path]:
    """Draw every story into a folder and give the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in STORIES:
        path = folder / f"building-{name}.svg"
        with tempfile.TemporaryDirectory() as data:
            path.write_text(asyncio.run(draw(name, Path(data))), encoding="utf-8")
        written.append(path)
    return written


async def show(folder: Path) -> None:
    """The screens on this terminal, at a standing 07:58."""
    async with busy_morning(folder) as (desk, clock):
        await KioskApp(desk, clock).run_async()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        for picture in write_pictures(Path(sys.argv[1])):
            print(picture)
    else:
        with tempfile.TemporaryDirectory() as data:
            asyncio.run(show(Path(data)))
