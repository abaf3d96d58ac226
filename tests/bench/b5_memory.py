"""B5: how much memory the server needs for a kiosk that is linked, current and idle."""

import asyncio
from typing import Final

from tests.bench.desks import Link
from tests.bench.echo import echo_server
from tests.bench.figures import Figures, Line, Report
from tests.bench.machine import resident_kib
from tests.bench.stage import DEADLINE_S, Stage, gather_limited

CHILDREN: Final = 60
FEW: Final = 200
ALL: Final = 1_000
QUICK_FEW: Final = 50
QUICK_ALL: Final = 200
SETTLED_READINGS: Final = 8
READING_S: Final = 0.25

LINES: Final = (
    Line("a kiosk, KiB", "the server's memory, by the difference", 50, "raw: a bare link, KiB"),
    Line("the server with none, MiB", "resident"),
    Line("the server with all, MiB", "resident"),
    Line("raw: a bare link, KiB", "an echo server on the same uvicorn"),
)


async def measure(stage: Stage) -> Report:
    """Link some kiosks to a fresh server, then the others; only the difference counts, so that caches do not."""
    few, everybody = stage.options.pick(FEW, QUICK_FEW), stage.options.pick(ALL, QUICK_ALL)
    center = await stage.new_center(CHILDREN)
    numbers = iter(range(everybody))

    async def make() -> Link:
        link = Link(await stage.enrol_keys(center, f"Idle {next(numbers)}"))
        link.link()
        await link.until_current()
        await link.unlink()
        return link

    links = await gather_limited(stage, f"B5: {everybody} kiosks", everybody, make)
    runs: list[Figures] = []
    try:
        for _ in range(stage.options.runs):
            await asyncio.gather(*(link.unlink() for link in links))
            await stage.restart()
            runs.append({**await _link_all(stage, links, few), "raw: a bare link, KiB": await _bare(few, everybody)})
    finally:
        await asyncio.gather(*(link.close() for link in links))
    did = f"idle kiosks: {few} linked, then {everybody}"
    return Report("B5", did, runs, LINES, ["the replicas of these kiosks are in memory: the server cannot tell"])


async def _link_all(stage: Stage, links: list[Link], few: int) -> Figures:
    none_kib = await _settled_kib(stage.server_pid)
    await _link(links[:few])
    few_kib = await _settled_kib(stage.server_pid)
    await _link(links[few:])
    all_kib = await _settled_kib(stage.server_pid)
    return {
        "a kiosk, KiB": (all_kib - few_kib) / (len(links) - few),
        "the server with none, MiB": none_kib / 1024,
        "the server with all, MiB": all_kib / 1024,
    }


async def _link(links: list[Link]) -> None:
    for link in links:
        link.link()
    await asyncio.gather(*(link.until_current() for link in links))


async def _settled_kib(pid: int) -> int:
    """The memory once it has been the same, within one part in a hundred, for some readings."""
    readings: list[int] = []
    async with asyncio.timeout(DEADLINE_S):
        while True:
            readings.append(resident_kib(pid))
            last = readings[-SETTLED_READINGS:]
            if len(last) == SETTLED_READINGS and max(last) - min(last) <= max(last) // 100:
                return last[-1]
            await asyncio.sleep(READING_S)


async def _bare(few: int, everybody: int) -> float:
    async with echo_server() as server:
        links = [await server.connect() for _ in range(few)]
        few_kib = await _settled_kib(server.pid)
        links += [await server.connect() for _ in range(everybody - few)]
        all_kib = await _settled_kib(server.pid)
        await asyncio.gather(*(link.close() for link in links))
    return (all_kib - few_kib) / (everybody - few)
