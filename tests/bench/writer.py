"""A shipped desk in a process of its own that records check-ins and notes when each got where; prints it as JSON.

`python -m tests.bench.writer FOLDER COUNT INTERVAL_MS`; with an interval of 0 the next check-in begins when the one
before is confirmed. BENCH_DATABASE_URL names the database whose notifications tell when a commit took effect.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

from kiosk.messages import Presence
from kiosk.settings import log_nowhere
from server.core.database import create_engine
from server.demo.processes import run_to_end
from server.repositories.heads import HeadListener
from sync.effects import ReadEntries, StoreOutcomes
from sync.events import EntriesRead
from tests.bench.desks import Kiosk, Performed
from tests.bench.stage import DEADLINE_S, Stage

DATABASE_VARIABLE: Final = "BENCH_DATABASE_URL"


class CheckIn(msgspec.Struct):
    """When a check-in got where, in nanoseconds of the clock that all processes share, and its version in the log.

    Called, durable here, read for the push, committed on the server, its answer here, that answer durable here.
    """

    called_ns: int
    recorded_ns: int
    sent_ns: int = 0
    committed_ns: int = 0
    acknowledged_ns: int = 0
    confirmed_ns: int = 0
    version: int = 0


async def run_writer(stage: Stage, folder: Path, count: int, interval_ms: int) -> list[CheckIn]:
    """Run it as a process and read what it printed."""
    arguments = [sys.executable, "-m", "tests.bench.writer", str(folder), str(count), str(interval_ms)]
    environment = {DATABASE_VARIABLE: stage.database_url()}
    deadline_s = DEADLINE_S + count * interval_ms / 1000
    said = await run_to_end(arguments, environment=environment, deadline_s=deadline_s)
    return msgspec.json.decode(said, type=list[CheckIn])


async def _write(folder: Path, count: int, interval_ms: int) -> list[CheckIn]:
    kiosk = await Kiosk.open(folder)
    done: dict[str, CheckIn] = {}
    commits: dict[int, int] = {}
    kiosk.desk.on_performed = lambda performed: _note(performed, done)
    kiosk.link()
    await kiosk.until_current()
    async with _listening(commits):
        next_s = time.perf_counter()
        for number in range(count):
            called_ns = time.perf_counter_ns()
            event_id = await _record(kiosk, number)
            recorded_ns = time.perf_counter_ns()
            # The link may have begun to send it before this task goes on.
            row = done.setdefault(event_id, CheckIn(0, 0))
            row.called_ns, row.recorded_ns = called_ns, recorded_ns
            if interval_ms:
                next_s += interval_ms / 1000
                await asyncio.sleep(max(0, next_s - time.perf_counter()))
            else:
                await kiosk.until_settled(number + 1)
        await kiosk.until_settled(count)
        await _until_heard(commits, max(row.version for row in done.values()))
    await kiosk.close()
    for row in done.values():
        row.committed_ns = commits.get(row.version, 0)
    return list(done.values())


async def _record(kiosk: Kiosk, number: int) -> str:
    """Check the next child in, or out if it is in: the desk goes through its children again and again."""
    children = sorted(kiosk.desk._following.knowledge.children)
    child_id = children[number % len(children)]
    if kiosk.desk._refusals._standing(child_id).status is Presence.IN:
        return (await kiosk.desk.check_out(child_id, adult_name="Grandmother")).event_id
    return (await kiosk.desk.check_in(child_id)).event_id


def _note(performed: Performed, done: dict[str, CheckIn]) -> None:
    if isinstance(performed.effect, ReadEntries) and isinstance(performed.event, EntriesRead):
        for entry in performed.event.entries:
            done.setdefault(entry.event_id, CheckIn(0, 0)).sent_ns = performed.ended_ns
    if isinstance(performed.effect, StoreOutcomes):
        for outcome in performed.effect.stored.outcomes:
            row = done[outcome.event_id]
            row.version = outcome.version
            row.acknowledged_ns, row.confirmed_ns = performed.began_ns, performed.ended_ns


@asynccontextmanager
async def _listening(commits: dict[int, int]) -> AsyncIterator[None]:
    """Note when the database tells of each new head, which it does right after its commit."""
    engine = create_engine(os.environ[DATABASE_VARIABLE], pool_size=1)
    listens = asyncio.Event()

    def note(_center: str, _epoch: str, version: int) -> None:
        now_ns = time.perf_counter_ns()
        # One commit may hold several entries; its head is the last of them.
        for one in range(max(commits, default=version - 1) + 1, version + 1):
            commits[one] = now_ns

    task = asyncio.create_task(HeadListener(engine).listen(note, listens.set))
    try:
        async with asyncio.timeout(DEADLINE_S):
            await listens.wait()
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await engine.dispose()


async def _until_heard(commits: dict[int, int], version: int) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while version not in commits:
            await asyncio.sleep(0.01)


if __name__ == "__main__":
    log_nowhere()
    rows = asyncio.run(_write(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
    sys.stdout.buffer.write(msgspec.json.encode(rows))
