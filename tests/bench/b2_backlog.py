"""B2: one desk offers a long queue: stored, chain verified, folded, logged, acknowledged, outcomes durable."""

import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from server.core.clock import SystemClock
from server.core.database import create_engine
from server.core.ids import Ids
from server.repositories.unit_of_work import UnitsOfWork
from server.services.journal_intake import DeviceKey, JournalIntake
from sync.effects import ReadEntries, StoreOutcomes
from sync.events import BatchStored
from sync.journal import Entry, Outcome
from sync.limits import PUSH_ENTRIES_MAX
from tests.bench import raw
from tests.bench.desks import Kiosk, Performed
from tests.bench.figures import Figures, Line, Report
from tests.bench.machine import Processors
from tests.bench.stage import Stage

CHILDREN: Final = 500
ENTRIES: Final = 10_000
QUICK_CHILDREN: Final = 100
QUICK_ENTRIES: Final = 1_000

LINES: Final = (
    Line("whole way", "entries/s, dial to the last outcome durable on the desk", 15_000, "raw: INSERT unnest", True),
    Line("server alone", "entries/s, store_batch of 500 after 500", 15_000, "raw: INSERT unnest", True),
    Line("a push, server alone, ms", "500 entries"),
    Line("entries a push", "over the link, on average"),
    Line("a push, reading on the desk, ms", "on average"),
    Line("a push, sent to answered, ms", "the same"),
    Line("a push, outcomes on the desk, ms", "the same"),
    Line("raw: INSERT unnest", "rows/s of one table without index", is_rate=True),
)


async def measure(stage: Stage) -> Report:
    """Each run has a centre of its own, so that all begin alike."""
    entries = stage.options.pick(ENTRIES, QUICK_ENTRIES)
    runs: list[Figures] = []
    busy = ""
    for _ in range(stage.options.runs):
        whole, busy = await _whole_way(stage, entries)
        alone = await _server_alone(stage, entries)
        async with stage.driver() as driver:
            limit = await raw.insert_rows_per_s(driver, entries)
        runs.append({**whole, **alone, "raw: INSERT unnest": limit})
    children = stage.options.pick(CHILDREN, QUICK_CHILDREN)
    did = f"one desk offers {entries:,} queued entries of {children} children, {entries // children} each"
    return Report("B2", did, runs, LINES, [busy, "the server alone runs in this process, without uvloop"])


@asynccontextmanager
async def _desk_with_a_queue(stage: Stage, entries: int) -> AsyncIterator[Kiosk]:
    center = await stage.new_center(stage.options.pick(CHILDREN, QUICK_CHILDREN))
    kiosk = await Kiosk.open(await stage.enrol(center))
    try:
        kiosk.link()
        await kiosk.until_current()
        await kiosk.unlink()
        await kiosk.queue(entries)
        yield kiosk
    finally:
        await kiosk.close()


async def _whole_way(stage: Stage, entries: int) -> tuple[Figures, str]:
    async with _desk_with_a_queue(stage, entries) as kiosk:
        performed: list[Performed] = []
        kiosk.desk.on_performed = performed.append
        processors = Processors(stage.server_pid, stage.server_data)
        began_s = time.perf_counter()
        kiosk.link()
        await kiosk.until_settled(entries)
        took_s = time.perf_counter() - began_s
        busy = processors.words()
        recent = await kiosk.desk._ask(lambda: kiosk.desk._replica.journal.recent(0))
    outcomes = Counter(entry.outcome for entry in recent)
    assert outcomes == {Outcome.APPLIED: entries}, outcomes
    return {"whole way": entries / took_s, **_parts(performed)}, busy


def _parts(performed: list[Performed]) -> Figures:
    """Where the time of a push went, on average."""
    reads = [one for one in performed if isinstance(one.effect, ReadEntries)]
    stores = [one for one in performed if isinstance(one.effect, StoreOutcomes)]
    answers = [len(one.effect.stored.outcomes) for one in stores if isinstance(one.effect, StoreOutcomes)]
    answered = [store.began_ns - read.ended_ns for read, store in zip(reads, stores, strict=False)]
    return {
        "entries a push": sum(answers) / len(answers),
        "a push, reading on the desk, ms": _mean_ms([one.ended_ns - one.began_ns for one in reads]),
        "a push, sent to answered, ms": _mean_ms(answered),
        "a push, outcomes on the desk, ms": _mean_ms([one.ended_ns - one.began_ns for one in stores]),
    }


def _mean_ms(times_ns: list[int]) -> float:
    return sum(times_ns) / len(times_ns) / 1e6


async def _server_alone(stage: Stage, entries: int) -> Figures:
    async with _desk_with_a_queue(stage, entries) as kiosk:
        keys = kiosk.desk._opened.keys
        pushes = [await _read(kiosk, after) for after in range(0, entries, PUSH_ENTRIES_MAX)]
    engine = create_engine(stage.database_url())
    try:
        clock = SystemClock()
        units = UnitsOfWork(engine, clock=clock, luck=secrets.token_bytes, new_id=Ids(clock).new)
        intake = JournalIntake(units, clock)
        began_s = time.perf_counter()
        for push in pushes:
            answer = await intake.store_batch(DeviceKey(keys.center_id, keys.device_id), push)
            assert isinstance(answer, BatchStored)
        took_s = time.perf_counter() - began_s
    finally:
        await engine.dispose()
    return {"server alone": entries / took_s, "a push, server alone, ms": 1000 * took_s / len(pushes)}


async def _read(kiosk: Kiosk, after_seq: int) -> tuple[Entry, ...]:
    """A run as a push holds it: fewer than 500 entries when they fill a frame."""
    journal = kiosk.desk._replica.journal
    incarnation = (await kiosk.desk._ask(journal.head)).incarnation
    found: list[Entry] = []
    while len(found) < PUSH_ENTRIES_MAX:
        left = PUSH_ENTRIES_MAX - len(found)
        more = await kiosk.desk._ask(lambda: journal.read_entries(incarnation, after_seq + len(found), left))  # noqa: B023
        if not more:
            break
        found += more
    return tuple(found)
