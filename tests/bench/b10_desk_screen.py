"""B10: the screen of a desk with 500 children: its cold start, a search for each key, a key to *recorded here*."""

import asyncio
import time
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from textual import events
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Input

from kiosk.app import KioskApp
from kiosk.clock import SystemClock
from kiosk.messages import Presence
from kiosk.services.desk import Desk
from kiosk.widgets.result_line import ResultLine
from kiosk.widgets.roster_table import RosterTable
from tests.bench import raw
from tests.bench.bare_screen import FIRST_LINE, BareScreen
from tests.bench.cold_start import ColdStart, cold_start
from tests.bench.desks import Kiosk
from tests.bench.figures import Figures, Line, Report, quantile
from tests.bench.stage import DEADLINE_S, Center, Stage

CHILDREN: Final = 500
STARTS: Final = 7
QUICK_STARTS: Final = 3
ACTIONS: Final = 60
QUICK_ACTIONS: Final = 15
SCREEN: Final = (80, 24)
SEARCHES: Final = ("ana 7", "family-23", "a 4", "na fam", "zzz")
FIRST_CHILD: Final = "Ana 0"
SCANS: Final = 8
BARE_KEYS: Final = 30

LINES: Final = (
    Line("cold start, ms", "process begun to the names on the terminal", 1_000, "raw: Textual cold start, ms"),
    Line("its processor, ms", "of all threads until then", None, "raw: its processor, ms"),
    Line("search p50, ms", "a key to the list repainted", 30, "raw: Textual key, ms"),
    Line("search p99, ms", "the same", 30, "raw: Textual key, ms"),
    Line("action p50, ms", "ENTER to recorded here on the screen", 100, "raw: SQLCipher commit, ms"),
    Line("action p99, ms", "the same", 100, "raw: SQLCipher commit, ms"),
    Line("ready again p50, ms", "ENTER of an unknown code to the next card, scanned, recorded", 1_000),
    Line("ready again worst, ms", "the same", 1_000),
    Line("raw: Textual cold start, ms", "a field, a list and a footer, with nothing of ours"),
    Line("raw: its processor, ms", "of all threads until then"),
    Line("raw: Textual key, ms", "the same screen, another list for each key"),
    Line("raw: SQLCipher commit, ms", "one row, synchronous=FULL"),
)


async def measure(stage: Stage) -> Report:
    """The desk is enrolled, current, closed in order and started again, with its server running beside it."""
    center = await stage.new_center(CHILDREN)
    folder = await stage.enrol(center)
    cards = await _give_cards(stage, center, SCANS * stage.options.runs)
    await _fetch_all(folder)
    runs = []
    for number in range(stage.options.runs):
        task = stage.bar.add_task(f"B10: run {number + 1} of {stage.options.runs}", total=None)
        starts = await asyncio.to_thread(_cold_starts, stage, folder)
        bare = await _bare_key_ms()
        mine = [*cards][number * SCANS :][:SCANS]
        actions = stage.options.pick(ACTIONS, QUICK_ACTIONS)
        screen = await _on_the_screen(folder, mine, actions, spared=frozenset(cards.values()))
        stage.bar.remove_task(task)
        limits = {"raw: Textual key, ms": bare, "raw: SQLCipher commit, ms": raw.replica_commit_ms(stage.folder)}
        runs.append({**starts, **screen, **limits})
    did = f"{CHILDREN} children, {SCREEN[0]}x{SCREEN[1]}, byte code written as by an installation"
    return Report("B10", did, runs, LINES)


async def _give_cards(stage: Stage, center: Center, count: int) -> dict[str, str]:
    """Cards of so many children: what a scanner reads, and whose it is."""
    client = stage._world.client
    listed = await client.get(f"/api/v1/centers/{center.id}/children", params={"limit": count})
    children = listed.raise_for_status().json()["items"]
    cards: dict[str, str] = {}
    for number, child in enumerate(children[:count]):
        card = f"FOB-{number:04}-7"
        cards[card] = child["id"]
        body = {"id": str(uuid.UUID(int=number, version=4)), "barcode": card, "label": "fob"}
        address = f"/api/v1/centers/{center.id}/children/{child['id']}/barcodes"
        (await client.post(address, json=body)).raise_for_status()
    return cards


async def _fetch_all(folder: Path) -> None:
    """Everything that a desk holds, and the keys by which it reads cards."""
    kiosk = await Kiosk.open(folder)
    kiosk.link()
    await kiosk.until_current()
    await _until(lambda: bool(kiosk.desk.keyring.pepper()))
    await kiosk.close()


# -- the cold start


