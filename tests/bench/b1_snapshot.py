"""B1: a new kiosk takes a whole centre into its durable, encrypted replica, digests checked."""

import time
from typing import Final

from kiosk.messages import LinkPhase
from tests.bench import raw
from tests.bench.desks import Kiosk
from tests.bench.figures import Figures, Line, Report
from tests.bench.machine import Processors
from tests.bench.stage import Center, Stage, records_of

CHILDREN: Final = 500
RECORDS: Final = 10_000
QUICK_CHILDREN: Final = 100
QUICK_RECORDS: Final = 1_000

LINES: Final = (
    Line("open to current, s", "first kiosk since the server started", 0.25, "raw: read and written once, s"),
    Line("open to current again, s", "a further kiosk", 0.25, "raw: read and written once, s"),
    Line("of it until Welcome, s", "token, handshake, Hello"),
    Line("making the file before, s", "keys, schema, checks"),
    Line("raw: SELECT", "rows/s of the fold", is_rate=True),
    Line("raw: SQLCipher bulk", "rows/s, one table, one index, one commit", is_rate=True),
)


async def measure(stage: Stage) -> Report:
    """Fill a centre, then let new kiosks take it."""
    children = stage.options.pick(CHILDREN, QUICK_CHILDREN)
    records = stage.options.pick(RECORDS, QUICK_RECORDS)
    center = await stage.new_center(children)
    await _fill(stage, center, records - records_of(children))
    runs: list[Figures] = []
    busy = ""
    for _ in range(stage.options.runs):
        await stage.restart()
        first, busy = await _take(stage, center, records)
        again, _ = await _take(stage, center, records)
        limits = await _limits(stage, center)
        runs.append({**first, "open to current again, s": again["open to current, s"], **limits})
    did = f"a new kiosk takes {records:,} records ({children} children, {records - records_of(children):,} events)"
    return Report("B1", did, runs, LINES, [busy])


async def _fill(stage: Stage, center: Center, events: int) -> None:
    kiosk = await Kiosk.open(await stage.enrol(center))
    kiosk.link()
    await kiosk.until_current()
    await kiosk.queue(events)
    await kiosk.unlink()
    kiosk.link()
    await kiosk.until_settled(events)
    await kiosk.close()


async def _take(stage: Stage, center: Center, records: int) -> tuple[Figures, str]:
    """The figures, and who worked for how long until the kiosk was current; that it is right is looked at after."""
    folder = await stage.enrol(center)
    processors = Processors(stage.server_pid, stage.server_data)
    began_s = time.perf_counter()
    kiosk = await Kiosk.open(folder)
    opened_s = time.perf_counter()
    kiosk.link()
    await kiosk.until(lambda: kiosk.desk._following.link.phase is LinkPhase.ONLINE)
    welcomed_s = time.perf_counter()
    await kiosk.until_current()
    current_s = time.perf_counter()
    busy = processors.words()
    state = await stage.sync_state(center)
    assert (await kiosk.desk.status()).version == state["version"]
    assert await kiosk.desk.digests() == state["digests"], "the replica is not what the server holds"
    held = await kiosk.desk._ask(kiosk.desk._replica.records.all)
    assert len(held) == records, f"{len(held)} records"
    await kiosk.close()
    figures = {
        "making the file before, s": opened_s - began_s,
        "of it until Welcome, s": welcomed_s - opened_s,
        "open to current, s": current_s - opened_s,
    }
    return figures, busy


async def _limits(stage: Stage, center: Center) -> Figures:
    async with stage.driver() as driver:
        reading, rows = await raw.select_rows(driver, center.id)
    folder = stage.folder / f"raw-{time.perf_counter_ns()}"
    folder.mkdir()
    writing = raw.bulk_rows_per_s(folder, [(*row[:2], str(row[2]), *row[3:]) for row in rows])
    both_s = len(rows) / reading + len(rows) / writing
    return {"raw: SELECT": reading, "raw: SQLCipher bulk": writing, "raw: read and written once, s": both_s}
