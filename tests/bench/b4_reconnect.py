"""B4: all kiosks of a centre are current, lose their links, and come back in the same moment."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final

from tests.bench.crowd import Crowd
from tests.bench.desks import Link
from tests.bench.echo import echo_server
from tests.bench.figures import Figures, Line, Report, quantile
from tests.bench.machine import Processors
from tests.bench.stage import Center, Stage, gather_limited

CHILDREN: Final = 60
KIOSKS: Final = 200
QUICK_KIOSKS: Final = 40
# Two cores run no more at once; in one interpreter two hundred desks would wait for each other.
PROCESSES: Final = 8
MANY: Final = 2_000
# A PostgreSQL that has nothing to do tells its statistics 10 s late.
STATISTICS_S: Final = 11.0

LINES: Final = (
    Line("all current, s", "from dialling together to the last", 0.5, "raw: all upgraded, s"),
    Line("half of them, s", "the same, to the middle one"),
    Line("server's processor time, s", "of one core, for all"),
    Line("transactions", "in PostgreSQL, for all"),
    Line("many: all current, s", f"{MANY:,} links", 5.0, "raw: many upgraded, s"),
    Line("raw: all upgraded, s", "bare WebSockets, one frame echoed"),
)


async def measure(stage: Stage) -> Report:
    """Desks with everything but a screen, in some processes; the many are links with no service above, in this one."""
    count = stage.options.pick(KIOSKS, QUICK_KIOSKS)
    center = await stage.new_center(CHILDREN)
    folders = await gather_limited(stage, f"B4: {count} kiosks", count, lambda: stage.enrol(center))
    crowds = [await Crowd.start(folders[begin::PROCESSES]) for begin in range(PROCESSES)]
    runs: list[Figures] = []
    busy = ""
    try:
        for _ in range(stage.options.runs):
            figures, busy = await _reconnect(stage, crowds)
            runs.append({**figures, "raw: all upgraded, s": await _upgrade(count)})
        runs.append({"transactions": await _transactions(stage, crowds)})
    finally:
        await asyncio.gather(*(crowd.stop() for crowd in crowds))
    if stage.options.has_many:
        runs.append(await _many(stage, center))
    did = f"{count} current kiosks reconnect at once, with the tokens they have"
    return Report("B4", did, runs, LINES, [f"{busy} (kiosks: {count} in {PROCESSES} processes)"])


async def _reconnect(stage: Stage, crowds: Sequence[Crowd]) -> tuple[Figures, str]:
    await asyncio.gather(*(crowd.unlink() for crowd in crowds))
    processors = Processors(stage.server_pid, stage.server_data, kiosks=[crowd.pid for crowd in crowds])
    began_ns = time.perf_counter_ns()
    current = await asyncio.gather(*(crowd.link() for crowd in crowds))
    times = [(at_ns - began_ns) / 1e9 for crowd in current for at_ns in crowd]
    figures = {
        "all current, s": max(times),
        "half of them, s": quantile(times, 0.5),
        "server's processor time, s": processors.server_s(),
    }
    return figures, processors.words()


async def _upgrade(count: int) -> float:
    async with echo_server() as server:
        began_s = time.perf_counter()
        links = await asyncio.gather(*(server.connect() for _ in range(count)))
        took_s = time.perf_counter() - began_s
        await asyncio.gather(*(link.close() for link in links))
    return took_s


async def _transactions(stage: Stage, crowds: Sequence[Crowd]) -> float:
    """How many more transactions a reconnect takes than the same time without one."""
    task = stage.bar.add_task("B4: counting transactions", total=None)
    async with stage.driver() as driver:
        await asyncio.sleep(STATISTICS_S)
        before = await _committed(driver)
        await asyncio.sleep(STATISTICS_S)
        idle = await _committed(driver) - before
        before += idle
        await _reconnect(stage, crowds)
        await asyncio.sleep(STATISTICS_S)
        busy = await _committed(driver) - before
    stage.bar.remove_task(task)
    return float(max(0, busy - idle))


async def _committed(driver: Any) -> int:
    found: int = await driver.fetchval(
        "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
    )
    return found


async def _many(stage: Stage, center: Center) -> Figures:
    folder = stage.folder / "many"
    folder.mkdir()
    numbers = iter(range(MANY))

    async def make() -> Link:
        number = next(numbers)
        link = Link(await stage.enrol_keys(center, f"One of many {number}"), folder / f"{number}.db")
        await _linked(link)
        return link

    links = await gather_limited(stage, f"B4: {MANY} kiosks", MANY, make)
    try:
        await asyncio.gather(*(link.unlink() for link in links))
        began_s = time.perf_counter()
        await asyncio.gather(*map(_linked, links))
        took_s = time.perf_counter() - began_s
        return {"many: all current, s": took_s, "raw: many upgraded, s": await _upgrade(MANY)}
    finally:
        await asyncio.gather(*(link.close() for link in links))


async def _linked(link: Link) -> None:
    link.link()
    await link.until_current()