def _cold_starts(stage: Stage, folder: Path) -> Figures:
    """Desk and bare screen in turns, so that what else the machine does is the same for both."""
    byte_code = stage.folder / "byte-code"
    desk_start = (["-m", "kiosk", "run", "--data", str(folder)], FIRST_CHILD)
    bare_start = (["-m", "tests.bench.bare_screen"], FIRST_LINE)
    for arguments, words in (desk_start, bare_start):
        cold_start(arguments, words, byte_code)
    desk, bare = [], []
    for _ in range(stage.options.pick(STARTS, QUICK_STARTS)):
        desk.append(cold_start(*desk_start, byte_code))
        bare.append(cold_start(*bare_start, byte_code))
    return {
        "cold start, ms": _median(desk, lambda one: one.painted_ms),
        "its processor, ms": _median(desk, lambda one: one.processor_ms),
        "raw: Textual cold start, ms": _median(bare, lambda one: one.painted_ms),
        "raw: its processor, ms": _median(bare, lambda one: one.processor_ms),
    }


def _median(starts: Sequence[ColdStart], of: Callable[[ColdStart], float]) -> float:
    return quantile([of(one) for one in starts], 0.5)


# -- keys


async def _on_the_screen(folder: Path, cards: Sequence[str], actions: int, *, spared: frozenset[str]) -> Figures:
    desk = await Desk.open(folder)
    try:
        app = KioskApp(desk, SystemClock())
        async with app.run_test(size=SCREEN) as pilot:
            await _until(lambda: len(app.screen.query_one(RosterTable).lines) == CHILDREN)
            searches = [ms for text in SEARCHES for ms in await _search(pilot, text)]
            recorded = [await _act(pilot, spared) for _ in range(actions)]
            again = [await _ready_again(pilot, card) for card in cards]
    finally:
        await desk.close()
    return {
        "search p50, ms": quantile(searches, 0.5),
        "search p99, ms": quantile(searches, 0.99),
        "action p50, ms": quantile(recorded, 0.5),
        "action p99, ms": quantile(recorded, 0.99),
        "ready again p50, ms": quantile(again, 0.5),
        "ready again worst, ms": max(again),
    }


async def _search(pilot: Pilot[None], text: str) -> list[float]:
    """Milliseconds of each key of a text typed into the empty field."""
    screen = pilot.app.screen
    await pilot.press("escape")
    times = []
    for end, letter in enumerate(text, start=1):
        typed = text[:end]
        times.append(await _painted_ms(pilot.app, (letter,), lambda typed=typed: screen._narrowing.searched == typed))  # type: ignore[attr-defined,misc]
    return times


async def _act(pilot: Pilot[None], spared: frozenset[str]) -> float:
    """A child that is not here, the last of the list whom no scanner will bring, is chosen and checked in."""
    result, table = pilot.app.screen.query_one(ResultLine), pilot.app.screen.query_one(RosterTable)
    await pilot.press("escape")
    absent = (line.child_id for line in reversed(table.lines) if line.status is Presence.NOT_ARRIVED)
    table.choose(next(child_id for child_id in absent if child_id not in spared))
    await pilot.pause()
    before = result.event_ids
    return await _painted_ms(pilot.app, ("enter",), lambda: bool(result.event_ids - before))


async def _ready_again(pilot: Pilot[None], card: str) -> float:
    """A code that nobody knows, and behind it at once the card of a child who is not here."""
    result = pilot.app.screen.query_one(ResultLine)
    await pilot.press("escape")
    before = result.event_ids
    keys = (*f"UNKNOWN-{card}", "enter", *card, "enter")
    return await _painted_ms(pilot.app, keys, lambda: bool(result.event_ids - before))


async def _bare_key_ms() -> float:
    app = BareScreen()
    async with app.run_test(size=SCREEN) as pilot:
        await pilot.pause()
        field = app.query_one(Input)
        times = [await _painted_ms(app, ("x",), partial(_holds, field, keys)) for keys in range(1, BARE_KEYS + 1)]
    return quantile(times, 0.5)


def _holds(field: Input, keys: int) -> bool:
    return len(field.value) == keys


async def _painted_ms(app: App[Any], keys: Sequence[str], holds: Callable[[], bool]) -> float:
    """Press keys as quickly as a scanner does; until something holds and the screen is painted with it."""
    painted = asyncio.Event()
    began_s = time.perf_counter()
    for key in keys:
        app.post_message(events.Key(key, key if len(key) == 1 else None))
    await _until(holds)
    app.screen.call_after_refresh(painted.set)
    await painted.wait()
    return (time.perf_counter() - began_s) * 1000


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not holds():
            await asyncio.sleep(0)
