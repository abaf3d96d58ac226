"""`python -m tests.bench`: two desks and a server as real processes; how long a check-in takes to get where.

Each figure is measured in every run anew, beside the raw limit of the same machine at the same time: one FULL commit of
an encrypted SQLite file. Times that need a person's eye are left out: the agent's pipe stands for the key press.
"""

import asyncio
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from kiosk.store.database import Database
from kiosk.store.replica import Replica
from tests.support.world import Desk, World, running_world

RUNS: Final = 3
COMMITS: Final = 200
OFFLINE_ROUNDS: Final = 8
Figures = dict[str, float]


async def main() -> None:
    """Run everything `RUNS` times and print median, lowest and highest."""
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load before {os.getloadavg()[0]:.2f}")
    print("durability: SQLCipher synchronous=FULL on the desks, PostgreSQL fsync and synchronous_commit on")
    runs = []
    for number in range(1, RUNS + 1):
        with tempfile.TemporaryDirectory(prefix="rollcall-bench-") as folder:
            raw_ms = _raw_commit_ms(Path(folder))
            async with running_world(Path(folder), "Desk 1", "Desk 2") as world:
                figures = {"raw: one FULL commit, ms": raw_ms, **await _online(world), **await _after_offline(world)}
        runs.append(figures)
        print(f"run {number} of {RUNS} done")
    _print_table(runs)
    print(f"load after {os.getloadavg()[0]:.2f}")


def _raw_commit_ms(folder: Path) -> float:
    """The median of one-row transactions in the file format and durability of a replica."""
    replica = Replica(Database.open(folder / "raw.db", bytes(32)))
    replica.prepare(device_id="raw", center_id="raw", incarnation="raw")
    times = []
    for number in range(COMMITS):
        begun = time.perf_counter()
        with replica.database.transaction():
            replica.progress.told(number)
        times.append((time.perf_counter() - begun) * 1000)
    replica.database.close_now()
    return statistics.median(times)


async def _online(world: World) -> Figures:
    """Check every child in at Desk 1, one after the other, and watch how far each entry gets."""
    one, two = world.desks
    times: dict[str, list[float]] = {"recorded here": [], "confirmed": [], "on the other desk": []}
    for child in await _children(one):
        begun = time.perf_counter()
        event_id = (await one.check_in(child))["event_id"]
        times["recorded here"].append(time.perf_counter() - begun)
        await one.confirmed(event_id)
        times["confirmed"].append(time.perf_counter() - begun)
        await _seen(two, event_id)
        times["on the other desk"].append(time.perf_counter() - begun)
    figures = {}
    for name, seconds in times.items():
        figures[f"{name}, p50 ms"] = statistics.median(seconds) * 1000
        figures[f"{name}, p95 ms"] = statistics.quantiles(seconds, n=20)[-1] * 1000
    return figures


async def _after_offline(world: World) -> Figures:
    """Write entries at Desk 2 while its link is cut; then measure from online until all are acknowledged."""
    desk = world.desks[1]
    desk.switch.cut()
    recorded = []
    for _ in range(OFFLINE_ROUNDS):
        for child in await _children(desk):
            recorded += [await desk.check_out(child), await desk.check_in(child)]
    since = len(desk.lines)
    desk.switch.restore()
    await desk.until(lambda line: line["event"] == "status" and line["link"] == "online", since=since)
    begun = time.perf_counter()
    for line in recorded:
        await desk.confirmed(line["event_id"])
    took_s = time.perf_counter() - begun
    return {"entries of an offline desk": len(recorded), "of them acknowledged per second": len(recorded) / took_s}


async def _children(desk: Desk) -> list[str]:
    return [child["child_id"] for child in (await desk.ask("roster"))["children"]]


async def _seen(desk: Desk, event_id: str) -> None:
    await desk.until(lambda line: line["event"] == "change" and line["event_id"] == event_id)


def _print_table(runs: Sequence[Figures]) -> None:
    raw = statistics.median(run["raw: one FULL commit, ms"] for run in runs)
    print(f"\n{'':<34}{'median':>10}{'lowest':>10}{'highest':>10}{'x raw':>8}")
    for name in runs[0]:
        values = [run[name] for run in runs]
        ratio = f"{statistics.median(values) / raw:8.1f}" if name.endswith("ms") else ""
        print(f"{name:<34}{statistics.median(values):>10.2f}{min(values):>10.2f}{max(values):>10.2f}{ratio}")


if __name__ == "__main__":
    asyncio.run(main())
