"""Runs the kiosk's screen on a desk in memory: to look at it, to drive it, to draw it for the docs.

`python -m tests.support.kiosk_program` shows it; with a folder as argument it writes the pictures of the
docs there.
"""

import asyncio
import os
import re
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, Never

from textual.pilot import Pilot

from kiosk.app import KioskApp
from kiosk.clock import SystemClock
from kiosk.messages import Mark
from kiosk.screens.calm import BareTerminal
from kiosk.settings import log_to_file
from kiosk.steady import run_steadily
from kiosk.widgets.photo_driver import PhotoDriver
from tests.support.clock import FakeClock
from tests.support.faces import face
from tests.support.fake_desk import MINUTE_MS, FakeDesk
from tests.support.sample_desk import sample_morning

SPACE: Final = "&#160;"
CELL_WIDTH: Final = 12.2
TEXT: Final = re.compile(
    r'(<text [^>]*?) x="([\d.]+)" (y="[^"]*") textLength="([\d.]+)"([^>]*)>((?:&#160;)*)(.*?)((?:&#160;)*)</text>'
)

Story = Callable[[Pilot[None], FakeDesk, FakeClock], Awaitable[None]]


async def roster_story(pilot: Pilot[None], desk: FakeDesk, clock: FakeClock) -> None:
    """Inês is checked in and the server has it."""
    await pilot.press(*"ines", "enter")
    await _settle_down(pilot)
    await desk.settle(desk.waiting_ids()[-1])
    await pilot.press("escape", "down", "down", "down")


async def offline_story(pilot: Pilot[None], desk: FakeDesk, clock: FakeClock) -> None:
    """The link is lost at 07:41; two children come meanwhile, and one earlier entry needs a person."""
    recorded = await desk.check_in("child-3")
    await desk.settle(recorded.event_id, Mark.NEEDS_REVIEW)
    clock.advance_ms(-17 * MINUTE_MS)
    await desk.go_online()
    await desk.go_offline()
    clock.advance_ms(17 * MINUTE_MS)
    for name in ("duarte", "ines"):
        await pilot.press("escape", *name, "enter")
        await _settle_down(pilot)
    await pilot.press("escape")


async def collect_story(pilot: Pilot[None], desk: FakeDesk, clock: FakeClock) -> None:
    """Who collects Ana, with an adult who may not, by a list that is old."""
    await desk.check_in("ana")
    desk.counter.list_is_old = True
    await pilot.press(*"ana", "enter")
    await _settle_down(pilot)
    await pilot.press("y")
    await _settle_down(pilot)
    await pilot.press("down")


async def unlock_story(pilot: Pilot[None], desk: FakeDesk, clock: FakeClock) -> None:
    """The desk is locked, and the PIN was wrong once."""
    desk.door.pins = {"Ruth Appiah": "483920", "Sam Baker": "720391"}
    await pilot.press("down")
    clock.advance_ms(MINUTE_MS)
    app = pilot.app
    assert isinstance(app, KioskApp)
    app.guard_door()
    await _settle_down(pilot)
    await pilot.press("enter", *"111", *"111", "enter")
    await _settle_down(pilot)


async def family_story(pilot: Pilot[None], desk: FakeDesk, clock: FakeClock) -> None:
    """Martim comes with a sister, and his allergies are read first."""
    desk.counter.families = {"ana": ("ana", "martim", "ines")}
    await desk.check_out("martim", adult_id="adult-9")
    await pilot.press(*"ana", "enter")
    await _settle_down(pilot)
    await pilot.press("down")


async def photo_story(pilot: Pilot[None], desk: FakeDesk, clock: FakeClock) -> None:
    """Who collects Ana: photos of her mother and, first, of her."""
    await desk.check_in("ana")
    desk.counter.pictures = {"ana": face(), "adult-1": face()}
    await pilot.press(*"ana", "enter")
    await _settle_down(pilot)
    await pilot.press("y")
    await _settle_down(pilot)
    await pilot.press("down")


async def override_story(pilot: Pilot[None], desk: FakeDesk, clock: FakeClock) -> None:
    """The typed name is close to that of somebody who may not collect: a second person and a reason."""
    desk.door.pins = {"Ruth Appiah": "483920", "Sam Baker": "720391"}
    desk.door.by = "Ruth Appiah"
    desk.door.touch()
    await desk.check_in("ana")
    await pilot.press(*"ana", "enter")
    await _settle_down(pilot)
    await pilot.press("y")
    await _settle_down(pilot)
    await pilot.press("tab", "j", "space", *"pinto", "enter", "enter")


async def _settle_down(pilot: Pilot[None]) -> None:
    """Let the screen finish what the last key began."""
    for _ in range(10):
        await pilot.pause()


STORIES: dict[str, Story] = {
    "roster": roster_story,
    "offline": offline_story,
    "collect": collect_story,
    "unlock": unlock_story,
    "family": family_story,
    "photo": photo_story,
    "override": override_story,
}


async def draw(name: str, *, size: tuple[int, int] = (80, 24)) -> str:
    """One picture as SVG."""
    desk, clock = await sample_morning()
    app = KioskApp(desk, clock)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await STORIES[name](pilot, desk, clock)
        await pilot.pause()
        return self_contained(app.export_screenshot(title="Rollcall"))


def self_contained(svg: str) -> str:
    """The same picture in the reader's own fixed-width font: the docs fetch nothing from elsewhere."""
    svg = re.sub(r"@font-face\s*{[^}]*}", "", svg)
    svg = re.sub(r"font-family:\s*Fira Code", "font-family: 'Fira Code', 'DejaVu Sans Mono'", svg)
    # DejaVu is 0.602 em wide: at this size its letters fill the cells, also where `textLength` is not understood.
    svg = svg.replace("font-size: 20px", f"font-size: {CELL_WIDTH / 0.602:.2f}px")
    return TEXT.sub(_without_spaces_around, svg)


def _without_spaces_around(text: re.Match[str]) -> str:
    """The same text, begun where its first letter stands: some viewers drop leading spaces, and all moves left."""
    head, x, middle, length, tail, before, words, after = text.groups()
    moved = float(x) + before.count(SPACE) * CELL_WIDTH
    shorter = float(length) - (before + after).count(SPACE) * CELL_WIDTH
    return f'{head} x="{moved:.1f}" {middle} textLength="{shorter:.1f}"{tail}>{words}</text>' if words else ""


def write_pictures(folder: Path) -> list[Path]:
    """Draw every story into a folder and give the files."""
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["COLORTERM"] = "truecolor"  # photos are drawn where there are colours
    written = []
    for name in STORIES:
        path = folder / f"kiosk-{name}.svg"
        path.write_text(asyncio.run(draw(name)), encoding="utf-8")
        written.append(path)
    return written


class DefectiveDesk(FakeDesk):
    """A desk with a defect that no screen expects, and a name in its words that no terminal may show."""

    def subscribe(self) -> Never:
        """Fail in the middle of the screen's own work."""
        raise RuntimeError("defect near Ottilie Canary")


async def show(make: type[FakeDesk] = FakeDesk) -> BaseException | None:
    """The screen on this terminal, at a standing 07:58; gives what it crashed of."""
    desk, clock = await sample_morning()
    desk.__class__ = make
    app = KioskApp(desk, clock, driver_class=PhotoDriver)
    await app.run_async()
    return app.crash


def show_defective(folder: Path, crashes: int) -> None:
    """The same, with a defect at each of the first starts; log and reports go into the folder."""
    log_to_file(folder / "kiosk.log")
    starts = iter([DefectiveDesk] * crashes)
    run_steadily(lambda: show(next(starts, FakeDesk)), BareTerminal(0, 1), folder / "crashes", SystemClock())


async def show_photos() -> BaseException | None:
    """The same with photos, of which that of Rui Costa is none that anything can draw; SIGUSR1 lets an hour go by."""
    desk, clock = await sample_morning()
    desk.door.pins, desk.door.by = {"Ruth Appiah": "483920"}, "Ruth Appiah"
    desk.door.touch()
    desk.counter.pictures = {"ana": face(), "adult-1": face(), "adult-2": ((),)}
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, clock.advance_ms, 60 * MINUTE_MS)
    app = KioskApp(desk, clock, driver_class=PhotoDriver)
    await app.run_async()
    return app.crash


if __name__ == "__main__":
    if sys.argv[1:2] == ["--defective"]:
        show_defective(Path(sys.argv[2]), int(sys.argv[3]))
    elif sys.argv[1:2] == ["--photos"]:
        run_steadily(show_photos, BareTerminal(0, 1), Path(sys.argv[2]), SystemClock())
    elif len(sys.argv) > 1:
        for picture in write_pictures(Path(sys.argv[1])):
            print(picture)
    else:
        asyncio.run(show())
